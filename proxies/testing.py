"""What every proxy promises, as a class of tests that an author of a proxy can run.

>>> class TestMine(ProxyContract):  # doctest: +SKIP
...     @pytest.fixture
...     def spec(self):
...         return proxies.register(MINE)
"""

import copy
import math
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from proxies.preparation import BatchNormError
from proxies.scoring import Score, score
from testbed.catalogue.spec import ProxySpec

__all__ = ["CLASSES", "ProxyContract", "batch", "small_network"]

CLASSES = 3
DRAWS = "draw from probe.generator('words'), and keep nothing from one call to the next"
UNSAID = "a score that is no number has a reason: Score(math.nan, reason)"


def small_network() -> nn.Module:
    """Return a small convolutional network with fresh batch norms and three classes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
            nn.Conv2d(6, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES),
        )  # fmt: skip


def batch(size: int = 9, pixels: int = 8) -> tuple[Tensor, Tensor]:
    """Return images in [0, 1], (size, 3, pixels, pixels), and their classes."""
    source = torch.Generator().manual_seed(0)
    return torch.rand(size, 3, pixels, pixels, generator=source), torch.arange(size) % CLASSES


class Constant(nn.Module):
    """Logits that no image changes."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.arange(float(CLASSES)))

    def forward(self, images: Tensor) -> Tensor:
        """Return the same logits for each image, (N, K)."""
        return self.logits.expand(len(images), -1)


class ProxyContract:
    """Tests of one proxy; a subclass gives the fixture ``spec``, a registered record.

    ``network`` may be overridden for a proxy of other networks: a function that returns a fresh
    one for images (N, 3, 8, 8) and three classes.
    """

    network = staticmethod(small_network)
    kept: ClassVar[dict[str, Score]]

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        cls.kept = {}

    @pytest.fixture
    def spec(self) -> ProxySpec:
        """Return the record of the proxy under test."""
        raise NotImplementedError("override the fixture spec")

    def value(self, spec: ProxySpec, size: int = 9, module: nn.Module | None = None, **options):
        """Return the score of a network, a fresh one of `network` if none is given, and a batch."""
        images, labels = batch(size)
        module = self.network() if module is None else module
        return score(module, images, labels, [spec.name], **options)[spec.name]

    def usual(self, spec: ProxySpec) -> Score:
        """Return the score of the usual network and batch, computed once for all tests."""
        if spec.name not in (kept := self.__class__.kept):
            kept[spec.name] = self.value(spec)
        return kept[spec.name]

    def test_a_score_is_defined_timed_and_repeatable(self, spec: ProxySpec) -> None:
        """It is a finite number with its seconds, the same again for a network of equal weights."""
        first, second = self.usual(spec), self.value(spec)
        assert math.isfinite(first.value), first.reason
        _same(second, first, f"of a second network of equal weights: {DRAWS}")
        assert first.seconds > 0, f"a score takes time; its seconds are {first.seconds}"
        assert (first.iterations is None) == (first.converged is None), (
            "what iterates says how often and whether it converged, or neither; "
            f"got iterations = {first.iterations} and converged = {first.converged}"
        )

    def test_what_ran_before_does_not_matter(self, spec: ProxySpec) -> None:
        """Neither other proxies of one call nor the global random state change it."""
        alone = self.usual(spec)
        images, labels = batch()
        torch.manual_seed(1234)
        names = list(dict.fromkeys(["jacobian_norm", "grad_norm", "nwot", spec.name]))
        together = score(self.network(), images, labels, names)[spec.name]
        _same(together, alone, f"after other proxies: {DRAWS}")

    def test_the_network_is_left_as_it_was(self, spec: ProxySpec) -> None:
        """Weights, buffers, modes, requires_grad, gradients and the random state stay."""
        network = self.network().train()
        frozen = next(network.parameters()).requires_grad_(False)
        before = copy.deepcopy(network.state_dict())
        modes = [layer.training for layer in network.modules()]
        state = torch.get_rng_state()
        self.value(spec, module=network)
        kept = "the proxy changed {} of the network: work on a copy, copy.deepcopy(probe.network)"
        assert torch.equal(torch.get_rng_state(), state), "the proxy changed torch's random state"
        same = [layer.training for layer in network.modules()] == modes
        assert same, kept.format("the modes (train, eval)")
        for key, tensor in network.state_dict().items():
            assert torch.equal(tensor, before[key]), kept.format(key)
        required = [p.requires_grad for p in network.parameters()].count(False)
        assert (required, frozen.requires_grad) == (1, False), kept.format("requires_grad")
        clean = all(parameter.grad is None for parameter in network.parameters())
        assert clean, kept.format("the gradients, p.grad,")

    def test_the_memory_budget_does_not_matter(self, spec: ProxySpec) -> None:
        """Parts of the batch that fit a small budget give the score of the whole."""
        tight, ample = (self.value(spec, 18, memory=memory) for memory in (1, 2**34))
        _same(tight, ample, "of another memory budget: it may change no more than the parts' size")

    @pytest.mark.parametrize("kind", ["constant", "dead", "mlp", "nan"])
    def test_odd_networks_have_a_score_or_a_reason(self, spec: ProxySpec, kind: str) -> None:
        """A number, or NaN with a reason that is no failure; NaN for weights that are."""
        network = _odd(kind, self.network)
        found = self.value(spec, module=network)
        assert not found.failed, f"on a network that is {kind}: {found.reason}"
        assert math.isfinite(found.value) or found.reason, UNSAID
        if kind == "nan" and not spec.structural:
            assert math.isnan(found.value), (
                f"of weights that are no numbers the score is {found.value}; expected NaN: raise "
                "proxies.conditions.UndefinedError, or return Score(math.nan, reason)"
            )

    def test_float64_two_classes_and_one_image(self, spec: ProxySpec) -> None:
        """Double precision, K = 2 and a batch of one give a number or a reason."""
        images, labels = batch()
        double = score(self.network().double(), images.double(), labels, [spec.name])[spec.name]
        two = nn.Sequential(self.network(), nn.Linear(CLASSES, 2))
        one_image = score(_bare(), images[:1], labels[:1], [spec.name])[spec.name]
        of_two = score(two, images, labels % 2, [spec.name])[spec.name]
        cases = {"float64": double, "two classes": of_two, "a batch of one image": one_image}
        for case, one in cases.items():
            assert not one.failed, f"{case}: {one.reason}"
            assert math.isfinite(one.value) or one.reason, f"{case}: {UNSAID}"

    def test_labels_matter_only_where_the_record_says_so(self, spec: ProxySpec) -> None:
        """Other labels give the same score unless it needs them; then they are asked for."""
        images, labels = batch()
        if not spec.needs_labels:
            other = score(self.network(), images, (labels + 1) % CLASSES, [spec.name])[spec.name]
            declare = "if labels matter, its ProxySpec needs=('images', 'labels')"
            _same(other, self.usual(spec), f"of other labels: {declare}")
            without = score(self.network(), images, None, [spec.name])[spec.name]
            _same(without, other, f"without labels: {declare}")

    def test_images_matter_only_where_the_record_says_so(self, spec: ProxySpec) -> None:
        """Other images give the same score if it needs none."""
        images, labels = batch()
        if not spec.needs_images:
            other = score(self.network(), 1 - images, labels, [spec.name])[spec.name]
            _same(other, self.usual(spec), "of other images: its ProxySpec needs=('images',)")

    def test_weights_matter_only_where_the_record_says_so(self, spec: ProxySpec) -> None:
        """Other weights give the same score if it is of the architecture alone."""
        if spec.structural:
            network = self.network()
            with torch.no_grad():
                for parameter in network.parameters():
                    parameter.mul_(2).add_(1)
            other = self.value(spec, module=network)
            _same(other, self.usual(spec), "of other weights: it is not structural")

    def test_batch_statistics_are_allowed_or_refused(self, spec: ProxySpec) -> None:
        """Batch-norm mode ``batch`` is refused by a proxy of independent samples."""
        if spec.independent:
            with pytest.raises(ValueError, match="independent samples"):
                self.value(spec, batch_norm="batch")
        else:
            found = self.value(spec, batch_norm="batch")
            assert math.isfinite(found.value), (
                f"in batch-norm mode 'batch': {found.reason}; if samples have to be independent, "
                "its ProxySpec says independent=True"
            )
        with pytest.raises(BatchNormError, match="fresh"):
            self.value(spec, batch_norm="running")

    def test_unknown_options_are_refused(self, spec: ProxySpec) -> None:
        """A name that is no option of it is an error."""
        with pytest.raises(ValueError, match="has no option colour"):
            self.value(spec, options={spec.name: {"colour": 1}})


def _same(found: Score, expected: Score, what: str) -> None:
    # In words, since pytest rewrites the asserts of the author's own files only.
    assert not found.failed, found.reason
    equal = found.value == expected.value
    assert equal, f"the score is {found.value} and not {expected.value} {what}"


def _bare() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(4, CLASSES),
        ).eval()  # fmt: skip


def _odd(kind: str, make) -> nn.Module:
    if kind == "constant":
        return Constant()
    if kind == "mlp":
        return nn.Sequential(nn.Flatten(), nn.Linear(192, 10), nn.GELU(), nn.Linear(10, CLASSES))
    network = _bare() if kind == "dead" else make()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(0.0 if kind == "dead" else math.nan)
    return network
