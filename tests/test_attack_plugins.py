"""Attacks from elsewhere: the documented lines, a module of a user's, an installed package."""

import importlib.metadata
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from evaluation.attacks import ATTACKS, AttackRecord, evaluate, make, names, plugins, register
from evaluation.attacks.plugins import load, offered
from evaluation.attacks.testing import AttackContract
from evaluation.report.citations import _entry
from evaluation.report.figures.boxes import attack_boxes
from evaluation.robustness.command import app
from evaluation.robustness.cross_checks import cross_warnings
from evaluation.robustness.measures import attack_measures
from evaluation.robustness.summary import compare_attacks
from evaluation.search.live import live_measures
from evaluation.truths.published import Truth
from evaluation.truths.targets import Target
from testbed.basis import plugins as loading
from testbed.basis.errors import InputError
from testbed.networks.modes import kept_settings
from testbed.store import Store, read_robustness
from testbed.train.command import app as train
from tests.attack_networks import Linear, inner_images
from tests.thorough import thorough
from tests.truth_folder import write_table, write_truth

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs" / "attacks.md").read_text(encoding="utf-8")
LINES, TESTS = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
BROKEN = """
from mine import *
import dataclasses
from evaluation.attacks import Attack, AttackRecord as R, count
NOT_ONE = 3
def record(where, name="other", **more):
    return R(name, name.title(), "", f"bad:{where}", **more)
class Bare(Attack):
    tries: int = count(3)
    name = "other"
    def propose(self, *_): ...
class Misnamed(Noise):
    name = "another"
@dataclasses.dataclass(frozen=True)
class Unfinished(Attack):
    name = "other"
@dataclasses.dataclass(frozen=True)
class Odd(Noise):
    name = "other"
    sizes: list = ()
@dataclasses.dataclass(frozen=True)
class Counting(Noise):
    name = "other"
    count: int = 3
BARE, MISNAMED, UNFINISHED = record("Bare"), record("Misnamed"), record("Unfinished")
ODD, COUNTING, MISSING, WRONG = record("Odd"), record("Counting"), record("No"), record("NOT_ONE")
TAKEN = R("noise", "PGD", "", "mine:Noise")
FOG = R("noise", "Fog", "", "mine:Noise")
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The documented module in the current folder, with faulty ones; forgotten afterwards."""
    modules = {"mine": LINES, "bad": BROKEN, "ends": "raise SystemExit(0)", "raises": "1 / 0"}
    for name, text in modules.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = [dict(table) for table in (ATTACKS, names._NAMED)]
    yield "mine"
    for table, entries in zip((ATTACKS, names._NAMED), before, strict=True):
        table.clear()
        table.update(entries)
    for name in modules:
        sys.modules.pop(name, None)
    plugins.installed.cache_clear()


class TestDocumented(AttackContract):
    """The lines of the page keep the contract, with the settings of the page's test."""

    settings: ClassVar = {"tries": 4}

    @pytest.fixture
    def record(self, module):
        (name,) = load(["mine:NOISE"])
        return ATTACKS[name]


def test_the_documented_test_is_the_contract(module, monkeypatch):
    monkeypatch.syspath_prepend(".")
    scope: dict = {"__name__": "documented"}
    exec(TESTS, scope)
    assert issubclass(scope["TestNoise"], AttackContract)
    assert scope["TestNoise"].settings == TestDocumented.settings
    assert register(scope["NOISE"]) is register(scope["NOISE"])


@thorough
def test_a_command_measures_it_in_workers_and_its_results_come_back(module, tmp_path):
    """Stored with its origin, exported, read back, with its title; the same for any workers."""
    words = ["--archs", "284", "--channels", "2", "--cells", "1", "--epochs", "1"]
    made = CliRunner().invoke(train, [*words, "--out", "w", "--workers", "1"])
    assert made.exit_code == 0, made.output
    words = ["--weights", "w", "--attack", "mine:NOISE", "--attacks", "fgsm", "--count", "40"]
    words += ["--set", "noise.tries=3", "--epsilons", "32", "--batch-size", "20", "--out", "truth"]
    for workers in ("1", "2"):
        more = ["--workers", workers, "--store", f"{workers}.sqlite"]
        done = CliRunner().invoke(app, [*words, *more])
        assert done.exit_code == 0, done.output
    one, two = (read_robustness(tmp_path / f"{n}.sqlite").drop(columns="seconds") for n in (1, 2))
    same = ["network", "measure", "level", "settings", "robust", "gradients", "warnings"]
    pd.testing.assert_frame_equal(one[same], two[same])
    rows = two[two["measure"] == "noise@Linf"]
    assert len(rows) == 1
    assert not rows["gradients"].any()
    settings = json.loads(rows["settings"].iloc[0])
    assert settings["attack_class"] == "mine:Noise"
    assert re.fullmatch(r"source [0-9a-f]{12}", settings["attack_version"])
    assert "zero gradients" not in "".join(rows["warnings"])
    assert not any(
        "attack_class" in text for text in two["settings"][two["measure"] == "fgsm@Linf"]
    )
    table = Truth.open(str(tmp_path / "truth"), "digits").targets()
    assert table["noise@32"].dropna().tolist() == rows["accuracy"].tolist()


def test_a_changed_attack_has_other_results(module, tmp_path):
    load(["mine:NOISE"])
    before = ATTACKS["noise"].origin
    sys.modules.pop("mine")
    (tmp_path / "mine.py").write_text(LINES.replace("range(", "range(1 + "), encoding="utf-8")
    importlib.invalidate_caches()
    assert ATTACKS["noise"].origin != before


def test_it_is_ranked_and_shown_by_its_record(module, tmp_path):
    load(["mine:NOISE"])
    truth = write_truth(tmp_path / "truth")
    ids = json.loads((truth / "meta.json").read_text())
    ids["epsilons"]["noise@Linf"] = [1.0]
    (truth / "meta.json").write_text(json.dumps(ids))
    write_table(truth, "noise@Linf", "accuracy", {i: [0.5] for i in ids["ids"]})
    table = Truth.open(str(truth), "cifar10").targets()
    assert str(Target.parse("uniform NOISE@1")) == "Uniform noise@1"
    panels = {panel.get_title(): panel for panel in attack_boxes(table[["noise@1"]], None).axes}
    colour = panels["Uniform noise"].patches[0].get_edgecolor()
    assert [round(255 * part) for part in colour[:3]] == [0x7F, 0x3C, 0x8D]
    assert [measure.key for measure in live_measures(["noise@8"], {})] == ["noise@Linf"]
    assert attack_measures(["Uniform noise"], "L2", None, {})[0].settings["attack_class"]
    assert _entry("@misc{mine}", {}) == "@misc{mine}"
    assert _entry("nobody2020", {}) == "% no entry is known of nobody2020"


def robust(*rows):
    found = torch.zeros(400, dtype=torch.bool)
    found[: rows[0]] = True
    return found.numpy()


def test_doubts_go_by_the_records_strength(module):
    load(["mine:NOISE"])
    at = Target.of_measure
    fgsm, pgd, noise = (at(f"{name}@Linf", 1.0) for name in ("fgsm", "pgd", "noise"))
    (text,) = cross_warnings({fgsm: robust(80), noise: robust(40)})[fgsm]
    assert text.startswith("weaker than noise@Linf at ε = 1")
    register(replace(ATTACKS["apgd-ce"], name="mid", title="Mid", published="", column="",
                     aliases=(), strength=1.5))  # fmt: skip
    # An attack of a strength between two others hides neither from the other.
    assert cross_warnings({fgsm: robust(40), pgd: robust(80)}).keys() == {pgd}
    (text,) = cross_warnings({fgsm: robust(40), at("mid@Linf", 1.0): robust(90), pgd: robust(80)})[
        pgd
    ]
    assert text.startswith("weaker than fgsm@Linf")
    apgd = at("aa_apgd-ce@Linf", 1.0)
    register(
        replace(ATTACKS["mid"], name="best", title="Best", published="", column="", strength=9)
    )
    (text,) = cross_warnings({apgd: robust(40), noise: robust(20)})[apgd][1:]
    assert text.endswith("fall to Uniform noise, which needs no gradients: are they masked?")


def test_a_command_without_the_plugin_keeps_the_doubts_of_one_with_it(
    module, monkeypatch, tmp_path
):
    rows = pd.DataFrame(
        [
            {"network": "n", "init": "trained", "seed": 0, "images": "digits", "level": 1.0,
             "settings": '{"fingerprint":"f","split":"test"}', "digest": name, "count": 400,
             "measure": f"{name}@Linf", "cross_warnings": texts, "robust": "////" + "A" * 64}
            for name, texts in (("fgsm", '["weaker than noise@Linf"]'), ("noise", "[]"))
        ]
    )  # fmt: skip
    kept = []
    monkeypatch.setattr(Store, "robustness", lambda self, networks: rows)
    monkeypatch.setattr(Store, "set_cross_warnings", lambda self, found: kept.append(found))
    with Store(tmp_path / "s.sqlite") as store:
        compare_attacks(store, ["n"])
        load(["mine:NOISE"])
        compare_attacks(store, ["n"])
    assert [found["fgsm"] for found in kept] == [["weaker than noise@Linf"], []]


def test_an_installed_package_brings_its_attacks_and_a_faulty_one_is_left_out(
    module, monkeypatch, capsys
):
    places = {
        "noise": "mine:NOISE", "broken": "raises:X", "ends": "ends:X", "other": "bad:NOT_ONE",
        "nowhere": "nowhere:X", "taken": "bad:TAKEN", "bare": "bad:BARE",
    }  # fmt: skip
    points = [importlib.metadata.EntryPoint(*place, plugins.GROUP) for place in places.items()]
    monkeypatch.setattr(loading, "entry_points", lambda group: points)
    monkeypatch.syspath_prepend(".")
    plugins.installed.cache_clear()
    assert make("Uniform Noise", tries=2).settings()["tries"] == 2  # found when asked for
    assert plugins.installed().keys() == places.keys() - {"noise"}
    assert offered([]) == []
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(places) - 1
    assert all(re.match(r"The attack \w+ of an installed package is left out: ", x) for x in lines)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("mine", "an attack is given as module:attribute; got 'mine'"),
        ("mine:NOISES", r"has no 'NOISES'; it has NOISE (did you mean 'NOISE'?)"),
        ("nowhere:X", "cannot be imported: ModuleNotFoundError"),
        ("raises:X", "cannot be imported: ZeroDivisionError: division by zero"),
        ("ends:X", "cannot be imported: SystemExit"),
        ("bad:NOT_ONE", "is int; expected an evaluation.attacks.AttackRecord"),
        ("bad:BARE", "no @dataclass(frozen=True) in front of the class"),
        ("bad:MISNAMED", "has the name 'another': give it name: ClassVar[str] = 'other'"),
        ("bad:UNFINISHED", "lacks propose"),
        ("bad:ODD", "has a setting sizes that is no int, float, bool or str"),
        ("bad:COUNTING", "has a setting count, which stands in keys of results: rename it"),
        ("bad:MISSING", "bad:No is not there; expected a subclass of evaluation.attacks.Attack"),
        ("bad:WRONG", "bad:NOT_ONE is 3; expected a subclass"),
        (
            "bad:TAKEN",
            "'pgd' of the attack noise (mine:Noise) is a name of pgd (evaluation.attacks",
        ),
        ("bad:FOG", "'fog' of the attack noise (mine:Noise) has another meaning"),
    ],
)
def test_what_is_no_attack_is_one_line(module, word, message):
    result = CliRunner().invoke(app, ["--attack", word])
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "two words"}, {"name": ""}, {"name": 3}, {"published": "a/b"}, {"title": "$x$"},
        {"title": "A@1"}, {"where": "mine"}, {"strength": float("nan")}, {"gradients": 1},
        {"epsilons": ()}, {"epsilons": (1.0, -1.0)}, {"epsilons": [1.0]}, {"colour": "red"},
        {"cites": "key"}, {"aliases": "noise"}, {"summary": "a\nb"},
    ],
    ids=str,
)  # fmt: skip
def test_a_record_says_only_what_can_be_shown(wrong):
    given = {"name": "x", "title": "X", "summary": "", "where": "m:X"}
    (field,) = wrong
    with pytest.raises(InputError, match=f"has for {field} .*; expected"):
        AttackRecord(**given | wrong)


@pytest.mark.parametrize("proposal", ["None", "batch.images[:1]", "batch.images.mean()"])
def test_what_cannot_be_judged_is_said(module, tmp_path, proposal):
    text = LINES.replace("return found", f"return {proposal}")
    (tmp_path / "mine.py").write_text(text, encoding="utf-8")
    load(["mine:NOISE"])
    network, inputs = Linear(3, (1, 4, 4)), inner_images(5, (1, 4, 4))
    for mode in ("record", "accuracy"):
        with pytest.raises(InputError, match=r"the attack noise proposes .* expected a tensor"):
            evaluate(network, inputs, network(inputs).argmax(1), make("noise"), [8.0], mode=mode)


SETTLED = """torch.set_default_dtype(torch.float64)
        torch.nn.modules.module.register_module_forward_hook(lambda module, given, result: -result)
        return found"""


@pytest.mark.parametrize("mode", ["record", "accuracy"])
def test_settings_of_the_process_are_put_back_before_anything_is_judged(module, tmp_path, mode):
    network, inputs = Linear(3, (1, 4, 4)), inner_images(5, (1, 4, 4))
    labels, levels = network(inputs).argmax(1), []
    for text in (LINES, LINES.replace("return found", SETTLED)):
        (tmp_path / "mine.py").write_text("import torch\n" + text, encoding="utf-8")
        for table in (ATTACKS, sys.modules):
            table.pop("noise" if table is ATTACKS else "mine", None)
        (name,) = load(["mine:NOISE"])
        with kept_settings():
            levels += evaluate(network, inputs, labels, make(name), [8.0], mode=mode).levels
            assert torch.get_default_dtype() == torch.float32
            assert not torch.nn.modules.module._global_forward_hooks
    assert torch.equal(levels[0].robust, levels[1].robust)


DRAWN = "around.random(batch.draws, number)"


@pytest.mark.parametrize(
    ("line", "fault", "promise"),
    [
        (DRAWN, "around.project(batch.images + epsilon * torch.randn_like(batch.images))",
         "the_seed_decides"),
        ("return found", "return batch.images + 2 * epsilon", "proposals_stay_in_ball_and_box"),
        ("return found",
         "return around.project(batch.images + epsilon * (batch.images.mean(0) - 0.5).sign())",
         "neighbours_and_batch_size_leave_no_trace"),
        (DRAWN, "around.project(batch.images.add_(epsilon * (number % 2)))",
         "neighbours_and_batch_size_leave_no_trace"),
        ("gradients=False", "gradients=True", "gradients_are_counted_where_the_record_says_so"),
        ("range(self.tries)", "range(0)",
         "a_linear_network_falls_at_the_analytic_optimum_at_the_earliest"),
        ("range(self.tries)", "range(self.tries if 255 * epsilon < 60 else 0)",
         "more_epsilon_never_helps"),
        ('"uniform noise"', '"uniform noise"', "record_and_class_say_the_same"),
    ],
)  # fmt: skip
def test_the_contract_finds_what_breaks_it(module, tmp_path, line, fault, promise):
    text = "import torch\n" + LINES.replace(line, fault)
    (tmp_path / "mine.py").write_text(text, encoding="utf-8")
    (name,) = load(["mine:NOISE"])
    more = ("record",) * promise.startswith("neighbours")
    test = getattr(Quick(), f"test_{promise}")
    if line == fault:
        test(ATTACKS[name], *more)
    else:
        with pytest.raises(AssertionError):
            test(ATTACKS[name], *more)


class Quick(AttackContract):
    """The contract of the documented attack, with enough tries for a small ε."""

    settings: ClassVar = {"tries": 40}
