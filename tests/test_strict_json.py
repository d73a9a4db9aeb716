import json
import math
import os

import pytest

from testbed.basis.errors import InputError, ToolkitError
from testbed.basis.ranges import COUNT, EPSILON, FRACTION, PERCENT, SECONDS, first_twice
from testbed.files.strict_json import DEEPEST, parse_json, read_json

VALUES = [
    {"a": [1, 2.5, None, True, "τ"]},
    [],
    "x",
    2**63 - 1,
    -(2**63),
    {"": {"": 0}},
    "\U0001f600",
]


@pytest.mark.parametrize("value", VALUES)
def test_what_json_holds_is_read(tmp_path, value):
    path = tmp_path / "a.json"
    path.write_text("\ufeff" + json.dumps(value), encoding="utf-8")
    assert read_json(path) == value


FAULTS = {
    "a key twice": ('{"a": 1, "b": {"c": 1, "c": 1}}', "key of an object once, found 'c' twice"),
    "an escaped key twice": (r'{"a": 1, "\u0061": 2}', "found 'a' twice"),
    "NaN": ('{"a": NaN}', "expected finite numbers, found NaN"),
    "an infinity": ("[-Infinity]", "found -Infinity"),
    "beyond doubles": ("[1e999]", "found 1e999"),
    "digits": ("9" * 400, r"at most 300 digits, found 9{24}… \(400 characters\)"),
    "many digits": ("9" * 5000, "at most 300 digits"),
    "deep": ("[" * 200_000 + "]" * 200_000, f"at most {DEEPEST} levels"),
    "not so deep": ('{"a":' * 51 + "1" + "}" * 51, f"at most {DEEPEST} levels"),
    "half a pair": (r'["\ud800"]', "half a surrogate pair"),
    "cut": ('{"a": [1', r"or cut short: .* at line 1, column 9 \(character 8 of 8\)"),
    "empty": ("", "is not JSON"),
    "two": ("1 2", "Extra data"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_strict_json_is_the_callers_error(tmp_path, fault):
    text, message = FAULTS[fault]
    (path := tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_json(path, InputError)
    assert str(caught.value).startswith(str(path))
    assert len(str(caught.value)) < 300 + len(str(path))
    with pytest.raises(ToolkitError, match=message):
        parse_json(text, "settings")


def test_as_deep_as_is_said():
    parse_json("[" * DEEPEST + "]" * DEEPEST, "it")


def test_constants_are_read_where_they_are_allowed():
    nan, infinite, beyond = parse_json("[NaN, Infinity, 1e999]", "it", constants=True)
    assert math.isnan(nan)
    assert infinite == beyond == math.inf
    with pytest.raises(ToolkitError, match="twice"):
        parse_json('{"a": NaN, "a": 1}', "it", constants=True)


def test_a_large_file_is_not_read(tmp_path):
    (path := tmp_path / "a.json").write_text("[1, 2, 3]")
    with pytest.raises(InputError, match=r"has 9 bytes: expected at most 8"):
        read_json(path, InputError, most=8)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(path := tmp_path / "a.json")
    with pytest.raises(InputError, match="expected a file"):
        read_json(path, InputError)


@pytest.mark.parametrize("name", ["", "missing.json", "\0"])
def test_what_is_no_file_is_an_error(tmp_path, name):
    with pytest.raises(InputError, match="cannot be read"):
        read_json(tmp_path / name, InputError)


def test_other_encodings_are_an_error(tmp_path):
    (path := tmp_path / "a.json").write_bytes('{"é": 1}'.encode("utf-16"))
    with pytest.raises(InputError, match="expected UTF-8"):
        read_json(path, InputError)


INSIDE = {
    FRACTION: (0, 1, 0.5, 0.0, -0.0),
    PERCENT: (0, 100, 91.79),
    EPSILON: (0, 0.1, 255.0, 765),
    COUNT: (0, 5, 2**63 - 1),
    SECONDS: (0, 1e9),
}
NEVER = (True, False, None, "1", math.nan, math.inf, -math.inf, -1, -1e-9, 10**400, [1])


@pytest.mark.parametrize("kind", INSIDE, ids=lambda kind: kind.words)
def test_ranges(kind):
    assert all(map(kind.holds, INSIDE[kind]))
    assert [value for value in NEVER if kind.holds(value)] == []
    assert not FRACTION.holds(1.0000001)
    assert not PERCENT.holds(100.1)
    assert not COUNT.holds(1.0)
    assert not COUNT.holds(2**63)


def test_the_first_that_was_there():
    assert first_twice([1, 2.0, 3, 2]) == 2
    assert first_twice("abc") is None
