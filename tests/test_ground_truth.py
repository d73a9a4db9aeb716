import json
import math

import numpy as np
import pandas as pd
import pytest

from evaluation.truths.published import Truth, TruthError
from testbed.spaces.nasbench201.isomorphism import unique_ids
from tests.truth_folder import EPSILONS, IDS, published_truth, write_table, write_truth


@pytest.fixture
def folder(tmp_path):
    return write_truth(tmp_path / "truth")


@pytest.fixture(scope="module")
def published():
    return Truth.open(published_truth())


def rewrite(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_open_lists_what_is_there(folder):
    (folder / "notes").mkdir()
    truth = Truth.open(str(folder))
    assert truth.datasets == ["cifar10"]
    assert truth.keys == ["clean", "fgsm@Linf", "aa_apgd-ce@Linf", "fog"]
    assert truth.epsilons == {key: tuple(values) for key, values in EPSILONS.items()}
    assert truth.ids == set(IDS)


def test_accuracy_columns_are_epsilons_severities_or_clean(folder):
    truth = Truth.open(folder)
    assert list(truth.accuracy("fgsm@Linf")) == [0.5, 1.0, 255.0]
    assert list(truth.accuracy("fog")) == [1, 2, 3, 4, 5]
    clean = truth.accuracy("clean")
    assert list(clean) == ["clean"]
    assert clean.index.tolist() == list(IDS)
    assert clean.index.name == "id"
    stored = json.loads((folder / "cifar10" / "fgsm@Linf_accuracy.json").read_text())
    row = stored["cifar10"]["fgsm@Linf"]["accuracy"][str(IDS[3])]
    assert truth.accuracy("fgsm@Linf").loc[IDS[3]].tolist() == row


def test_ids_ascend_as_numbers_whatever_the_order_of_the_file(folder):
    write_table(folder, "clean", "accuracy", {"10": 0.3, "9": 0.2, "0": 0.1})
    clean = Truth.open(folder).accuracy("clean")["clean"]
    assert list(clean.items()) == [(0, 0.1), (9, 0.2), (10, 0.3)]


def test_reading_is_lazy_and_a_table_handed_out_is_the_callers(folder):
    (folder / "cifar10" / "fog_accuracy.json").write_text("{")
    truth = Truth.open(folder)
    before = truth.accuracy("clean")
    handed_out = truth.accuracy("clean")
    handed_out.iloc[:] = 0
    (folder / "cifar10" / "clean_accuracy.json").unlink()
    pd.testing.assert_frame_equal(truth.accuracy("clean"), before)
    with pytest.raises(TruthError, match=r"fog_accuracy\.json is not JSON"):
        truth.accuracy("fog")


def test_targets_have_the_fields_names_and_means(folder):
    truth = Truth.open(folder)
    targets = truth.targets()
    assert list(targets) == [
        *("clean", "fgsm@0.5", "fgsm@1", "fgsm@255", "apgd@1", "apgd@8"),
        *("fog@1", "fog@2", "fog@3", "fog@4", "fog@5", "mean adversarial", "mean corruption"),
    ]
    attacks = np.hstack([truth.accuracy(key) for key in EPSILONS])
    np.testing.assert_allclose(targets["mean adversarial"], attacks.mean(axis=1))
    np.testing.assert_allclose(targets["mean corruption"], truth.accuracy("fog").mean(axis=1))


def test_a_network_that_a_file_lacks_is_nan_there_and_in_its_mean(folder):
    def drop(content):
        del content["cifar10"]["fog"]["accuracy"][str(IDS[0])]

    write_table(folder, "snow", "accuracy", {str(i): [0.5] * 5 for i in IDS})
    rewrite(folder / "cifar10" / "fog_accuracy.json", drop)
    row = Truth.open(folder).targets().loc[IDS[0]]
    assert row[["fog@1", "mean corruption"]].isna().all()
    assert row[["clean", "snow@1", "mean adversarial"]].notna().all()


def test_a_data_set_without_corruptions_has_no_mean_of_them(folder):
    (folder / "cifar10" / "fog_accuracy.json").unlink()
    assert "mean corruption" not in Truth.open(folder).targets()


def test_confusion_matrices_give_exact_accuracies(folder):
    matrices = {"0": [[7, 1], [1, 3]], "1": [[0, 1], [2, 0]]}
    write_table(folder, "clean", "cm", matrices)
    truth = Truth.open(folder)
    ids, counts = truth.confusion()
    assert ids.tolist() == [0, 1]
    assert counts.shape == (2, 2, 2)
    assert truth.exact_accuracy()["clean"].tolist() == [10 / 12, 0]
    write_table(folder, "fgsm@Linf", "cm", {"0": [[[1, 0], [0, 1]]] * 2 + [[[1, 1], [1, 1]]]})
    assert truth.confusion("fgsm@Linf")[1].shape == (1, 3, 2, 2)
    assert truth.exact_accuracy("fgsm@Linf").loc[0].to_dict() == {0.5: 1, 1.0: 1, 255.0: 0.5}


def test_unknown_names_list_those_there(folder):
    write_truth(folder.parent / "other", "cifar100").joinpath("cifar100").rename(
        folder / "cifar100"
    )
    with pytest.raises(TruthError, match=r"'svhn'.*there: cifar10, cifar100"):
        Truth.open(folder, "svhn")
    truth = Truth.open(folder)
    with pytest.raises(TruthError, match=r"'pgd@Linf'.*aa_apgd-ce@Linf, clean, fgsm@Linf, fog"):
        truth.accuracy("pgd@Linf")
    with pytest.raises(TruthError, match=r"no cm of 'fog'.*there: clean$"):
        truth.confusion("fog")


def test_missing_folder_and_meta(tmp_path):
    with pytest.raises(TruthError, match=r"no folder .*nowhere"):
        Truth.open(tmp_path / "nowhere")
    with pytest.raises(TruthError, match=r"no meta\.json"):
        Truth.open(tmp_path)


@pytest.mark.parametrize("name", ["meta.json", "cifar10/clean_accuracy.json"])
def test_a_truncated_file_is_refused_with_its_position(folder, name):
    path = folder / name
    text = path.read_text()[:-30]
    path.write_text(text)
    with pytest.raises(TruthError, match=rf"{name} is not JSON.*line 1.*\d+ of {len(text)}\)"):
        Truth.open(folder).accuracy("clean")


def test_bytes_that_are_no_text_are_refused(folder):
    (folder / "cifar10" / "clean_accuracy.json").write_bytes(b"\x80\x02}q")
    with pytest.raises(TruthError, match="cannot be read"):
        Truth.open(folder).accuracy("clean")


META = {
    "no ids": (lambda m: m.pop("ids"), r"expected the key 'ids'.*found the keys 'epsilons'"),
    "no ε": (lambda m: m.pop("epsilons"), "expected the key 'epsilons'"),
    "ids in a list": (lambda m: m.update(ids=[1]), "expected objects"),
    "ε as text": (
        lambda m: m["epsilons"].update({"fgsm@Linf": ["1"]}),
        "to 255, found '1'",
    ),
    "ε below 0": (lambda m: m["epsilons"].update({"fgsm@Linf": [-1]}), "found -1"),
    "ε NaN": (lambda m: m["epsilons"].update({"fgsm@Linf": [math.nan]}), "found nan"),
    "ε infinite": (lambda m: m["epsilons"].update({"fgsm@Linf": [math.inf]}), "found inf"),
    "ε true": (lambda m: m["epsilons"].update({"fgsm@Linf": [True]}), "found True"),
    "ε of no pixel": (lambda m: m["epsilons"].update({"fgsm@Linf": [256]}), "found 256"),
    "ε twice": (lambda m: m["epsilons"].update({"fgsm@Linf": [1, 2, 1.0]}), "found 1 twice"),
    "no list of ε": (lambda m: m["epsilons"].update({"fgsm@Linf": 1}), "list of numbers, found 1"),
    "id 05": (lambda m: m["ids"].update({"05": m["ids"]["5"]}), "'05' is not an arch"),
    "id in Arabic": (lambda m: m["ids"].update({"٥": m["ids"]["5"]}), "'٥' is not an arch"),
    "id as text": (lambda m: m["ids"].update(x=m["ids"]["0"]), "'x' is not an architecture id"),
    "id beyond": (
        lambda m: m["ids"].update({"15625": m["ids"]["0"]}),
        "an architecture id: expected 0 to 15624",
    ),
    "no string": (lambda m: m["ids"]["3"].pop("nb201-string"), r"'nb201-string' at \['ids'\]"),
    "other string": (
        lambda m: m["ids"]["3"].update(m["ids"]["4"]),
        r"id 3 should be \|avg_pool_3x3~0.*found '\|skip",
    ),
    "other isomorph": (lambda m: m["ids"]["3"].update(isomorph="2"), "isomorph of id 3.*'3'.*'2'"),
}


@pytest.mark.parametrize("fault", META)
def test_a_broken_meta_is_refused(folder, fault):
    change, message = META[fault]
    rewrite(folder / "meta.json", change)
    with pytest.raises(TruthError, match=message):
        Truth.open(folder)


ROWS = {
    "too few ε": ({"0": [0.5, 0.5]}, "id 0: expected 3 values .*found 2"),
    "a number for a list": ({"0": 0.5}, "id 0: expected a list of 3 numbers, found 0.5"),
    "text": ({"0": [0.5, "0.5", 0.5]}, "expected a list of 3 numbers"),
    "null": ({"0": [0.5, None, 0.5]}, "expected a list of 3 numbers"),
    "percent": ({"0": [0.5] * 3, "2": [0.5, 85.6, 0.5]}, r"id 2: accuracy 85\.6 is outside"),
    "negative": ({"0": [0.5, -0.1, 0.5]}, r"accuracy -0\.1 is outside"),
    "NaN": ({"0": [0.5, float("nan"), 0.5]}, "accuracy nan is outside"),
    "id not in meta": ({"0": [0.5] * 3, "15624": [0.5] * 3}, "1 ids are not in meta.*15624"),
    "empty": ({}, "expected an object of architecture ids"),
    "a list": ([0.5], "expected an object of architecture ids"),
}


@pytest.mark.parametrize("fault", ROWS)
def test_a_broken_accuracy_is_refused(folder, fault):
    rows, message = ROWS[fault]
    write_table(folder, "fgsm@Linf", "accuracy", rows)
    with pytest.raises(TruthError, match=message):
        Truth.open(folder).accuracy("fgsm@Linf")


def test_a_wrong_layout_says_which_key_was_expected_and_which_found(folder):
    path = folder / "cifar10" / "fog_accuracy.json"
    for content, expected, found in [
        ({"cifar100": {}}, "'cifar10' at the top level", "'cifar100'"),
        ({"cifar10": {"frost": {}}}, r"'fog' at \['cifar10'\]", "'frost'"),
        ({"cifar10": {"fog": {"cm": {}}}}, r"'accuracy' at \['cifar10'\]\['fog'\]", "'cm'"),
    ]:
        path.write_text(json.dumps(content))
        with pytest.raises(
            TruthError, match=f"expected the key {expected}, found the keys {found}"
        ):
            Truth.open(folder).accuracy("fog")


def test_an_attack_without_epsilons_is_refused(folder):
    write_table(folder, "pgd@L2", "accuracy", {"0": [0.5]})
    with pytest.raises(TruthError, match=r"no ε list of 'pgd@L2'.*fgsm@Linf"):
        Truth.open(folder).accuracy("pgd@L2")


MATRICES = {
    "oblong": [[1, 2, 3], [4, 5, 6]],
    "ragged": [[1, 2], [3]],
    "flat": [1, 2],
    "a number": 3,
    "negative": [[1, -1], [0, 1]],
    "no image": [[0, 0], [0, 0]],
    "text": [["1", "0"], ["0", "1"]],
    "true": [[True, 0], [0, 1]],
    "more than there are": [[2**62, 2**62], [2**62, 2**62]],
    "of many bits": [[2**64 - 1, 0], [0, 1]],
    "of another size": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
}


@pytest.mark.parametrize("fault", MATRICES)
def test_a_broken_confusion_matrix_is_refused(folder, fault):
    write_table(folder, "clean", "cm", {"0": [[1, 0], [0, 1]], "7": MATRICES[fault]})
    with pytest.raises(TruthError, match="id 7: "):
        Truth.open(folder).confusion()


@pytest.mark.parametrize("entry", [None, 0.5, [], {"label": 0.5}, {"label": 1, "prediction": 1.5}])
def test_a_broken_confidence_is_refused(folder, entry):
    rows = {"0": {"label": 0.5, "prediction": 0.6}, "7": entry}
    write_table(folder, "clean", "confidence", rows)
    with pytest.raises(TruthError, match="id 7: "):
        Truth.open(folder).confidence("clean")


@pytest.mark.parametrize("name", ["meta.json", "cifar10/clean_accuracy.json"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "a": 2}', "found 'a' twice"),
        ("[" * 200_000, "at most 50 levels"),
        ("9" * 400, "at most 300 digits"),
    ],
)
def test_what_is_no_strict_json_is_refused(folder, name, text, said):
    (folder / name).write_text(text)
    with pytest.raises(TruthError, match=f"{name}.*{said}"):
        Truth.open(folder).targets()


def test_confusion_matrices_of_an_attack_are_one_for_each_epsilon(folder):
    write_table(folder, "fgsm@Linf", "cm", {"0": [[[1]]] * 2})
    with pytest.raises(TruthError, match="expected 3 square matrices"):
        Truth.open(folder).confusion("fgsm@Linf")


def test_published_best_accuracies(published):
    targets = published.targets()
    assert targets.index.tolist() == list(unique_ids())
    assert targets.shape == (6466, 110)
    assert not targets.isna().any(axis=None)
    names = ["clean", "fgsm@1", "pgd@1", "apgd@1", "square@1"]
    assert targets[names].max().tolist() == [0.946, 0.692, 0.588, 0.540, 0.736]


def test_published_apgd_is_zero_for_most_networks(published):
    zero = (published.targets()[["apgd@3", "apgd@4", "apgd@8"]] == 0).mean()
    assert zero.round(2).tolist() == [0.48, 0.85, 0.99]


def test_published_confusion_matrices_agree_with_the_rounded_accuracies(published):
    ids, matrices = published.confusion()
    assert ids.tolist() == list(unique_ids())
    assert matrices.shape == (6466, 10, 10)
    assert (matrices.sum(axis=(1, 2)) == 10_000).all()
    exact = published.exact_accuracy()["clean"]
    assert (exact - published.accuracy("clean")["clean"]).abs().max() < 0.000501
    assert exact.nunique() > published.accuracy("clean")["clean"].nunique()
