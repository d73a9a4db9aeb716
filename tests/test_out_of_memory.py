"""A device without memory for a part of the batch: halves give the same, to the last bit."""

import math
from itertools import chain

import pytest
import torch
from torch import nn

from evaluation.attacks import evaluate, make
from evaluation.attacks.judge import predict
from evaluation.attacks.original import Original
from proxies.scoring import score
from testbed.networks.fast import fast_copy
from testbed.networks.memory import in_parts, out_of_memory
from tests.thorough import some

IMAGES = torch.rand(40, 3, 8, 8, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(40) % 5
MESSAGE = "CUDA out of memory. Tried to allocate 2.00 GiB."


class Tight(nn.Module):
    """Has memory for so many images at a time, of those whose graph is kept or of all."""

    most, graphs_only, raised = 10**9, True, 0

    def forward(self, x):
        if len(x) > Tight.most and (x.requires_grad or not Tight.graphs_only):
            Tight.raised += 1
            raise torch.OutOfMemoryError(MESSAGE)
        return x


@pytest.fixture(autouse=True)
def ample(monkeypatch):
    monkeypatch.setattr(Tight, "raised", 0)


def network(bend: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), bend, nn.Conv2d(4, 4, 1), Tight(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 5),
    )  # fmt: skip


def scored(name: str, bend: nn.Module):
    return score(network(bend), IMAGES[:18], LABELS[:18], [name])[name]


CHUNKED = [
    *((name, nn.ReLU()) for name in (
        "jacobian_norm", "jacobian_projection", "jacov", "hessian_input", "clever",
        "jacobian_spectrum",
    )),
    *((name, nn.GELU()) for name in ("hessian_input", "hessian_input_trace", "curvature")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "bend"), some(CHUNKED, 5))
def test_a_proxy_goes_on_with_smaller_parts_to_the_same_score(name, bend, monkeypatch):
    whole = scored(name, bend)
    monkeypatch.setattr(Tight, "most", 5)
    parts = scored(name, bend)
    assert Tight.raised, "it took no more than there was, and nothing was tried"
    assert not parts.failed, parts.reason
    assert (parts.value, parts.reason, parts.details, parts.iterations) == (
        whole.value, whole.reason, whole.details, whole.iterations,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["jacobian_norm", "grad_norm", "linear_regions", "hessian_params"])
def test_where_no_smaller_part_helps_it_is_a_failure_and_no_score(name, monkeypatch):
    monkeypatch.setattr(Tight, "most", 3)
    found = scored(name, nn.ReLU())
    assert found.failed
    assert math.isnan(found.value)
    assert MESSAGE.rstrip(".") in str(found.reason)


def test_a_trick_is_not_given_up_for_lack_of_memory(monkeypatch):
    calm = network(nn.ReLU()).eval()
    assert not fast_copy(calm, IMAGES).given_up
    monkeypatch.setattr(Tight, "most", 0)
    monkeypatch.setattr(Tight, "graphs_only", False)
    with pytest.raises(Exception, match="out of memory"):
        fast_copy(calm, IMAGES)


@pytest.mark.parametrize(
    ("name", "mode"),
    some([("square", "descending"), ("apgd-ce", "accuracy"), ("pgd", "record")], 1),
)
def test_an_attack_goes_on_with_smaller_batches_to_the_same_outcomes(name, mode, monkeypatch):
    settings = {"square": {"queries": 20}}.get(name, {"steps": 3})
    subject, attack = network(nn.ReLU()).eval(), make(name, "Linf", **settings)

    def run():
        return evaluate(subject, IMAGES, LABELS, attack, [4, 16], mode=mode)

    whole = run()
    monkeypatch.setattr(Tight, "most", 17)
    monkeypatch.setattr(Tight, "graphs_only", False)
    parts = run()
    assert Tight.raised
    assert torch.equal(parts.correct, whole.correct)
    for one, other in zip(parts.levels, whole.levels, strict=True):
        assert torch.equal(one.robust, other.robust)
        assert torch.equal(one.label_confidence, other.label_confidence)
        assert (one.queries, one.gradients, one.counts) == (
            other.queries, other.gradients, other.counts,
        )  # fmt: skip
    monkeypatch.setattr(Tight, "most", 15)  # kernels get 16 rows at least
    with pytest.raises(Exception, match="out of memory"):
        run()


def test_an_attack_that_looks_at_the_whole_batch_is_not_halved(monkeypatch):
    monkeypatch.setattr(Original, "propose", lambda *given, **others: (_ for _ in ()).throw(
        torch.OutOfMemoryError(MESSAGE)
    ))  # fmt: skip
    calls = []
    monkeypatch.setattr(Original, "notes", lambda *given: calls.append(1) or [])
    with pytest.raises(torch.OutOfMemoryError):
        evaluate(network(nn.ReLU()).eval(), IMAGES, LABELS, Original(), [4], checks=False)


def test_a_prediction_goes_on_with_smaller_batches(monkeypatch):
    subject = network(nn.ReLU()).eval()
    whole = predict(subject, IMAGES, 40)
    monkeypatch.setattr(Tight, "most", 16)
    monkeypatch.setattr(Tight, "graphs_only", False)
    assert torch.equal(predict(subject, IMAGES, 40), whole)


def test_parts_are_halved_once_and_stay_so():
    seen = []

    def work(part):
        seen.append(part.stop - part.start)
        if seen[-1] > 3:
            raise MemoryError
        return list(range(20))[part]

    assert list(chain.from_iterable(in_parts(20, 10, work))) == list(range(20))
    assert seen == [10, 5, *[3] * 6, 2]
    with pytest.raises(MemoryError):
        list(in_parts(20, 10, work, least=5))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError(MESSAGE), True),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
            True,
        ),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), True),
        (RuntimeError("shapes cannot be multiplied"), False),
        (ValueError("out of memory is what I called it"), False),
        (None, False),
    ],
)
def test_a_lack_of_memory_is_known_by_its_class_or_words(error, expected):
    assert out_of_memory(error) is expected
    wrapped = ValueError("the network fails")
    wrapped.__cause__ = error
    assert out_of_memory(wrapped) is expected
