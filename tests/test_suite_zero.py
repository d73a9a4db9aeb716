import json
import math

import pandas as pd
import pytest
from typer.testing import CliRunner

from evaluation.correlate import app
from evaluation.ranking.suite_zero import read_any_scores, read_suite_zero
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.store import StoreError
from testbed.store.scores import SCORES
from tests.truth_folder import IDS, write_truth

# Source by source: 0→1, 0→2, 0→3, 1→2, 1→3, 2→3.
CODES = {
    "skip_connect": 0, "none": 1, "nor_conv_3x3": 2, "nor_conv_1x1": 3, "avg_pool_3x3": 4,
}  # fmt: skip


def key_of(genotype):
    op01, op02, op12, op03, op13, op23 = genotype.operations
    return str(tuple(CODES[op] for op in (op01, op02, op03, op12, op13, op23)))


def write(path, ids=IDS, **extra):
    table = {
        key_of(Genotype.from_index(i)): {
            "synflow": {"score": float(i % 7), "time": 0.25},
            "params": {"score": i, "time": 0.1},
            "val_accuracy": 91.5,
        }
        for i in ids
    }
    path.write_text(json.dumps({"cifar10": table, **extra}))
    return path


def test_the_edge_order_is_the_authors():
    # Written by hand from the authors' conversion of a string to indices.
    string = (
        "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_3x3~2|"
    )
    assert key_of(Genotype.parse(string)) == "(4, 0, 3, 1, 4, 2)"


@pytest.mark.parametrize("key", ["(4, 0, 3, 1, 4, 2)", "(4,0,3,1,4,2)"])
def test_a_key_becomes_its_architecture(tmp_path, key):
    path = tmp_path / "zc.json"
    path.write_text(json.dumps({"cifar10": {key: {"snip": {"score": 2, "time": 1}}}}))
    (row,) = read_suite_zero(path).itertuples()
    assert row.network == (
        "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_3x3~2|"
    )
    assert (row.proxy, row.value, row.seconds, row.images) == ("snip", 2, 1, "cifar10")


def test_the_table_has_the_columns_and_types_of_read_scores(tmp_path):
    scores = read_any_scores(write(tmp_path / "zc.json"))
    assert {name: str(kind) for name, kind in scores.dtypes.items()} == SCORES.types
    assert sorted(set(scores["proxy"])) == ["params", "synflow"]
    assert len(scores) == 2 * len(IDS)
    synflow = scores[scores["proxy"] == "synflow"]
    assert synflow["value"].tolist() == [i % 7 for i in IDS]
    assert synflow["network"].tolist() == [str(Genotype.from_index(i)) for i in IDS]
    assert scores["seed"].isna().all()


@pytest.mark.parametrize(
    ("score", "reason"), [(math.nan, "nan"), (math.inf, "inf"), (-1e8, "-1e+08")]
)
def test_a_failed_score_is_undefined_with_a_reason(tmp_path, score, reason):
    path = tmp_path / "zc.json"
    entry = {"jacov": {"score": score, "time": 1}, "snip": {"score": -1e7, "time": 1}}
    path.write_text(json.dumps({"cifar10": {"(0, 0, 0, 0, 0, 0)": entry}}))
    jacov, snip = read_suite_zero(path).itertuples()
    assert math.isnan(jacov.value)
    assert jacov.reason == f"{reason} in the file"
    assert snip.value == -1e7
    assert pd.isna(snip.reason)


FAULTS = {
    "a list": ([], "no data set 'cifar10'.*zc_nasbench201.json has"),
    "another data set": ({"svhn": {}}, "no data set 'cifar10'.*there: svhn"),
    "empty": ({"cifar10": {}}, "expected architectures at"),
    "five edges": ({"cifar10": {"(0, 0, 0, 0, 0)": {}}}, "expected six operations 0 to 4"),
    "operation 5": ({"cifar10": {"(0, 0, 0, 0, 0, 5)": {}}}, "expected six operations 0 to 4"),
    "a string": ({"cifar10": {"|none~0|": {}}}, "expected six operations 0 to 4"),
    "no proxies": ({"cifar10": {"(0, 0, 0, 0, 0, 0)": 1}}, "expected proxies, found 1"),
    "a bare score": (
        {"cifar10": {"(0, 0, 0, 0, 0, 0)": {"snip": 1.5}}},
        "no entry of .* is a score, an object with a number 'score'",
    ),
    "a score as text": (
        {"cifar10": {"(0, 0, 0, 0, 0, 0)": {"snip": {"score": "1"}}}},
        "no entry of .* is a score, an object with a number 'score'",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_file_is_refused(tmp_path, fault):
    content, message = FAULTS[fault]
    path = tmp_path / "zc.json"
    path.write_text(json.dumps(content))
    with pytest.raises(StoreError, match=message):
        read_any_scores(path)


def test_missing_and_truncated_files_are_refused(tmp_path):
    with pytest.raises(StoreError, match="there is no file"):
        read_any_scores(tmp_path / "zc.json")
    path = write(tmp_path / "zc.json")
    path.write_text(path.read_text()[:-5])
    with pytest.raises(StoreError, match="is not JSON, or cut short"):
        read_any_scores(path)


def test_the_command_reads_it(tmp_path):
    scores, truth = write(tmp_path / "zc.json"), write_truth(tmp_path / "truth")
    words = ["--scores", str(scores), "--truth", str(truth), "--statistics", "--targets", "clean"]
    result = CliRunner().invoke(app, words, env={"COLUMNS": "140"})
    assert result.exit_code == 0, result.output
    assert "n = 40 of the 6,466 unique networks" in result.stdout
    assert "synflow" in result.stdout
    assert "given params" in result.stdout
    result = CliRunner().invoke(app, [*words, "--dataset", "svhn"])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
