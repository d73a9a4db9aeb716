"""A target is a value: how it is read, written and ordered, and that norms are never mixed."""

import json
import random
import re

import numpy as np
import pytest

from evaluation.ranking.score_columns import RankingError
from evaluation.ranking.target_choice import choose_targets
from evaluation.report.names import attacks_of, grouped
from evaluation.truths.published import Truth, TruthError
from evaluation.truths.targets import CLEAN, Target
from tests.truth_folder import IDS, write_table, write_truth

FORMS = [
    (Target("clean"), "clean", "clean", "clean"),
    (Target("fgsm", "Linf", 1), "fgsm@1", "FGSM@1", "fgsm@Linf"),
    (Target("pgd", "L2", 0.5), "pgd@L2@0.5", "PGD@0.5 (ℓ2)", "pgd@L2"),
    (Target("apgd-ce", "Linf", 8), "apgd@8", "APGD-CE@8", "aa_apgd-ce@Linf"),
    (Target("autoattack"), "autoattack", "AutoAttack", "aa_standard@Linf"),
    (Target("fog", level=3), "fog@3", "fog@3", "fog"),
    (Target("gaussian_noise", None, 5), "gaussian_noise@5", "gaussian noise@5", "gaussian_noise"),
    (Target("mean adversarial"), "mean adversarial", "mean adversarial", "mean adversarial@Linf"),
    (
        *(Target("mean adversarial", "L2"), "mean adversarial@L2", "mean adversarial (ℓ2)"),
        "mean adversarial@L2",
    ),
    (Target("mean corruption"), "mean corruption", "mean corruption", "mean corruption"),
    (Target("noise", "Linf", 2), "noise@Linf@2", "noise@2 (ℓ∞)", "noise@Linf"),
    (Target("fgsm", "L1", 2), "fgsm@L1@2", "FGSM@2 (ℓ1)", "fgsm@L1"),
]


@pytest.mark.parametrize(("target", "key", "printed", "measure"), FORMS)
def test_a_target_is_read_as_it_is_written(target, key, printed, measure):
    assert (target.key, str(target), target.measure) == (key, printed, measure)
    assert Target.parse(key) == Target.parse(printed.upper()) == target
    assert Target.of_measure(measure, target.level) == target


def test_other_ways_to_write_a_target_are_known():
    apgd, pgd = Target("apgd-ce", "Linf", 1.0), Target("pgd", "L2", 20.0)
    assert Target.parse(" apgd-ce @ 1.0 ") == Target.parse("aa_apgd-ce@Linf@1") == apgd
    assert Target.parse("pgd@20@l2") == Target.parse("PGD@20 (L2)") == pgd
    assert Target.parse("pgd@linf") == Target("pgd") == Target.parse("PGD@1").family
    assert Target("APGD", level=1) == apgd


def test_an_epsilon_may_be_written_with_its_unit():
    assert Target.parse("fgsm@8/255") == Target.parse("FGSM@8 / 255") == Target("fgsm", None, 8)
    assert Target.parse("pgd@L2@0.5/255") == Target("pgd", "L2", 0.5)
    assert Target.parse("PGD@4/255 (ℓ2)") == Target("pgd", "L2", 4)
    assert Target.parse("fgsm@8/255").key == "fgsm@8"
    assert choose_targets(["clean", "fgsm@8"], ["FGSM@8/255"]) == ["fgsm@8"]


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("fgsm@0.031", "ε is in units of 1/255: is fgsm@8 meant?"),
        ("pgd@l2@0.0157", "is pgd@L2@4 meant?"), ("fsgm@8", "did you mean 'fgsm'?"),
        ("claen", "did you mean 'clean'?"), ("fogg@3", "did you mean 'fog'?"),
    ],
)  # fmt: skip
def test_an_unknown_target_gets_a_hint(word, hint):
    with pytest.raises(RankingError, match=re.escape(hint)):
        choose_targets(["clean", "fgsm@8", "fog@3"], [word])


@pytest.mark.parametrize(
    "text",
    [
        *("", "@1", "fgsm@1@2", "fgsm@L2@1 (ℓ2)", "fgsm@-1", "fgsm@nan", "fgsm@1@L2@3", "a()"),
        *(
            "fog@3/255",
            "clean@8/255",
            "fgsm@-8/255",
            "fgsm@inf/255",
            "fgsm@8/256",
            "fgsm@8/255@4/255",
        ),
    ],
)
def test_what_is_no_target_is_refused(text):
    with pytest.raises(ValueError, match=r"target|from 0"):
        Target.parse(text)


def test_targets_stand_in_the_order_of_tables():
    ordered = [
        *("clean", "fgsm@0.5", "fgsm@1", "fgsm@10", "pgd@1", "apgd@1", "square@1", "apgd-t@1"),
        *("autoattack", "noise@Linf@1", "fgsm@L2@1", "pgd@L2@0.5", "fog@1", "snow@1"),
        *("mean adversarial", "mean adversarial@L2", "mean corruption"),
    ]
    mixed = list(map(Target.parse, random.Random(0).sample(ordered, len(ordered))))
    assert [target.key for target in sorted(mixed)] == ordered
    assert min(mixed) == CLEAN


@pytest.fixture
def two_norms(tmp_path):
    folder = write_truth(tmp_path / "truth")
    meta = json.loads((folder / "meta.json").read_text())
    for name, values in {"fgsm": [0.5, 0.25], "pgd": [0.125, 0.0]}.items():
        meta["epsilons"][f"{name}@L2"] = [20.0, 40.0]
        write_table(folder, f"{name}@L2", "accuracy", {str(i): values for i in IDS})
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


def test_means_never_mix_norms(two_norms, tmp_path):
    alone = Truth.open(write_truth(tmp_path / "linf")).targets()
    table = Truth.open(two_norms).targets()
    np.testing.assert_array_equal(table["mean adversarial"], alone["mean adversarial"])
    assert (table["mean adversarial@L2"] == 0.21875).all()
    added = [name for name in table if name not in alone]
    assert added[:-1] == ["fgsm@L2@20", "fgsm@L2@40", "pgd@L2@20", "pgd@L2@40"]


def test_an_attack_is_chosen_in_all_its_norms_or_in_one_as_the_report_groups_it(two_norms):
    known = list(Truth.open(two_norms).targets())
    of = {str(family): names for family, names in grouped(attacks_of(known)).items()}
    assert list(of) == ["FGSM", "APGD-CE", "FGSM (ℓ2)", "PGD (ℓ2)"]
    assert choose_targets(known, None, ["pgd"]) == of["PGD (ℓ2)"]
    assert choose_targets(known, None, ["fgsm"]) == of["FGSM"] + of["FGSM (ℓ2)"]
    for word in ("fgsm@L2", "FGSM (ℓ2)"):
        assert choose_targets(known, None, [word]) == of["FGSM (ℓ2)"]
    assert choose_targets(known, None, ["fgsm@Linf"]) == of["FGSM"]
    assert choose_targets(known, ["FGSM@20 (ℓ2)"]) == ["fgsm@L2@20"]
    with pytest.raises(RankingError, match=r"known: fgsm, apgd, fgsm@L2, pgd@L2, fog \(did"):
        choose_targets(known, None, ["pgd@Linf"])
    with pytest.raises(RankingError, match=r"fgsm@\{0.5,1,255\}, .*, fgsm@L2@\{20,40\}"):
        choose_targets(known, ["fgsm@20"])


def test_two_files_of_one_attack_are_refused(two_norms):
    meta = json.loads((two_norms / "meta.json").read_text())
    meta["epsilons"]["apgd@Linf"] = [1.0]
    (two_norms / "meta.json").write_text(json.dumps(meta))
    write_table(two_norms, "apgd@Linf", "accuracy", {str(i): [0.5] for i in IDS})
    with pytest.raises(TruthError, match="two files hold apgd@1"):
        Truth.open(two_norms).targets()


def test_a_truth_without_usual_attacks_shows_what_it_has():
    assert choose_targets(["pgd@8"]) == ["pgd@8"]
    assert choose_targets(["clean", "pgd@8"]) == ["clean", "pgd@8"]
    unusual = [f"fog@{level}" for level in range(1, 6)] + [f"snow@{level}" for level in range(1, 6)]
    unusual += [f"frost@{level}" for level in range(1, 6)]
    assert choose_targets(unusual) == unusual
    assert choose_targets(["clean", "fgsm@1", "pgd@8"]) == ["clean", "fgsm@1", "pgd@8"]
    assert choose_targets(["clean", *unusual]) == ["clean"]
    with pytest.raises(RankingError, match="no target chosen"):
        choose_targets([])
