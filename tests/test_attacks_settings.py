"""Settings that make no sense are refused when an attack is made, in one sentence."""

import math
import re

import pytest

from evaluation.attacks import make
from evaluation.attacks.apgd import APGDCE, APGDDLR, APGDT
from evaluation.attacks.ensemble import Standard
from evaluation.attacks.fab import FABT
from evaluation.attacks.original import Original
from evaluation.attacks.pgd import FGSM, PGD
from evaluation.attacks.square import Square

COUNTS = [
    (APGDCE, "steps"), (APGDCE, "restarts"), (APGDDLR, "steps"), (APGDT, "restarts"),
    (APGDT, "target_classes"), (FABT, "steps"), (FABT, "target_classes"), (PGD, "steps"),
    (Square, "queries"), (Standard, "steps"), (Standard, "queries"), (Original, "restarts"),
    (Original, "queries"),
]  # fmt: skip
CLASSES = [FGSM, PGD, APGDCE, APGDDLR, APGDT, FABT, Square, Standard, Original]


@pytest.mark.parametrize(("kind", "field"), COUNTS)
@pytest.mark.parametrize("value", [0, -1, True, 2.5, 3.0, "3", None, math.nan])
def test_a_count_is_a_whole_number_from_one(kind, field, value):
    message = f"{kind.name} takes for {field} a whole number of at least 1, and got {value!r}: "
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        kind(**{field: value})
    assert f"or leave {field} out for {kind.__dataclass_fields__[field].default}" in str(caught)
    assert getattr(kind(**{field: 1}), field) == 1


@pytest.mark.parametrize("value", [0, -0.1, 1.01, math.nan, math.inf, True, "0.5", None])
def test_the_first_squares_cover_a_share_of_the_pixels(value):
    with pytest.raises(ValueError, match="p_init a finite number above 0 and at most 1, and got"):
        Square(p_init=value)
    assert Square(p_init=1).p_init == 1


@pytest.mark.parametrize("value", [0, -30.0, math.nan, math.inf, True, "16"])
def test_a_step_is_a_part_of_epsilon(value):
    with pytest.raises(ValueError, match="step_divisor a finite number above 0, and got"):
        PGD(step_divisor=value)
    assert [PGD(norm).step_divisor for norm in ("Linf", "L2")] == [16, 8]


def test_flags_and_members_are_named():
    with pytest.raises(ValueError, match="random_start True or False, and got 'no'"):
        PGD(random_start="no")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"member one of apgd-ce, .*autoattack, and got 'fgsm'"):
        Original(member="fgsm")


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("norm", ["L1", "linf", "", None, 2])
def test_an_unknown_norm_is_named_by_every_class(kind, norm):
    with pytest.raises(ValueError, match="takes for norm one of Linf, L2, and got"):
        kind(norm=norm)


def test_the_table_of_attacks_refuses_them_too():
    pytest.importorskip("pyautoattack")
    for backend in ("own", "original"):
        with pytest.raises(ValueError, match="queries a whole number of at least 1, and got 0"):
            make("square", backend=backend, queries=0)
