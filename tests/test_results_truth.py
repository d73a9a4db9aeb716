"""The toolkit's own store as a truth: what is chosen, and which mixtures are refused."""

import pandas as pd
import pytest

from evaluation.truths import TruthError, open_truth
from evaluation.truths.facts import NORMAL, UNKNOWN, Training
from evaluation.truths.published import Truth
from evaluation.truths.robustness_json import write_truth
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.store import RobustnessKey, RobustnessRow, Store, read_robustness
from testbed.train.recipe import PRESETS

IDS = (11, 284, 5111)
IMAGES = {"split": "test", "count": 8, "fingerprint": "f00d"}
TRAINED = IMAGES | {"channels": 8, "cells": 1, "recipe": PRESETS["tiny"].settings()}
ATTACKED = TRAINED | {"recipe": PRESETS["tiny-pgd"].settings()}
PGD = {"mode": "record", "attack_seed": 0, "steps": 40}


def rows(networks, init="trained", seed=0, settings=TRAINED, images="digits", shift=0, **attack):
    """Yield a clean result and one of PGD@8 for each network."""
    for place, network in enumerate(networks):
        for measure, level, more in (("clean", None, {}), ("pgd@Linf", 8.0, PGD | attack)):
            right = 2 + (place + shift) % 3 + 3 * (measure == "clean")
            own = {"weights": f"{network}-{seed}-{init}"} | settings | more
            key = RobustnessKey.make(network, init, seed, images, measure, level, own)
            robust = [i < right for i in range(settings["count"])]
            yield RobustnessRow(key, robust, None, None, None)


def store(folder, *groups):
    path = folder / "robustness.sqlite"
    with Store(path) as results:
        run = results.begin_run({})
        for group in groups:
            results.save_robustness(run, list(group))
    return path


def cells(ids=IDS):
    return [str(Genotype.from_index(i)) for i in ids]


def test_a_store_is_a_truth_as_its_export_is(tmp_path):
    path = store(tmp_path, rows(cells()))
    truth = open_truth(path, "digits")
    write_truth(read_robustness(path), tmp_path / "truth", "digits")
    exported = Truth.open(tmp_path / "truth", "digits")
    both = ["clean", "pgd@8"]
    pd.testing.assert_frame_equal(truth.targets()[both], exported.targets()[both])
    assert truth.targets().index.tolist() == sorted(IDS)
    assert (truth.facts.training, exported.facts.training) == (NORMAL, NORMAL)
    assert "trained weights, 8 images" in truth.facts.origin
    assert truth.facts.sizes == {"channels": 8, "cells": 1}


def test_an_export_of_the_table_is_read_as_the_store_is(tmp_path):
    path = store(tmp_path, rows(cells()))
    with Store(path) as results:
        results.export(tmp_path / "t.csv", "robustness")
    expected = open_truth(path, "digits")
    found = open_truth(tmp_path / "t.csv", "digits")
    pd.testing.assert_frame_equal(found.targets(), expected.targets())
    assert found.facts.training == expected.facts.training


def test_own_networks_go_by_their_names(tmp_path):
    names = ["my.nets:small", "my.nets:large"]
    truth = open_truth(store(tmp_path, rows(names, "own", None, IMAGES)), "digits")
    assert sorted(truth.targets().index) == sorted(names)
    assert (truth.facts.space, truth.facts.training) == (None, UNKNOWN)
    assert "a user’s own networks" in truth.facts.sentence


def test_normally_and_adversarially_trained_networks_are_never_pooled(tmp_path):
    path = store(tmp_path, rows(cells()), rows(cells(), seed=1, settings=ATTACKED))
    message = "normally trained and adversarially trained with PGD at ε = 32.*never pooled"
    with pytest.raises(TruthError, match=message):
        open_truth(path, "digits")
    assert open_truth(path, "digits", ["training=normal"]).facts.training == NORMAL
    attacked = open_truth(path, "digits", ["training=adversarial"]).facts.training
    assert attacked == Training(True, "PGD", 32.0)
    assert "5 steps of 10" in str(attacked)
    assert open_truth(path, "digits", ["training=pgd@32"]).facts.training == attacked
    with pytest.raises(TruthError, match="never pooled"):
        write_truth(read_robustness(path), tmp_path / "truth", "digits")
    write_truth(read_robustness(path), tmp_path / "truth", "digits", seed=1)
    assert Truth.open(tmp_path / "truth", "digits").facts.training == attacked


LONGER = TRAINED | {"recipe": PRESETS["tiny"].settings() | {"epochs": 9}}
AMBIGUOUS = {
    "init": ("init=own", list(rows(cells(), "random", None, IMAGES))),
    "count": ("count=4", list(rows(cells(), settings=TRAINED | {"count": 4}))),
    "steps of pgd@Linf": ("steps=100", list(rows(cells(), steps=100))),
    "recipe.epochs": ("recipe.epochs=9", list(rows(cells(), seed=1, settings=LONGER))),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_a_mixture_is_refused_and_says_what_differs(tmp_path, name):
    where, other = AMBIGUOUS[name]
    own = name == "init"  # neither of the two has a training that is known
    first = rows(["a:b"], "own", None, IMAGES) if own else rows(cells())
    path = store(tmp_path, first, other)
    with pytest.raises(TruthError, match=f"differ in .*{name}: .*choose by --truth-where"):
        open_truth(path, "digits")
    truth = open_truth(path, "digits", [where])
    assert truth.facts.training == (UNKNOWN if own else NORMAL)


def test_attacks_may_have_settings_of_their_own(tmp_path):
    other = [
        RobustnessRow(
            RobustnessKey.make(name, "trained", 0, "digits", "aa_apgd-ce@Linf", 8.0,
                               TRAINED | {"mode": "record", "steps": 100}),
            [True] * 2 + [False] * 6, None, None, None,
        )
        for name in cells()
    ]  # fmt: skip
    attacks = [row for row in rows(cells()) if row.key.measure != "clean"]
    truth = open_truth(store(tmp_path, attacks, other), "digits")
    assert list(truth.targets()) == ["pgd@8", "apgd@8", "mean adversarial"]


def test_seeds_are_averaged_and_one_can_be_chosen(tmp_path):
    path = store(tmp_path, rows(cells()), rows(cells(), seed=1, shift=1))
    truth = open_truth(path, "digits")
    one = open_truth(path, "digits", ["seed=1"])
    expected = (open_truth(path, "digits", ["seed=0"]).targets() + one.targets()) / 2
    pd.testing.assert_frame_equal(truth.targets(), expected)
    assert truth.facts.notes == ("Accuracies are means over the seeds 0, 1.",)
    assert one.facts.notes == ()


def test_two_weights_of_one_network_are_refused(tmp_path):
    settings = [IMAGES | {"weights": weights} for weights in ("aaa", "bbb")]
    path = store(tmp_path, *(rows(["a:b"], "own", None, one) for one in settings))
    with pytest.raises(TruthError, match="measured with 2 different weights"):
        open_truth(path, "digits")
    assert len(open_truth(path, "digits", ["weights=bbb"]).targets()) == 1


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (["sed=0"], "unknown key 'sed' .*did you mean 'seed'"),
        (["seed=7"], "no result has seed=7; there is 0"),
        (["seed"], "takes key=value"),
        (["init=trained", "init=own"], ""),
    ],
)
def test_a_condition_that_nothing_satisfies_is_refused(tmp_path, where, message):
    path = store(tmp_path, rows(cells()))
    if not message:
        assert len(open_truth(path, "digits", where).targets()) == 3
        return
    with pytest.raises(TruthError, match=message):
        open_truth(path, "digits", where)


def test_what_is_not_there_is_said(tmp_path):
    path = store(tmp_path, rows(cells()))
    with pytest.raises(TruthError, match=r"no results on 'cifar10' in .*; there: digits"):
        open_truth(path)
    Store(tmp_path / "empty.sqlite").__enter__().__exit__(None, None, None)
    with pytest.raises(TruthError, match="holds no robust accuracies"):
        open_truth(tmp_path / "empty.sqlite", "digits")
