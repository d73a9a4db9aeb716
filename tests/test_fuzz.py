"""A sample of the malformed inputs; ``make fuzz`` runs all of them."""

import json
import subprocess
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
from tests.fuzz.child import make_input, verdict
from tests.fuzz.driver import feed
from tests.fuzz.target import Target, all_targets

SAMPLE = 25


@pytest.mark.parametrize("name", all_targets())
def test_malformed_inputs_are_refused_or_read_well(name, tmp_path):
    outcome = feed(name, 0, SAMPLE)
    assert outcome.faults == []
    assert sum(outcome.counts.values()) == SAMPLE


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


def test_an_unknown_target_is_an_error():
    words = [sys.executable, "-m", "tests.fuzz", "nobody"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no target nobody" in done.stderr


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
