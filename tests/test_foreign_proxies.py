# ruff: noqa: NPY002 - the global generators of numpy are what is tested
"""Proxies of others that keep no promise: their faults are theirs alone, and are said in words."""

import functools
import math
import random
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import proxies
from proxies import ProxySpec, Score
from proxies.compute import app
from proxies.testing import ProxyContract, batch, small_network
from testbed.basis import plugins
from testbed.basis.errors import InputError
from testbed.catalogue.registry import PROXIES
from testbed.networks.modes import kept_settings
from testbed.store import read_scores

IMAGES, LABELS = batch(6)


@pytest.fixture
def made():
    """A maker of proxies that are forgotten afterwards."""
    names = []

    def make(function, name="theirs", **record):
        names.append(name)
        spec = ProxySpec(name, function, "-", "-", "higher", "-", **record)
        return proxies.register(spec)

    yield make
    for name in names:
        PROXIES.pop(name, None)


def scores(*names, network=None):
    return proxies.score(network or small_network(), IMAGES, LABELS, names)


def summed(probe):
    with torch.no_grad():
        return Score(float(probe.network(probe.images).sum()))


@functools.cache
def alone(name):
    return scores(name)[name].value


def doubled(probe):
    with torch.no_grad():
        next(probe.network.parameters()).mul_(2)


def replaced(probe):
    for parameter in probe.network.parameters():
        parameter.data = parameter.data * 2


def hooked(probe):
    probe.network.register_forward_hook(lambda module, images, logits: 2 * logits)


def recorded(probe):
    with torch.no_grad():
        next(probe.tape.network.parameters()).mul_(2)


def frozen(probe):
    probe.network[0].weight.requires_grad_(False)


def rebuilt(probe):
    probe.network.append(nn.Softmax(1))


def test_one_that_changes_what_all_share_fails_and_harms_no_other(made):
    changes = [
        ("the weights or buffers", doubled),
        ("the weights or buffers", replaced),
        ("the weights or buffers", recorded),
        ("the hooks", hooked),
        ("the modes", lambda probe: probe.network.train()),
        ("which weights require a gradient", frozen),
        ("the layers", rebuilt),
        ("the images", lambda probe: probe.images.mul_(0.5)),
        ("the gradients", lambda probe: probe.module(probe.images).sum().backward()),
    ]
    made(summed, "last")
    names = [f"theirs{place}" for place in range(len(changes))]
    for name, (_, change) in zip(names, changes, strict=True):
        made(lambda probe, change=change: (change(probe), Score(1.0))[1], name)
    found = scores(*names, "grad_norm", "last")
    assert list(found) == [*names, "grad_norm", "last"]
    for name, (what, _) in zip(names, changes, strict=True):
        assert found[name].failed
        assert f"it changed {what}" in str(found[name].reason)
    assert found["grad_norm"].value == alone("grad_norm")
    assert found["last"].value == scores("last")["last"].value


def test_gradients_of_one_are_not_added_to_those_of_the_next(made):
    def backward(probe):
        torch.nn.functional.cross_entropy(probe.network(probe.images), probe.labels).backward()
        return Score(float(sum(p.grad.norm() for p in probe.network.parameters())))

    needs = ("images", "labels", "gradients")
    made(backward, "one", needs=needs)
    made(backward, "two", needs=needs)
    found = scores("one", "two")
    assert not found["one"].failed
    assert found["one"].value == found["two"].value


def test_settings_of_the_process_are_put_back(made):
    threads = torch.get_num_threads()

    def settle(probe):
        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(threads + 1)
        torch.use_deterministic_algorithms(True, warn_only=True)
        nn.modules.module.register_module_forward_hook(lambda module, images, result: result * 2)
        return Score(1.0)

    made(settle)
    with kept_settings():
        found = scores("theirs", "nwot")
        assert torch.get_default_dtype() == torch.float32
        assert torch.get_num_threads() == threads
        assert not torch.are_deterministic_algorithms_enabled()
        assert not nn.modules.module._global_forward_hooks
    assert found["theirs"].value == 1
    assert found["nwot"].value == alone("nwot")


def test_draws_of_every_generator_are_those_of_the_key_and_leave_no_trace(made):
    made(lambda probe: Score(random.random() + np.random.rand() + float(torch.rand(()))))
    random.seed(1)
    np.random.seed(1)
    expected = random.random(), np.random.rand()
    random.seed(1)
    np.random.seed(1)
    first = scores("theirs")["theirs"].value
    assert (random.random(), np.random.rand()) == expected
    assert scores("theirs")["theirs"].value == first


def test_what_is_no_score_is_a_failure_of_its_own(made):
    returned: list[tuple[Any, str]] = [
        (None, "it returned None; a proxy returns a proxies.Score"),
        (3, "it returned an int"),
        (torch.ones(3), "it returned a Tensor of shape (3,)"),
        (Score(cast(Any, 1 + 2j)), "one real number; got a complex"),
        (Score(cast(Any, torch.ones(3))), "one real number; got a Tensor of shape (3,)"),
        (Score(cast(Any, "3")), "one real number; got a str"),
        (Score(1.0, reason=cast(Any, 3)), "reason of a score is text or None; got an int"),
        (Score(1.0, details=cast(Any, [3])), "details of a score are a dict; got a list"),
        (Score(1.0, details={"x": object()}), "details of a score are JSON values"),
    ]
    names = [f"theirs{place}" for place in range(len(returned))]
    for name, (thing, _) in zip(names, returned, strict=True):
        made(lambda probe, thing=thing: thing, name)
    found = scores(*names, "params")
    assert found["params"].value == alone("params")
    for name, (_, message) in zip(names, returned, strict=True):
        assert found[name].failed
        assert message in str(found[name].reason)


def test_one_real_number_of_any_kind_is_a_float(made):
    values: dict[str, Any] = {"one": torch.tensor(2.5), "two": np.float32(2.5), "three": 2.5}
    for name, value in values.items():
        made(lambda probe, value=value: Score(value), name)
    found = scores(*values)
    assert [(type(one.value), one.value) for one in found.values()] == [(float, 2.5)] * 3


def test_one_that_ends_the_process_does_not(made):
    def leave(probe):
        raise SystemExit(3)

    made(leave)
    found = scores("theirs", "params")
    assert found["theirs"].reason == "failed: SystemExit: 3"
    assert found["params"].value == alone("params")


def test_what_a_record_does_not_name_is_not_given_away(made):
    asked = [
        ((), lambda probe: probe.images, "images"),
        ((), lambda probe: probe.network, "images"),
        ((), lambda probe: probe.tape, "images"),
        (("images",), lambda probe: probe.labels, "labels"),
        (("images",), lambda probe: probe.loss_gradients, "labels"),
    ]
    for place, (needs, asks, missing) in enumerate(asked):
        function = lambda probe, asks=asks: (asks(probe), Score(1.0))[1]  # noqa: E731
        made(function, f"without{place}", needs=needs)
        made(function, f"with{place}", needs=("images", missing)[-1 - len(needs) :])
    found = scores("grad_norm", *(name for name in PROXIES if name.startswith("with")))
    for place, (_, _, missing) in enumerate(asked):  # grad_norm has made the shared work
        refused, given = found[f"without{place}"], found[f"with{place}"]
        assert refused.failed
        assert f"depends on the {missing}" in str(refused.reason)
        assert given.value == 1, given.reason


def test_a_function_that_is_none_is_refused():
    with pytest.raises(InputError, match="its function takes a probe and returns a score; got 3"):
        ProxySpec("theirs", 3, "-", "-", "higher", "-")  # type: ignore[arg-type]


OPTIONS = """
from proxies import ProxySpec, Score
def batch(probe, **options): return Score(1.0)
ONE = ProxySpec("one", batch, "-", "-", "higher", "-", options={"batch": 16, "dtype": "half"})
TWO = ProxySpec("two", batch, "-", "-", "higher", "-", options={"sizes": (1, 2)})
"""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--proxy", "own_options:ONE"], "one has an option named batch, dtype, which stands in"),
        (["--proxy", "own_options:TWO", "--set", "two.sizes=12"], "two.sizes is a tuple"),
    ],
)
def test_options_that_a_key_or_a_command_cannot_hold_are_refused(
    tmp_path, monkeypatch, words, message
):
    (tmp_path / "own_options.py").write_text(OPTIONS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(plugins, "_distributions", dict)  # a search of seconds
    result = CliRunner().invoke(app, [*words, "--archs", "0", "--channels", "1", "--cells", "1"])
    PROXIES.pop("one", None)
    PROXIES.pop("two", None)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_a_run_of_undefined_scores_alone_says_why(tmp_path):
    store = tmp_path / "scores.sqlite"
    size = ["--archs", "0", "--channels", "1", "--cells", "1", "--workers", "1"]
    words = ["--proxies", "zico", "--set", "zico.parts=90", "--batch-size", "8"]
    result = CliRunner().invoke(app, [*size, *words, "--store", str(store)])
    assert result.exit_code == 0, result.output
    assert "give at least 90 images" in " ".join(result.output.split())
    assert read_scores(store)["value"].isna().all()


def counted(calls=[0]):  # noqa: B006 - a state of its own is the fault
    def count(probe):
        calls[0] += 1
        return Score(float(calls[0]))

    return count


def labelled(probe):
    return Score(0.0 if probe.given_labels is None else float(probe.given_labels.sum()))


def budgeted(probe):
    return Score(float(probe.memory))


def unlearned(probe):
    return Score(math.nan)


BROKEN = [
    (counted(), "test_a_score_is_defined_timed_and_repeatable", "probe.generator"),
    (counted(), "test_what_ran_before_does_not_matter", "probe.generator"),
    (labelled, "test_labels_matter_only_where_the_record_says_so", "'labels'"),
    (budgeted, "test_the_memory_budget_does_not_matter", "memory budget"),
    (counted(), "test_odd_networks_have_a_score_or_a_reason", "UndefinedError"),
    (unlearned, "test_batch_statistics_are_allowed_or_refused", "independent=True"),
]


@pytest.mark.parametrize(("function", "promise", "words"), BROKEN)
def test_the_contract_says_in_words_what_is_broken(made, function, promise, words):
    """Its asserts are not rewritten by pytest where the package is installed."""

    class Theirs(ProxyContract):
        pass

    spec = made(function)
    more = {"kind": "nan"} if "odd" in promise else {}
    with pytest.raises(AssertionError, match=words):
        getattr(Theirs(), promise)(spec, **more)
