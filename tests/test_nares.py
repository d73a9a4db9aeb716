"""NARes, as its authors' class reads it: a WideResNet a line."""

import json

import pytest

from evaluation.truths import TruthError, open_truth

ARCH = {"D1": 4, "W1": 8, "D2": 5, "W2": 10, "D3": 7, "W3": 16}
LEVELS = {str(s): {"acc": 80.0 - s, "loss": float("nan")} for s in range(1, 6)}
TEST = {
    "test_clean_acc": 88.57, "test_loss": 0.4, "Linf_fgsm_acc": 62.68, "Linf_fgsm_stable": 66.0,
    "Linf_pgd_acc": 57.39, "Linf_pgd_lip": 21.0, "Linf_cw_acc": 56.17, "Linf_aa_acc": 53.48,
    "corruptions": {"fog": LEVELS, "saturate": LEVELS},
}  # fmt: skip
TRAIN = {"seed": 0, "best_epoch": 75, "pgd": [1.0, 2.0], "timestamp": "2022-01-01"}


def entry(arch=None, **test):
    tests = [{**TEST, **test}]
    return {"arch_id": 1, "arch": {**ARCH, **(arch or {})}, "MACs": 1e9, "Params": 2e7,
            "train": [TRAIN], "test_best": tests}  # fmt: skip


def write(folder, *entries):
    path = folder / "cifar10.jsonl"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in entries))
    return path


def test_a_line_is_a_network(tmp_path):
    other = entry({"D3": 4}, Linf_aa_acc=None, corruptions={})
    truth = open_truth(write(tmp_path, entry(), other))
    table = truth.targets()
    first = "nares_4x8-5x10-7x16"
    row = table.loc[first]
    assert row[["clean", "fgsm@8", "pgd@8"]].tolist() == [0.8857, 0.6268, 0.5739]
    assert row["pgd-cw@Linf@8"] == 0.5617
    assert row["apgd-ce_and_apgd-t@Linf@8"] == 0.5348
    assert row[[f"fog@{s}" for s in range(1, 6)]].tolist() == [0.79, 0.78, 0.77, 0.76, 0.75]
    assert row["mean corruption"] == 0.77
    assert not any("saturate" in name for name in table)
    assert table["fog@1"].isna().tolist() == [False, True]
    assert truth.facts.sentence == (
        "Truth: NARes (Zheng et al., 2025): 2 of the 15,625 WideResNets of NARes, adversarially "
        "trained with PGD at ε = 8 (ℓ∞, 7 steps of 2)."
    )


FAULTS = {
    "a width": (entry({"W1": 9}), "line 1: expected W1 of 8, 10, 12, 14, 16, found 9"),
    "a choice": ({"arch": {"D1": 4}, "test_best": [TEST]}, "expected arch with D1"),
    "no test": (entry() | {"test_best": []}, "expected one test under test_best"),
    "no clean": (entry(test_clean_acc=None), "expected test_clean_acc"),
    "fractions": (entry(test_clean_acc=0.8857), "are they fractions"),
    "above 100": (entry(Linf_pgd_acc=574), "Linf_pgd_acc: expected an accuracy in %"),
    "a corruption": (entry(corruptions={"mud": LEVELS}), "expected a corruption of CIFAR-10-C"),
    "a severity": (entry(corruptions={"fog": {"1": {"acc": 1}}}), "expected acc at severity 2"),
    "a list": ([1], "expected an object with arch and test_best"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_laid_out_otherwise_is_refused(tmp_path, fault):
    content, message = FAULTS[fault]
    with pytest.raises(TruthError, match=message):
        open_truth(write(tmp_path, content))


def test_a_network_twice_or_a_line_cut_short_is_refused(tmp_path):
    with pytest.raises(TruthError, match="is there twice"):
        open_truth(write(tmp_path, entry(), entry()))
    path = write(tmp_path, entry())
    path.write_text(path.read_text()[:100])
    with pytest.raises(TruthError, match="line 1 is not JSON, or cut short"):
        open_truth(path)
    path.write_text("")
    with pytest.raises(TruthError, match="no accuracies on cifar10"):
        open_truth(path)
