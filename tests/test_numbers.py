import math

import pytest

from testbed.command.numbers import (
    LATEX,
    PAGE,
    TERMINAL,
    decimal,
    general,
    p_value,
    percent,
)  # fmt: skip


@pytest.mark.parametrize(
    ("spelling", "value", "error", "text"),
    [
        (TERMINAL, 0.6081, 0.0052, "+.608±.005"),
        (TERMINAL, -0.0954, 0.0091, "-.095±.009"),
        (TERMINAL, 1.0, None, "+1.000"),
        (TERMINAL, 0.6081, math.nan, "+.608"),
        (TERMINAL, 0.0, 0.0, "+.000±.000"),
        (TERMINAL, -1e-5, None, "-.000"),
        (PAGE, -0.0954, 0.0091, "−.095±.009"),
        (PAGE, -1.25, None, "−1.250"),
        (PAGE, None, None, "–"),
        (LATEX, -0.0954, 0.0091, r"$-.095 \pm .009$"),
        (LATEX, 1.0, None, "$+1.000$"),
        (LATEX, math.nan, 0.1, "--"),
    ],
)
def test_a_correlation_is_spelt_as_its_document_does(spelling, value, error, text):
    assert spelling.signed(value, error) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.574, ".57"), (-0.07, "−.07"), (1.0, "1.00"), (-0.001, ".00"), (0.0, ".00"), (-1, "−1.00")],
)
def test_a_correlation_without_plus_has_no_sign_where_it_rounds_to_zero(value, text):
    assert PAGE.unsigned(value, digits=2) == text


def test_p_values_are_in_three_decimals_or_small():
    assert [p_value(p) for p in (1.0, 0.0123, 0.001, 0.0009, 0.0, math.nan)] == [
        "1.000", ".012", ".001", "< .001", "< .001", "–"
    ]  # fmt: skip


def test_decimals_and_per_cents_are_fixed():
    assert decimal(91.234, error=0.05) == "91.23±0.05"
    assert decimal(0.5, 3, math.inf) == "0.500"
    assert [decimal(-math.inf), decimal(None), percent(math.nan), percent(None)] == ["–"] * 4
    assert (percent(0.91234), percent(0.91234, 1), percent(1.0, 0)) == ("91.23", "91.2", "100")


def test_whole_numbers_are_in_full_and_others_in_digits():
    values = (73306.0, -4.0, 0.0, 0.0123456, 1234.56, 1e12, math.inf, math.nan)
    texts = ["73,306", "-4", "0", "0.0123", "1.23e+03", "1e+12", "–", "–"]
    assert [general(value) for value in values] == texts
    assert general(1234.56, 4) == "1235"
