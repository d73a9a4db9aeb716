"""A stray score of another kind neither shrinks nor kills a ranking, and is named."""

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from evaluation.correlate import app
from evaluation.ranking.coverage import together
from evaluation.ranking.labels import labels, printable
from evaluation.ranking.printed import print_ranking
from evaluation.ranking.score_columns import RankingError
from evaluation.ranking.table import rank
from evaluation.ranking.where import chosen_scores
from evaluation.report.__main__ import app as report
from evaluation.report.study import study
from evaluation.search.command import app as search
from evaluation.search.proxy_scores import choose_proxies
from evaluation.truths.published import Truth
from tests.score_frames import frame, score_rows
from tests.truth_folder import IDS, write_truth

DIGITS = '{"batch_norm":"calibrated","cells":1,"channels":8}'
STRAY = '{"batch_norm":"calibrated","cells":5,"channels":8}'
BASELINE = {"init": None, "seed": None, "images": None}


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return Truth.open(write_truth(tmp_path_factory.mktemp("truth")))


def store(*strays):
    """Return the scores of 24 networks, as a demo leaves them, and stray ones."""
    few = IDS[:24]
    return frame(
        score_rows("norm", ids=few, settings=DIGITS),
        score_rows("params", ids=few, settings='{"cells":1}', **BASELINE),
        *strays,
    )


@pytest.mark.parametrize(
    ("stray", "said"),
    [
        (
            score_rows("params", ids=IDS[:1], settings='{"cells":5}', **BASELINE),
            "params (cells=5) was computed for 1 of 24 networks: it is left out, since the sample "
            "is one for all; --where cells=5 brings it in.",
        ),
        (
            score_rows("params", ids=IDS[30:31], settings='{"cells":5}', **BASELINE),
            "params (cells=5) was computed for 1 of 24 networks",
        ),
        (score_rows("norm", ids=IDS[:1], settings=STRAY), "norm (cells=5) was computed for 1 of"),
        (score_rows("norm", ids=IDS[:2], settings=DIGITS, init="trained"), "norm (trained) was"),
        (score_rows("norm", ids=IDS[:2], settings=DIGITS, images="cifar10"), "norm (images="),
        (
            score_rows("other", ids=IDS[:3], settings=DIGITS),
            "other (random) was computed for 3 of 24 networks: it is left out, since the sample is "
            "one for all; --proxies with its name brings it in.",
        ),
        (
            score_rows("norm", ids=IDS[:1], settings=DIGITS, seeds=(7,)),
            "Of norm, seed 7 was computed for 1 networks only: it is left out of the mean over",
        ),
        (
            score_rows("dead", ids=IDS[:24], settings=DIGITS, value=np.nan, reason="no path"),
            "dead (random) is defined for 0 of 24 networks (undefined: 24 × no path)",
        ),
        (score_rows("norm", ids=IDS[20:40], settings=STRAY), "norm (cells=5) has 4 of 24 networks"),
    ],
    ids=["baseline", "elsewhere", "cells", "init", "images", "proxy", "seed", "NaN", "disjoint"],
)  # fmt: skip
def test_a_stray_score_is_set_aside_and_named(truth, stray, said):
    expected, found = rank(store(), truth), rank(store(stray), truth)
    assert (found.n, len(found.set_aside)) == (24, 1)
    assert found.set_aside[0].startswith(said)
    pd.testing.assert_frame_equal(found.table, expected.table)
    numbers = study(truth, store(stray))
    assert numbers.left_aside == found.set_aside
    console = Console(record=True, width=300)
    print_ranking(found, console)
    assert found.set_aside[0] in console.export_text()
    # Named, a proxy is there; what is stray among its own scores is set aside all the same.
    proxies = sorted({row["proxy"] for row in stray} | {"norm"})
    if said.startswith(("norm", "Of norm", "params")):
        assert rank(store(stray), truth, proxies=["params", "norm"]).n == 24
    elif "other" in proxies:
        assert rank(store(stray), truth, proxies=proxies).n == 3


def test_baselines_of_all_networks_make_no_proxy_sparse(truth):
    few = store(score_rows("params", ids=IDS[24:], settings='{"cells":1}', **BASELINE))
    found = rank(few, truth)
    assert (found.n, found.set_aside) == (24, ())


def test_seeds_that_are_asked_for_are_all_averaged(truth):
    some = store(score_rows("norm", ids=IDS[:5], settings=DIGITS, seeds=(7,)))
    assert rank(some, truth, seeds=[0, 7]).n == 5


def test_groups_are_kept_while_half_of_the_largest_is_common():
    assert together([]) == []
    assert together([range(10)]) == [True]
    assert together([range(10), range(5), range(4)]) == [True, True, False]
    assert together([range(5), range(6, 20), range(10, 20)]) == [False, True, True]
    # Each has three fifths of the first, all of them together have less than half.
    assert together([range(10), range(6), range(4, 10)]) == [True, True, False]


def test_where_chooses_by_key(truth):
    both = store(score_rows("norm", ids=IDS[:24], settings=STRAY, images="cifar10", seeds=(0, 1)))
    for words, columns, seeds in (
        (["images=digits"], {"norm", "params"}, 1),
        (["cells=5"], {"norm"}, 2),
        (["cells=5.0", "seed=1"], {"norm"}, 1),
        (["images=CIFAR10", "init=random"], {"norm", "params"}, 2),
    ):
        chosen = chosen_scores(both, words)
        assert set(chosen["proxy"]) == columns
        table = rank(chosen, truth, targets=["clean"]).table
        assert table.loc[table["proxy"] == "norm", "seeds"].tolist() == [seeds]
    assert len(chosen_scores(both, ["seed=0", "seed=1"])) == len(both)
    assert chosen_scores(both, []) is both


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("image=digits", "unknown key 'image' in --where (did you mean 'images'?); the scores"),
        ("cell=5", "(did you mean 'cells'?)"),
        ("images=digit", "no score has images=digit (did you mean 'digits'?); there is digits"),
        ("cells=7", "no score has cells=7; there is 1"),
        ("digits", "--where takes key=value"),
        ("init=", "--where takes key=value"),
    ],
)
def test_a_condition_that_fits_nothing_says_what_there_is(truth, tmp_path, word, message):
    store().to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(RankingError) as caught:
        chosen_scores(store(), [word])
    assert message in str(caught.value)
    words = ["--truth", str(truth.root), "--scores", str(tmp_path / "s.csv"), "--where", word]
    for command in (app, report, search):
        result = CliRunner().invoke(command, words, env={"COLUMNS": "300"})
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
        assert message in result.stderr


def test_conditions_that_leave_baselines_alone_are_refused():
    two = store(score_rows("norm", settings=STRAY, images="cifar10"))
    with pytest.raises(RankingError, match="no score but those of baselines satisfies all of"):
        chosen_scores(two, ["images=digits", "channels=8", "cells=5"])


def test_a_stray_column_leaves_the_name_of_a_proxy_clear_to_a_search():
    wide, stray = score_rows("norm", settings=DIGITS), score_rows("norm", (0,), IDS[:1], STRAY)
    (found,) = choose_proxies(frame(wide, stray), ["-norm"])
    assert found.name == "−norm (cells=1)"
    (other,) = choose_proxies(frame(wide, stray), ["norm (cells=5)"])
    assert np.isfinite(other.values).sum() == 1
    with pytest.raises(RankingError, match=r"unknown proxy 'nrom'.*did you mean 'norm"):
        choose_proxies(frame(wide), ["nrom"])


def test_labels_are_printable_and_each_once():
    first, second = ("a\nb\x00", "", "", "{}"), ("a b�", "", "", "{}")
    assert labels([first, second]) == ["a b�", "a b� #2"]
    long = [(f"{'x' * 5000}{end}", "", "", "{}") for end in "ab"]
    names = labels(long)
    assert len(set(names)) == 2
    assert max(map(len, names)) <= 83
    assert printable("") == "�"
