"""Truths from anybody's CSV and Parquet tables: what is read, and what is refused."""

import pandas as pd
import pytest

from evaluation.ranking.table import rank
from evaluation.truths import open_truth
from evaluation.truths.facts import Training, TruthError
from evaluation.truths.networks import by_name
from testbed.spaces.nasbench201.genotype import Genotype
from tests.score_frames import frame, score_rows

NETWORKS = [str(Genotype.from_index(i)) for i in (0, 1, 2, 3)]
HEADER = "network,target,accuracy"


def csv(folder, *lines, name="t.csv", bom=False):
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8-sig" if bom else "utf-8")
    return path


def targets(folder, *lines, **options):
    return open_truth(csv(folder, *lines), **options).targets()


def test_every_way_to_name_a_target_is_read(tmp_path):
    table = targets(
        tmp_path, HEADER, "a,clean,.9", "a,FGSM@1,.5", "a,PGD@0.5 (ℓ2),.4", "a,fog@3,.3",
        "a,gaussian noise@2,.1", "a,pgd@8/255,.2",
    )  # fmt: skip
    named = {"clean": 0.9, "fgsm@1": 0.5, "pgd@8": 0.2, "pgd@L2@0.5": 0.4, "fog@3": 0.3}
    assert table.loc["a"].to_dict() == pytest.approx(
        named | {"gaussian_noise@2": 0.1, "mean adversarial": 0.35, "mean corruption": 0.2}
    )
    assert list(table)[:4] == ["clean", "fgsm@1", "pgd@8", "pgd@L2@0.5"]


def test_attack_norm_and_epsilon_are_columns_as_well(tmp_path):
    rows = {
        "Network": ["a"] * 5, "attack": ["clean", "fgsm", "PGD", "aa_apgd-ce@Linf", "fog"],
        "norm": [None, "Linf", "L2", None, None], "ε": [None, "8/255", "0.5", "1", "3"],
        "Accuracy": [0.9, 0.8, 0.7, 0.6, 0.5],
    }  # fmt: skip
    table = pd.DataFrame(rows)
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_parquet(tmp_path / "t.parquet", index=False)
    expected = {"clean": 0.9, "fgsm@8": 0.8, "apgd@1": 0.6, "pgd@L2@0.5": 0.7, "fog@3": 0.5}
    for name in ("t.csv", "t.parquet"):
        found = open_truth(tmp_path / name).targets().loc["a"].to_dict()
        found.pop("mean adversarial")
        assert found == expected


def test_percent_or_fraction_is_decided_for_the_file_and_said(tmp_path):
    percent = open_truth(
        csv(tmp_path, HEADER, "a,clean,93.1", "b,clean,50", "a,pgd@8,0", "b,pgd@8,3")
    )
    assert percent.targets()["clean"].tolist() == [0.931, 0.5]
    assert any("read as percent: the largest is 93.1" in note for note in percent.facts.notes)
    mixed = open_truth(csv(tmp_path, HEADER, "a,pgd@8,40", "b,pgd@8,.4", "c,pgd@8,0"))
    assert any("is 40, and 1 of 3 are at most 1 %" in note for note in mixed.facts.notes)
    fraction = open_truth(csv(tmp_path, HEADER, "a,clean,1", "b,clean,0.5"))
    assert fraction.targets()["clean"].tolist() == [1, 0.5]
    assert not any("percent" in note for note in fraction.facts.notes)


@pytest.mark.parametrize(
    "lines", [("a,clean,93.1", "b,pgd@1,.45"), ("a,clean,93.1", "b,clean,.931")]
)
def test_what_could_be_both_units_is_refused_unless_the_column_says(tmp_path, lines):
    with pytest.raises(TruthError, match=r"are they percent or fractions\? .*accuracy_percent"):
        targets(tmp_path, HEADER, *lines)
    table = targets(tmp_path, "network,target,Accuracy (%)", *lines)
    assert table.max().max() == 0.931
    assert table.min().min() < 0.01


def test_networks_of_the_space_go_by_id_or_name_and_are_joined_to_scores(tmp_path):
    lines = [
        f"{i if i % 2 else Genotype.from_index(i)},clean,{(7 * i % 40) / 40}" for i in range(40)
    ]
    truth = open_truth(csv(tmp_path, HEADER, *lines, bom=True))
    assert truth.facts.space == "nasbench201"
    assert truth.targets().index.tolist() == list(range(40))
    assert by_name(truth).index[1] == str(Genotype.from_index(1))
    ranking = rank(frame(score_rows()), truth)
    assert ranking.truth[0] == (
        "Truth: the table t.csv: 40 of the 15,625 architectures of NAS-Bench-201, how they were "
        "trained is not recorded."
    )


def test_own_names_stay_as_they_are(tmp_path):
    truth = open_truth(csv(tmp_path, HEADER, "my.nets:small,clean,.5", "my.nets:large,clean,.6"))
    assert (truth.facts.space, truth.facts.population) == (None, "2 networks")
    assert truth.targets().index.tolist() == ["my.nets:small", "my.nets:large"]
    numbered = open_truth(csv(tmp_path, HEADER, "1,clean,.5", "2,clean,.6"), space="own")
    assert (numbered.facts.space, list(numbered.targets().index)) == (None, ["1", "2"])


def test_seeds_are_averaged_where_a_network_has_all(tmp_path):
    lines = ("a,clean,.5,0", "a,clean,.7,1", "b,clean,.9,0")
    truth = open_truth(csv(tmp_path, f"{HEADER},seed", *lines))
    assert truth.targets()["clean"].isna().tolist() == [False, True]
    assert truth.targets()["clean"].iloc[0] == 0.6
    assert "means over the seeds 0, 1; 1 of 2 networks lack a seed" in truth.facts.notes[-1]
    chosen = open_truth(csv(tmp_path, f"{HEADER},seed", *lines), where=["seed=0"])
    assert chosen.targets()["clean"].tolist() == [0.5, 0.9]


def test_a_data_set_is_chosen_and_what_is_not_named_is_said(tmp_path):
    lines = ("a,clean,.5,CIFAR-10", "a,clean,.2,digits")
    assert targets(tmp_path, f"{HEADER},dataset", *lines).loc["a", "clean"] == 0.5
    assert targets(tmp_path, f"{HEADER},images", *lines, dataset="digits").loc["a", "clean"] == 0.2
    with pytest.raises(TruthError, match=r"no data set 'cifar100' in .*; there: CIFAR-10, digits"):
        targets(tmp_path, f"{HEADER},dataset", *lines, dataset="cifar100")
    unnamed = open_truth(csv(tmp_path, HEADER, "a,clean,.5"))
    assert unnamed.facts.notes == ("The table does not name its data set: cifar10 is taken.",)


def test_two_trainings_are_never_pooled(tmp_path):
    lines = ("a,clean,.9,normal", "b,clean,.5,PGD@8", "c,clean,.4,pgd@8/255")
    path = csv(tmp_path, f"{HEADER},training", *lines)
    with pytest.raises(TruthError, match="normally trained and adversarially trained with PGD"):
        open_truth(path)
    normal = open_truth(path, where=["training=normal"])
    assert normal.targets().index.tolist() == ["a"]
    attacked = open_truth(path, where=["training=adversarial"])
    assert attacked.targets().index.tolist() == ["b", "c"]
    assert attacked.facts.training == Training(True, "PGD", 8.0)


def test_what_is_not_finite_is_undefined_and_counted(tmp_path):
    truth = open_truth(
        csv(tmp_path, HEADER, "a,clean,.5", "b,clean,inf", "c,clean,", "d,clean,nan")
    )
    assert truth.targets()["clean"].isna().tolist() == [False, True, True, True]
    assert any(note.startswith("3 of its accuracies are missing") for note in truth.facts.notes)


FAULTS = {
    "no accuracy": (("network,target", "a,clean"), "expected the columns network, accuracy"),
    "two names": (("network,arch,target,accuracy", "a,a,clean,1"), "both say the network"),
    "target and attack": ((f"{HEADER},attack", "a,clean,.5,pgd"), "either target .* or attack"),
    "a doubled row": ((HEADER, "a,clean,.5", "a,clean,.5"), "clean of a is there twice"),
    "two spellings": ((HEADER, "a,PGD@8,.5", "a,pgd@8/255,.4"), "PGD@8 of a is there twice"),
    "an id and its name": ((HEADER, "0,clean,.5", f"{NETWORKS[0]},clean,.4"), "is there twice"),
    "a stranger": ((HEADER, f"{NETWORKS[0]},clean,.5", "mine,clean,.4"), "1 of 2 networks are no"),
    "a padded id": ((HEADER, "5,clean,.5", "05,clean,.4"), "the first is '05'"),
    "no name": ((HEADER, " ,clean,.5"), "row 1: expected printable text as network"),
    "above 100": ((HEADER, "a,clean,101"), "expected an accuracy in %, .* found 101 of clean"),
    "below 0": ((HEADER, "a,clean,-.1"), "expected an accuracy in .*found -0.1"),
    "text": ((HEADER, "a,clean,93%"), "row 1: expected an accuracy, found '93%'"),
    "pixels": ((HEADER, "a,pgd@0.031,.5"), "expected an ε in units of 1/255, found 0.031.*PGD@8"),
    "no ε": ((HEADER, "a,pgd,.5"), "expected an ε of PGD"),
    "a typing error": ((HEADER, "a,fsgm@1,.5"), "no attack and no corruption .did you mean 'fgsm'"),
    "a severity": ((HEADER, "a,fog@8,.5"), "expected a severity of 1 to 5, found 8"),
    "clean at an ε": (("network,attack,epsilon,accuracy", "a,clean,8,.5"), "expected an attack"),
    "a ragged row": ((HEADER, "a,clean"), "row 1 has 2 cells; the header has 3"),
    "a column twice": (("network,target,accuracy,accuracy", "a,clean,1,1"), "each column once"),
    "a training": ((f"{HEADER},training", "a,clean,.5,quick"), "expected normal, adversarial, or"),
    "nothing": ((HEADER,), "expected accuracies, found none"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path, fault):
    lines, message = FAULTS[fault]
    with pytest.raises(TruthError, match=message):
        targets(tmp_path, *lines)


def test_conditions_are_for_tables_alone(tmp_path, real_data):
    with pytest.raises(TruthError, match="--truth-where chooses among the results of"):
        open_truth(real_data / "robustness-data", where=["seed=0"])
    with pytest.raises(TruthError, match="unknown key 'init' in --truth-where"):
        targets(tmp_path, HEADER, "a,clean,.5", where=["init=own"])
