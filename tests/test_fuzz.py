"""A sample of the malformed inputs; ``make fuzz`` runs all of them."""

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.truths.targets import Target as Accuracy
from testbed.basis.errors import ToolkitError
from testbed.files.strict_json import parse_json
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.selection import select
from testbed.store import StoreError
from testbed.store.canonical import canonical_json, recanonical
from tests.fuzz import driver
from tests.fuzz.__main__ import main
from tests.fuzz.child import make_input, verdict
from tests.fuzz.driver import Outcome, feed
from tests.fuzz.target import Target, all_targets
from tests.thorough import some

SAMPLE = 8
SOME = some(list(all_targets()), 19)


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    return {outcome.name: outcome for outcome in feed(SOME, 0, SAMPLE)}


@pytest.mark.parametrize("name", SOME)
def test_malformed_inputs_are_refused_or_read_well(name, outcomes):
    assert outcomes[name].faults == []
    assert sum(outcomes[name].counts.values()) == SAMPLE


def toy(read, check=lambda result: None):
    def write(folder: Path):
        (folder / "a.json").write_text('{"a": [1, 2, 3]}')
        return [folder / "a.json"]

    return Target("toy", write, read, check)


def test_an_input_depends_on_its_number_alone(tmp_path):
    made = []
    for which in ("one", "two"):
        (seeds := tmp_path / which / "seeds").mkdir(parents=True)
        (place := tmp_path / which / "input").mkdir()
        target = toy(Path.read_bytes)
        path = make_input(target, list(target.make_seed_files(seeds)), 7, place)
        made.append(path.read_bytes())
    assert made[0] == made[1] != b'{"a": [1, 2, 3]}'


def raising(error):
    def read(path):
        raise error

    return read


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (toy(raising(KeyError("a"))), "KeyError"),
        (toy(raising(ValueError("a"))), "ValueError"),
        (toy(lambda path: -1, lambda result: raising(AssertionError("negative"))(0)), "negative"),
    ],
)
def test_what_is_not_documented_or_wrong_is_a_fault(tmp_path, target, said):
    kind, what = verdict(target, tmp_path)
    assert kind == "fault"
    assert said in what


def test_an_unknown_target_is_an_error(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["fuzz", "nobody"])
    assert main() == 2
    assert "no target nobody" in capsys.readouterr().err


def test_a_child_that_dies_costs_one_input_and_the_next_targets_are_read(monkeypatch):
    """Of two targets, the first one's input 1 ends the process."""
    said = iter(
        [
            [("a", 0, "begun", ""), ("a", 0, "read", ""), ("a", 1, "begun", ""),
             ("a", 3, "ended", "dead")],
            [("a", 2, "begun", ""), ("a", 2, "refused", ""), ("b", 0, "begun", ""),
             ("b", 3, "ended", "dead")],
            [("b", 1, "read", ""), ("b", 2, "read", ""), ("b", 3, "ended", "well")],
        ]
    )  # fmt: skip
    begun = []

    def child(names, number, first, last):
        begun.append((list(names), number))
        return next(said)

    monkeypatch.setattr(driver, "_child", child)
    first, second = driver.feed(["a", "b"], 0, 3)
    assert begun == [(["a", "b"], 0), (["a", "b"], 2), (["b"], 1)]
    assert (first.faults, second.faults) == ([(1, "dead")], [(0, "dead")])
    assert first.counts == {"read": 1, "fault": 1, "refused": 1}
    assert second.counts == {"read": 2, "fault": 1}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(value=VALUES)
def test_any_json_is_read_as_it_is_or_refused(value):
    text = json.dumps(value)
    assert repr(parse_json(text, "it", constants=True)) == repr(json.loads(text))
    finite = text.translate(str.maketrans("", "", " ")) if isinstance(value, dict) else None
    try:
        again = recanonical(text)
    except StoreError:
        assert finite is None or "NaN" in text or "Infinity" in text
    else:
        assert again == canonical_json(value) == recanonical(again)


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=30), parse=st.sampled_from([Accuracy.parse, Genotype.parse, select]))
def test_any_word_is_read_or_refused_in_bounds(text, parse):
    said = ""
    try:
        parse(text)
    except ToolkitError as error:
        said = str(error)
    assert said.replace("\n", "").isprintable()
