"""One record an attack: names that all commands take, and what a new attack asks for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.attacks import ATTACKS, make
from evaluation.attacks.assignments import assigned
from evaluation.attacks.names import AttackRecord, attack_named, register
from evaluation.robustness.command import attacks_named, former_settings
from evaluation.search.live import live_target
from evaluation.truths.targets import Target
from testbed.basis.errors import InputError

ROOT = Path(__file__).parent.parent


def python(code: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_names_are_known_without_torch():
    python(
        "import sys, evaluation.attacks.names\n"
        "assert evaluation.attacks.ATTACKS['pgd'].title == 'PGD'\n"
        "assert 'torch' not in sys.modules"
    )


def test_what_the_package_offers_is_there_when_asked_for():
    python(
        "import evaluation.attacks.evaluation\n"
        "from evaluation.attacks import *\n"
        "import evaluation.attacks as package\n"
        "assert callable(evaluate) and make('pgd').name == 'pgd' and 'record' in MODES\n"
        "assert not hasattr(package, 'atack')"
    )


@pytest.mark.parametrize("name", ATTACKS)
def test_record_and_class_say_the_same(name):
    record = ATTACKS[name]
    assert record.kind.name == record.name == name
    for word in record.words:
        assert attack_named(word.upper()) is record
        assert attacks_named(f" {word}") == [name]
        assert live_target(f"{word}@8") == Target(name, "Linf", 8)
        assert type(make(word)) is record.kind


def test_the_aliases_of_the_field_are_known():
    assert [attack_named(word).name for word in ("apgd", "APGD-CE", "aa_apgd-ce", "fab")] == [
        *("apgd-ce", "apgd-ce", "apgd-ce", "fab-t")
    ]
    assert attacks_named("apgd, apgd-ce,pgd") == ["apgd-ce", "pgd"]
    assert attacks_named("all") == list(ATTACKS)


def test_a_mistyped_attack_is_answered_with_the_closest():
    with pytest.raises(InputError, match=r"'sqare'; there are fgsm, .*did you mean 'square'\?"):
        attacks_named("fgsm,sqare")


def test_a_name_belongs_to_one_attack():
    before = list(ATTACKS)
    for record in (
        AttackRecord("pgd", "Other", "", "m:C"),
        AttackRecord("new", "PGD", "", "m:C"),
        AttackRecord("new", "New", "", "m:C", aliases=("apgd",)),
    ):
        with pytest.raises(InputError, match="already"):
            register(record)
    assert list(ATTACKS) == before


def test_settings_have_the_type_of_their_field():
    words = ["square.queries=200", "PGD.step-divisor=30", "apgd.restarts=2", "pgd.random_start=no"]
    attacks = ["square", "pgd", "apgd-ce"]
    with pytest.raises(InputError, match=r"pgd\.random_start is true or false; got 'no'"):
        assigned(words, attacks)
    found = assigned([*words[:3], "pgd.random_start=False", "pgd.steps=7"], attacks)
    assert found == {
        "square": {"queries": 200},
        "pgd": {"step_divisor": 30.0, "random_start": False, "steps": 7},
        "apgd-ce": {"restarts": 2},
    }
    assert type(found["pgd"]["step_divisor"]) is float
    assert assigned(["pgd.step_divisor=none"], ["pgd"]) == {"pgd": {"step_divisor": None}}
    assert make("pgd", **found["pgd"]).settings()["steps"] == 7


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["queries=3"], "attack.setting=value, square.queries=200 for instance; got 'queries=3'"),
        (["square.queries"], "attack.setting=value"),
        (["sqare.queries=3"], "did you mean 'square'?"),
        (["square.querys=3"], "it has queries=5000, p_init=0.8 (did you mean 'queries'?)"),
        (["square.norm=L2"], "square has no setting 'norm'"),
        (["square.queries=1.5"], "square.queries is a whole number; got '1.5'"),
        (["square.p_init=x"], "square.p_init is a finite number; got 'x'"),
        (["square.queries=none"], "a whole number"),
        (["pgd.steps=3"], "pgd is none of the attacks (square)"),
        (["square.queries=3", "square.queries=4"], "given twice: 3 and 4"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(words, answer):
    with pytest.raises(InputError) as refused:
        assigned(words, ["square"])
    assert answer in str(refused.value)


def test_the_options_of_before_set_mean_what_they_did():
    given = {"apgd.steps": 12, "apgd.restarts": None, "square.queries": 40, "pgd.steps": 6}
    attacks = ["pgd", "apgd-ce", "apgd-t"]
    assert assigned(list(former_settings(given, attacks)), attacks) == {
        "pgd": {"steps": 6}, "apgd-ce": {"steps": 12}, "apgd-t": {"steps": 12}
    }  # fmt: skip


MADE_UP = """
from dataclasses import dataclass
from typing import ClassVar

import pandas as pd

from evaluation.attacks.base import Attack
from evaluation.attacks.names import AttackRecord, register
from evaluation.attacks.settings import count

@dataclass(frozen=True)
class Noise(Attack):
    tries: int = count(3)
    name: ClassVar[str] = "noise"

    def propose(self, *_, **__):
        raise NotImplementedError

register(AttackRecord("noise", "Noise", "uniform noise", "__main__:Noise"))
"""


def test_a_new_attack_is_one_class_and_one_record():
    output = python(
        MADE_UP
        + """
import evaluation.correlate, evaluation.report.__main__, evaluation.search.command
from evaluation.attacks.assignments import assigned
from evaluation.report.figures.boxes import attack_boxes
from evaluation.robustness.command import app, attacks_named
from evaluation.robustness.cross_checks import cross_warnings
from evaluation.robustness.measures import attack_measures
from evaluation.search.live import live_measures
from evaluation.truths.targets import Target

settings = assigned(["noise.tries=5"], attacks_named("NOISE"))
(measure,) = attack_measures(["noise"], "L2", None, settings)
assert (measure.key, len(measure.levels), measure.attack.tries) == ("noise@L2", 7, 5)
assert live_measures(["noise@8"], {})[0].key == "noise@Linf"
table = pd.DataFrame({"clean": [0.9, 0.8], "noise@1": [0.5, 0.25], "fgsm@1": [0.5, 0.1]})
titles = [panel.get_title() for panel in attack_boxes(table, None).axes]
assert titles == ["Noise", "FGSM"], titles
assert str(Target.of_measure("noise@L2", 1)) == "Noise@1 (ℓ2)"
from typer.testing import CliRunner
print(CliRunner().invoke(app, ["--help"]).output)
"""
    )
    assert "noise: uniform noise" in " ".join(output.split())
