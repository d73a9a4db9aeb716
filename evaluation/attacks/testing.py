"""What every attack promises, as a class of tests that an author of an attack can run.

>>> class TestMine(AttackContract):  # doctest: +SKIP
...     @pytest.fixture
...     def record(self):
...         return register(MINE)
"""

import copy
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from evaluation.attacks.base import Attack
from evaluation.attacks.evaluation import Evaluation, evaluate
from evaluation.attacks.judge import SLACK
from evaluation.attacks.losses import margin
from evaluation.attacks.modes import MODES
from evaluation.attacks.names import AttackRecord, attack_named
from evaluation.attacks.norms import BALLS, ball
from evaluation.attacks.outcome import Level
from evaluation.attacks.registry import make
from testbed.basis.errors import InputError

__all__ = ["CLASSES", "AttackContract", "duel", "images", "small_network"]

CLASSES = 5
SHAPE = (3, 8, 8)
SAME = ("robust", "prediction", "label_confidence", "images")
EPSILONS = {"Linf": (8.0, 60.0), "L2": (80.0, 800.0)}  # in units of 1/255
LEAST = {"Linf": 0.02, "L2": 0.2}  # of pixel values: the radius at which the duel's images fall


def small_network() -> nn.Module:
    """Return a small convolutional network with batch norms and five classes, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
            nn.Conv2d(6, 8, 3, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(128, CLASSES),
        ).eval()  # fmt: skip


def images(count: int) -> Tensor:
    """Return images, a third of whose pixels are at 0 or 1, (count, 3, 8, 8)."""
    source = torch.Generator().manual_seed(4)
    return torch.rand(count, *SHAPE, generator=source).mul(1.5).sub(0.25).clamp(0, 1)


def duel(norm: str, count: int) -> tuple[nn.Sequential, Tensor, Tensor, float]:
    """Return a linear network, images, labels, and what ε takes from the margin at most, over ε.

    Two classes matter, the others are far away. All images are equally far from the other
    class: `LEAST`. Pixels stay so far from 0 and 1 that the box does not matter at this ε; the
    attack whose loss grows with the margin moves along the sign of the difference of the two
    classes' weights, or along the difference itself: it gains ε times the dual norm.
    """
    source = torch.Generator().manual_seed(1)
    size = torch.Size(SHAPE).numel()
    layer = nn.Linear(size, CLASSES)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[:2] = torch.randn(2, size, generator=source) / size**0.5
        layer.bias.fill_(-20.0)
        layer.bias[:2] = -layer.weight[:2].sum(1) / 2
        gap = layer.weight[0] - layer.weight[1]
        dual = float(gap.norm(p=1 if norm == "Linf" else 2))
        around = 0.4 + 0.2 * torch.rand(count, size, generator=source)
        labels = torch.arange(count) % 2
        wanted = LEAST[norm] * dual * (1 - 2.0 * labels)
        logits = layer(around)
        short = wanted - (logits[:, 0] - logits[:, 1])
        inputs = around + short[:, None] * gap / gap.square().sum()
    return nn.Sequential(nn.Flatten(), layer), inputs.view(-1, *SHAPE), labels, dual


class AttackContract:
    """Tests of one attack; a subclass gives the fixture ``record``, a registered record.

    Attributes:
        settings: those that make it quick; its defaults if not given.
        network: a function that returns a network for images (N, 3, 8, 8) and five classes;
            may be overridden for an attack of other networks.
        norms: those that it knows.
        reach: at this multiple of the least radius some image of a linear network falls.
    """

    settings: Mapping[str, Any] = {}
    network = staticmethod(small_network)
    norms: Sequence[str] = tuple(BALLS)
    reach: float = 20.0

    @pytest.fixture
    def record(self) -> AttackRecord:
        """Return the record of the attack under test."""
        raise NotImplementedError("override the fixture record")

    def attack(self, record: AttackRecord, norm: str) -> Attack:
        """Return the attack with the settings of the tests."""
        return make(record.name, norm, **self.settings)

    def run(
        self, record: AttackRecord, norm: str, rows: Sequence[int] = range(8), **options: Any
    ) -> Evaluation:
        """Return how the network fares on some images, every third with a wrong label."""
        kind = options.pop("dtype", torch.float32)
        network = (options.pop("module", None) or self.network()).to(kind)
        inputs = images(8).to(kind)
        with torch.no_grad():
            right = copy.deepcopy(network).eval()(inputs).argmax(1)
        labels = torch.where(torch.arange(8) % 3 == 0, (right + 1) % CLASSES, right)
        given = {"epsilons": EPSILONS[norm], "checks": False} | options
        chosen = list(rows)
        return evaluate(network, inputs[chosen], labels[chosen], self.attack(record, norm), **given)

    def test_record_and_class_say_the_same(self, record: AttackRecord) -> None:
        """Every word stands for it, its class is importable, and a worker gets what was sent."""
        for word in record.words:
            assert attack_named(word.upper()) is record
        attack = self.attack(record, self.norms[0])
        assert type(attack) is record.kind
        assert attack.name == record.name
        assert pickle.loads(pickle.dumps(attack)) == attack
        assert json.loads(json.dumps(attack.settings())).keys() >= {f.name for f in fields(attack)}
        with pytest.raises(InputError, match="has no setting 'colour'"):
            make(record.name, colour=1)

    def test_proposals_stay_in_ball_and_box(self, record: AttackRecord) -> None:
        """Nothing has to be cut, every number is finite, and ε = 0 changes nothing."""
        for norm in self.norms:
            zero, *levels = self.run(record, norm, epsilons=(0.0, *EPSILONS[norm])).levels
            clean = images(8)
            assert torch.equal(_judged(zero), clean)
            for level in levels:
                judged = _judged(level)
                change = (judged - clean).double()
                assert (ball(norm, clean, 0).size(change) <= level.epsilon / 255 + SLACK).all()
                assert judged.min() >= 0
                assert judged.max() <= 1
                assert level.counts["outside"] == level.counts["not finite"] == 0

    @pytest.mark.parametrize("mode", list(MODES))
    def test_neighbours_and_batch_size_leave_no_trace(
        self, record: AttackRecord, mode: str
    ) -> None:
        """An outcome is the image's own, whatever images and ε are beside it, to the last bit."""
        for norm in self.norms:
            whole = self.run(record, norm, mode=mode).levels
            parts = self.run(record, norm, mode=mode, batch_size=3).levels
            alone = self.run(record, norm, (7, 1, 5), mode=mode, batch_size=1).levels
            for part, some, level in zip(parts, alone, whole, strict=True):
                _assert_same(part, level)
                _assert_same(some, level, [7, 1, 5])
                assert (part.gradients, part.queries) == (level.gradients, level.queries)
            largest = EPSILONS[norm][-1:]
            if mode == "record":  # other modes say of one ε what another one found
                _assert_same(self.run(record, norm, epsilons=largest).levels[0], whole[-1])

    def test_the_seed_decides(self, record: AttackRecord) -> None:
        """Neither the global random state nor a run before matters, and the state stays."""
        norm = self.norms[0]
        first = self.run(record, norm, seed=3).levels
        torch.manual_seed(1234)
        before = torch.get_rng_state()
        for one, two in zip(first, self.run(record, norm, seed=3).levels, strict=True):
            _assert_same(one, two)
        assert torch.equal(torch.get_rng_state(), before)

    @pytest.mark.parametrize("mode", list(MODES))
    def test_the_network_is_left_as_it_was(self, record: AttackRecord, mode: str) -> None:
        """Weights, buffers, modes, requires_grad and gradients stay."""
        network = self.network().train()
        next(network.children()).eval()
        frozen, kept, *_ = network.parameters()
        frozen.requires_grad_(False)
        kept.grad = torch.ones_like(kept)
        before = copy.deepcopy(network.state_dict())
        modes = [layer.training for layer in network.modules()]
        needs = [weight.requires_grad for weight in network.parameters()]
        self.run(record, self.norms[0], module=network, mode=mode, checks=mode == "record")
        assert [layer.training for layer in network.modules()] == modes
        assert [weight.requires_grad for weight in network.parameters()] == needs
        assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
        assert torch.equal(kept.grad, torch.ones_like(kept))
        rest = [weight.grad for weight in network.parameters() if weight is not kept]
        assert all(gradient is None for gradient in rest)

    def test_a_linear_network_falls_at_the_analytic_optimum_at_the_earliest(
        self, record: AttackRecord
    ) -> None:
        """No margin falls by more than ε times the dual norm; and far beyond some image falls."""
        for norm in self.norms:
            network, inputs, labels, dual = duel(norm, 12)
            grid = [255 * LEAST[norm] * share for share in (0.5, 0.99, 2.0, self.reach)]
            attack = self.attack(record, norm)
            found = evaluate(network, inputs, labels, attack, grid, checks=False)
            assert found.correct.all()
            for level, below in zip(found.levels, (True, True, False, False), strict=True):
                with torch.no_grad():
                    fallen = margin(network(inputs), labels) - margin(
                        network(_judged(level)), labels
                    )
                assert (fallen <= level.epsilon / 255 * dual * (1 + 1e-4) + 1e-5).all()
                assert level.robust.all() or not below
            assert not found.levels[-1].robust.all(), "no image falls: is anything attacked?"

    def test_more_epsilon_never_helps(self, record: AttackRecord) -> None:
        """In mode ``record`` an image that fell falls at a larger ε, but for single ones.

        How many is said by `evaluation.attacks.sanity`; an attack of one step may miss any.
        """
        for norm in self.norms:
            network, inputs, labels, _ = duel(norm, 12)
            grid = [255 * LEAST[norm] * share for share in (1.1, 2.0, 5.0, 10.0, self.reach)]
            warnings = evaluate(network, inputs, labels, self.attack(record, norm), grid).warnings
            assert not [text for text in warnings if text.startswith("not monotone")]

    def test_gradients_are_counted_where_the_record_says_so(self, record: AttackRecord) -> None:
        """An attack that needs none asks for none; one that needs them does."""
        levels = self.run(record, self.norms[0]).levels
        asked = [level.gradients > 0 for level in levels]
        assert any(asked) if record.gradients else not any(asked)
        assert all(level.queries >= level.gradients for level in levels)

    def test_two_classes_and_float64(self, record: AttackRecord) -> None:
        """Two classes are refused before the work or attacked; double precision serves too."""
        for norm in self.norms:
            levels = self.run(record, norm, dtype=torch.float64).levels
            assert _judged(levels[0]).dtype == torch.float64
        norm = self.norms[0]
        two = nn.Sequential(self.network(), nn.Linear(CLASSES, 2)).eval()
        attack, inputs = self.attack(record, norm), images(4)
        with torch.no_grad():
            labels = two(inputs).argmax(1)
        if attack.least_classes > 2:
            with pytest.raises(InputError, match="classes"):
                evaluate(two, inputs, labels, attack, [8.0])
        else:
            assert evaluate(two, inputs, labels, attack, [8.0]).correct.all()


def _judged(level: Level) -> Tensor:
    assert level.images is not None
    return level.images


def _assert_same(one: Level, two: Level, rows: Sequence[int] | slice = slice(None)) -> None:
    for name in SAME:
        assert torch.equal(getattr(one, name), getattr(two, name)[rows]), name
