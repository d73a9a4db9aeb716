import pytest

from testbed.basis.foreign_text import described, quoted, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain τ", "plain τ"),
        ("it's", "it's"),
        ("a\n\x1b[31m\0", r"a\n\x1b[31m\x00"),
        ("\u202ea\ud800\ufeff", r"\u202ea\ud800\ufeff"),
        ("x" * 200, "x" * 200),
        ("x" * 5000, "x" * 200 + "… (5,000 characters)"),
    ],
)
def test_text_is_cleaned_and_cut(text, expected):
    assert shown(text) == expected


@pytest.mark.parametrize("text", ["\0" * 5000, "\0" * 150, "'\"" * 300, "x" * 201])
def test_no_text_is_long_or_obeyed(text):
    for said in (shown(text), quoted(text)):
        assert len(said) < 240
        assert said.isprintable()


def test_quotes_are_as_python_has_them():
    assert quoted("a'b\n") == repr("a'b\n")
    assert quoted("x" * 300).endswith("x…' (300 characters)")


class Loud:
    def __repr__(self):
        raise AssertionError("it was asked for")


def doubled(times):
    value = ["x"]
    for _ in range(times):
        value = [value, value]
    return value


def test_values_are_described_without_being_asked():
    assert described({"a": 1, "b\n": 2}) == r"the keys 'a', 'b\n'"
    assert described({}) == "no keys"
    assert described(dict.fromkeys("abcde")) == "the keys 'a', 'b', 'c', 'd', …"
    assert described([0.5]) == "[0.5]"
    assert described((1, "b")) == "(1, 'b')"
    assert described([Loud(), *range(9)]) == "[a Loud, 0, 1, 2, …]"
    assert described(10**400) == "an integer of 1,329 bits"
    assert described(10**9000).startswith("an integer of")
    assert len(described(doubled(40))) < 200
    assert described(True) == "True"
