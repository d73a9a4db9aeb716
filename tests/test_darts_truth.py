"""Tiny-RobustBench: 223 adversarially trained networks of DARTS."""

import json
from copy import deepcopy

import pytest

from evaluation.truths import TruthError, open_truth
from evaluation.truths.facts import Training

GENOTYPE = {
    "normal": [["sep_conv_3x3", 0], ["skip_connect", 1]] * 4, "normal_concat": [2, 3, 4, 5],
    "reduce": [["max_pool_3x3", 0], ["dil_conv_5x5", 1]] * 4, "reduce_concate": [2, 3, 4, 5],
}  # fmt: skip
ENTRY = {
    "seed": 0,
    "net": {"genotype": GENOTYPE, "depth": 8, "width": 16},
    "adversarial_param": {
        "adv_loss": "pgd", "epsilon": 8 / 255, "num_steps": 7, "step_size": 0.01,
    },
    "max_test_top1_original": 75.4, "max_test_top1_adv": 41.5,
    "test_ep_top1_original": [70.0, 75.4], "test_ep_top1_adv": [0, 41.5],
}  # fmt: skip


def changed(path, value):
    entry = deepcopy(ENTRY)
    part = entry
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    return entry


def write(folder, *entries):
    (folder / "robust_bench_seed_0_10.json").write_text(json.dumps(entries))
    return folder


def test_the_real_lists_are_223_networks(real_data):
    truth = open_truth(real_data / "tiny-robustbench")
    table = truth.targets()
    assert table.shape == (223, 2)
    assert table.index.is_unique
    assert list(table) == ["clean", "pgd@8"]
    assert (table["clean"].min(), table["clean"].max()) == (0.6954, 0.765)
    assert (table["pgd@8"].min(), table["pgd@8"].max()) == (0.3746, 0.4384)
    assert truth.facts.training == Training(True, "PGD", 8.0)
    assert truth.facts.space == "darts"
    assert truth.facts.sentence.endswith(
        "223 networks of DARTS (depth 8, width 16), adversarially trained with PGD at ε = 8 (ℓ∞, 7 "
        "steps of 2.55)."
    )
    assert "best of the epochs" in truth.facts.notes[0]
    part = open_truth(real_data / "tiny-robustbench" / "robust_bench_seed_0_1000.json")
    assert len(part.targets()) == 57


def test_params_rank_it_as_was_found(real_data):
    # The closed form of the public class with affine batch norm, written for this test alone.
    from scipy.stats import kendalltau

    entries = [
        entry
        for path in sorted((real_data / "tiny-robustbench").glob("*.json"))
        for entry in json.loads(path.read_text())
    ]
    params = [parameters(entry["net"]["genotype"]) for entry in entries]
    accuracies = [entry["max_test_top1_adv"] for entry in entries]
    assert kendalltau(params, accuracies).statistic == pytest.approx(0.41, abs=0.03)
    truth = open_truth(real_data / "tiny-robustbench").targets()
    assert sorted(truth["pgd@8"]) == pytest.approx(sorted(a / 100 for a in accuracies), abs=1e-12)


def parameters(genotype, width=16, depth=8):
    stem, now, count = 3 * width, width, 29 * 3 * width
    before = [stem, stem]
    for layer in range(depth):
        reduction = layer in (depth // 3, 2 * depth // 3)
        now *= 2 if reduction else 1
        count += sum(inputs * now + 2 * now for inputs in before)
        for operation, source in genotype["reduce" if reduction else "normal"]:
            kind, size = operation[:3], operation[-1]
            if kind in ("sep", "dil"):
                convolution = int(size) ** 2 * now + now * now + 2 * now
                count += convolution * (2 if kind == "sep" else 1)
            elif operation == "skip_connect" and reduction and source < 2:
                count += now * now + 2 * now
        before = [before[1], 4 * now]
    return count + 10 * before[1] + 10


def test_the_order_of_a_nodes_edges_means_nothing_and_twice_is_a_mean(tmp_path):
    turned = changed(("net", "genotype", "normal"), [["skip_connect", 1], ["sep_conv_3x3", 0]] * 4)
    turned |= {"max_test_top1_adv": 42.5, "test_ep_top1_adv": [42.5]}
    truth = open_truth(write(tmp_path, ENTRY, turned))
    assert truth.targets()["pgd@8"].tolist() == [0.42]
    assert truth.facts.notes[1].startswith("1 were trained more than once")


FAULTS = {
    "fractions": (("max_test_top1_adv",), 0.415, "best of test_ep_top1_adv is 41.5"),
    "above 100": (("max_test_top1_original",), 754, "expected an accuracy in %"),
    "no accuracy": (("max_test_top1_adv",), None, "as max_test_top1_adv, found None"),
    "another depth": (("net", "depth"), 20, "of one depth and width"),
    "another ε": (("adversarial_param", "epsilon"), 4 / 255, "of one training"),
    "another loss": (("adversarial_param", "adv_loss"), "trades", "with pgd as adv_loss"),
    "ε of bytes": (("adversarial_param", "epsilon"), 8, r"expected an ε in \[0, 1\]"),
    "an operation": (("net", "genotype", "normal"), [["conv", 0]] * 8, "an operation of DARTS"),
    "a later node": (("net", "genotype", "reduce"), [["none", 2]] * 8, "a node before it"),
    "few edges": (("net", "genotype", "normal"), [["none", 0]], "expected 8 edges"),
    "no genotype": (("net", "genotype"), "Genotype()", "expected a genotype, found"),
    "no curve": (("test_ep_top1_adv",), [True], "expected accuracies in %"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_laid_out_otherwise_is_refused(tmp_path, fault):
    path, value, message = FAULTS[fault]
    with pytest.raises(TruthError, match=message):
        open_truth(write(tmp_path, ENTRY, changed(path, value)))


def test_another_data_set_is_refused(tmp_path):
    with pytest.raises(TruthError, match="Tiny-RobustBench is on cifar10"):
        open_truth(write(tmp_path, ENTRY), "cifar100")
