"""A search space that a user writes in one file is scored, ranked and searched."""

import json
import pickle
import subprocess
import sys
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from rich.console import Console
from scipy.stats import kendalltau

from evaluation.ranking.roster import Roster, RosterError
from evaluation.ranking.table import RankingError, rank
from evaluation.report.explorer import explorer
from evaluation.report.figures.cell_graphs import cell_graphs
from evaluation.report.gallery import Missing, gallery
from evaluation.report.prose.methods import methods
from evaluation.report.study import study
from evaluation.report.tables import csv_tables
from evaluation.report.write import write_report
from evaluation.search.base import search
from evaluation.search.problem import truth_candidates, truth_problem
from evaluation.search.registry import ALGORITHMS
from evaluation.search.running import Plan, search_truth
from evaluation.truths.facts import NORMAL, TruthFacts
from proxies.compute import app
from testbed import images
from testbed.sources import Choice, RandomSource, chosen_networks
from testbed.spaces import Cell, SearchSpace, SpaceError, registry
from testbed.spaces.selection import space_of_words
from testbed.store import read_scores
from testbed.train.command import app as train
from tests.tiny_space import Tiny, TinySpace

WORD = "tests.tiny_space:TinySpace"


@pytest.fixture(scope="module", autouse=True)
def tiny():
    yield registry.get(WORD)
    registry.forget("tiny")


FACTS = TruthFacts("a table of this test", NORMAL, "27 networks", space=None)


@dataclass
class Table:
    """A truth by name."""

    accuracies: pd.DataFrame
    dataset: str = "digits"
    facts: TruthFacts = field(default=FACTS)

    def targets(self):
        return self.accuracies


def truth_of(names):
    values = np.random.default_rng(0).random((len(names), 2)).round(3)
    return Table(pd.DataFrame(values, pd.Index(names, name="network"), ["clean", "fgsm@1"]))


@pytest.fixture(scope="module")
def scored(tiny, tmp_path_factory):
    """All 27 networks, scored by the command."""
    out = tmp_path_factory.mktemp("tiny") / "scores.sqlite"
    app(
        ["--space", WORD, "--archs", "all", "--proxies", "params,flops,snip,paths_pool_min",
         "--batch-size", "4", "--workers", "1", "--store", str(out), "--show", "2"],
        standalone_mode=False,
    )  # fmt: skip
    return read_scores(out)


def test_what_the_record_says_of_itself(tiny):
    assert tiny.size == len(tiny.genotypes) == len(set(tiny.genotypes)) == 27
    assert [tiny.number(g) for g in tiny.genotypes] == list(range(27))
    assert tiny.genotypes[0] == Tiny(1, 1, 4)
    assert tiny.genotypes[1] == Tiny(1, 1, 8)
    assert all(tiny.parse(tiny.name(g)) == g for g in tiny.genotypes)
    assert all(tiny.compose(tiny.options(g)) == g for g in tiny.genotypes)
    assert set(tiny.neighbours(Tiny(1, 3, 4))) == {
        g for g in tiny.genotypes if sum(a != b for a, b in zip(g, (1, 3, 4), strict=True)) == 1
    }
    for genotype in tiny.genotypes[:5]:
        first, second, width = genotype
        counted = width * (3 * first**2 + 1) + width * (width * second**2 + 1) + 10 * (width + 1)
        assert tiny.parameters(genotype) == counted
    assert tiny.encode(list(tiny.genotypes)).sum(axis=1).tolist() == [3.0] * 27
    assert tiny.cells(Tiny(1, 1, 4)) == ()
    assert tiny.twins(list(tiny.genotypes)) == []


def test_names_say_their_space(tiny):
    assert registry.space_of("tiny-3-5-8") is tiny
    assert registry.space_of("tiny-3-5-9") is None
    assert registry.space_of("|none~0|") is None
    assert space_of_words("tiny-3-5-8") is tiny
    assert space_of_words("sample:3").key == registry.DEFAULT
    assert registry.short_name("tiny-1-1-8") == "1"
    assert registry.short_name("resnet18") == "resnet18"


def test_words_choose_networks(tiny, tmp_path):
    assert tiny.select("0,2-3") == [tiny.genotypes[0], *tiny.genotypes[2:4]]
    assert set(tiny.select("sample:5")) <= set(tiny.select("sample:9")) <= set(tiny.genotypes)
    sizes = [tiny.parameters(g) for g in tiny.select("spread:4")]
    assert sizes == sorted(set(sizes))
    assert sizes[0] == min(map(tiny.parameters, tiny.genotypes))
    listed = tmp_path / "list.txt"
    listed.write_text("# mine\ntiny-1-1-4\n26\n", encoding="utf-8")
    assert tiny.select(str(listed)) == [Tiny(1, 1, 4), Tiny(5, 5, 12)]
    assert space_of_words(str(listed)) is tiny
    for words, said in (("27", "0 to 26"), ("smaple:3", "sample"), ("sample:28", "1 to 27")):
        with pytest.raises(ValueError, match=said):
            tiny.select(words)


def test_a_space_that_cannot_be_listed_is_sampled(tiny):
    class Large(TinySpace):
        key = "large"
        choices: ClassVar = {
            "first": range(1, 1000),
            "second": range(1, 1000),
            "width": range(1, 1000),
        }

        def parameters(self, genotype, **sizes):
            return genotype.width

    large = Large()
    few, many = large.select("sample:5:1"), large.select("sample:20:1")
    assert many[:5] == few
    assert len(set(many)) == 20
    assert len(large.select("spread:6")) == 6
    with pytest.raises(SpaceError, match="too many to list"):
        large.select("all")
    with pytest.raises(ValueError, match="cannot read '7'"):
        large.select("7")


def test_its_networks_are_scored_by_their_sizes_alone(scored, tiny):
    assert len(scored) == 27 * 4
    params = scored[scored["proxy"] == "params"].set_index("network")
    assert {tiny.parse(name): value for name, value in params["value"].items()} == {
        genotype: tiny.parameters(genotype, in_channels=1) for genotype in tiny.genotypes
    }
    settings = params["settings"].iloc[0]
    assert 'channels":1' in settings
    assert "cells" not in settings
    paths = scored[scored["proxy"] == "paths_pool_min"]
    assert paths["value"].isna().all()
    assert "the tiny space has no paths_pool_min" in paths["reason"].iloc[0]


def test_the_same_networks_for_any_order_and_process(tiny):
    source = RandomSource("random", (0.5,), (0.5,), in_channels=1, space=tiny)
    again = pickle.loads(pickle.dumps(source))
    assert again.space is tiny
    one, two = (s.build("tiny-3-1-4", 1).state_dict() for s in (source, again))
    assert all((one[name] == two[name]).all() for name in one)
    script = (
        "import pickle, sys; s = pickle.load(sys.stdin.buffer);"
        "from testbed.spaces import names;"
        "print(names(), s.build('tiny-3-1-4', 1)[1][0].weight.sum().item())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=pickle.dumps(source), capture_output=True, check=True
    )
    assert b"tiny" in done.stdout
    assert repr(source.build("tiny-3-1-4", 1)[1][0].weight.sum().item())[:6].encode() in done.stdout


def test_sizes_that_it_does_not_have_are_refused(tiny):
    with pytest.raises(ValueError, match="no channels to choose"):
        chosen_networks(Choice(space="tiny", archs="0", channels=4), images.load("digits"))
    with pytest.raises(SpaceError, match="did you mean 'tiny'"):
        chosen_networks(Choice(space="tinny"), images.load("digits"))


def test_its_scores_rank_a_table(scored, tiny):
    truth = truth_of(list(map(tiny.name, tiny.genotypes)))
    found = rank(scores := scored[scored["proxy"] != "paths_pool_min"], truth)
    assert found.n == 27
    assert found.population == "27 of the 27 unique networks of the tiny space"
    values = scores[scores["proxy"] == "snip"].set_index("network")["value"]
    row = found.table.query("proxy == 'snip' and target == 'clean'").iloc[0]
    clean = truth.accuracies["clean"]
    expected = kendalltau(values.loc[clean.index], clean).statistic
    assert row["tau"] == pytest.approx(expected)
    assert np.isnan(row["partial_paths"])
    assert not np.isnan(row["partial_params"])
    # The baseline is computed where the scores lack it.
    alone = rank(scores[scores["proxy"] == "snip"], truth, targets=["clean"])
    assert "params" in set(alone.table["proxy"])
    with pytest.raises(RosterError, match="of the tiny space, not of NAS-Bench-201"):
        Roster.of(truth).refuse_other(registry.get("nasbench201"))


def test_scores_that_do_not_fit_are_refused(scored):
    truth = truth_of(["tiny-1-1-4", "tiny-1-1-8"])
    strangers = scored.assign(network="|none~0|+" + scored["network"])
    with pytest.raises(RankingError, match=r"none of the 27 scored networks .* of the tiny space"):
        rank(strangers, truth)


def test_own_networks_of_no_space_are_ranked_too():
    names = [f"mine:net{number}" for number in range(12)]
    truth = truth_of(names)
    scores = pd.DataFrame(
        {"network": names, "proxy": "norm", "init": "own", "images": "digits", "settings": "{}",
         "seed": pd.array([0] * 12, "Int64"), "value": truth.accuracies["clean"].to_numpy()}
    )  # fmt: skip
    found = rank(scores, truth)
    assert (found.n, found.population) == (12, "12 networks")
    assert set(found.table["proxy"]) == {"norm"}  # nothing is known of their size
    row = found.table.query("target == 'clean'").iloc[0]
    assert row["tau"] == 1
    assert np.isnan(row["partial_both"])
    candidates = truth_candidates(truth)
    assert len(candidates.space) == 12
    assert set(candidates.space.neighbours(3)) == {*range(12)} - {3}


def test_it_is_searched(scored, tiny):
    truth = truth_of(list(map(tiny.name, tiny.genotypes)))
    problem = truth_problem(truth, ["fgsm@1"], scored)
    best = truth.accuracies["fgsm@1"].max()
    names = [tiny.name(g) for g in tiny.genotypes]
    assert [problem.candidates.space.name(c) for c in range(27)] == names
    space = problem.candidates.space
    for candidate, genotype in enumerate(tiny.genotypes):
        reached = {space.name(c) for c in space.neighbours(candidate)}
        assert reached == set(map(tiny.name, tiny.neighbours(genotype)))
    plain = [a for a in ALGORITHMS.values() if not a.needs and not a.extra and not a.slow]
    findings = search_truth(
        Plan(plain, queries=27, runs=2, workers=1), problem, Console(quiet=True)
    )
    assert (findings.queries.groupby(["algorithm", "run"])["best"].max() == best).all()
    named = findings.job.candidates.named([0, 26])
    assert named["network"].tolist() == ["tiny-1-1-4", "tiny-5-5-12"]
    assert "id" not in named


def test_a_key_stands_once(tiny):
    class Other(TinySpace):
        pass

    with pytest.raises(SpaceError, match="stands in the table already"):
        registry.register(Other())
    with pytest.raises(SpaceError, match="expected a class"):
        registry.get("tests.tiny_space:KERNELS")
    with pytest.raises(SpaceError, match="did you mean 'TinySpace'"):
        registry.get("tests.tiny_space:TinySpac")
    with pytest.raises(SpaceError, match="cannot be imported"):
        registry.get("no_such_module:Space")
    assert issubclass(Other, SearchSpace)


def test_a_search_asks_by_the_record(tiny):
    names = list(map(tiny.name, tiny.genotypes))
    candidates = truth_candidates(truth_of(names))
    again = pickle.loads(pickle.dumps(candidates))
    assert again.space.names == candidates.space.names
    found = search(
        lambda space, ask, source: [ask(c) for c in space.pool], candidates.space, float, 27, ("a",)
    )
    assert len(found.trajectory) == 27


def test_its_networks_are_trained_and_found_again(tiny, tmp_path):
    weights = tmp_path / "weights"
    train(
        ["--space", WORD, "--archs", "tiny-1-1-4,tiny-1-3-4", "--epochs", "1", "--workers", "1",
         "--out", str(weights)],
        standalone_mode=False,
    )  # fmt: skip
    assert sorted(path.name for path in weights.glob("*.safetensors")) == [
        "tiny-000000-seed0.safetensors", "tiny-000003-seed0.safetensors",
    ]  # fmt: skip
    digits = images.load("digits", split="test")
    source, networks, seeds = chosen_networks(Choice("trained", weights, space="tiny"), digits)
    assert (networks, seeds) == (["tiny-1-1-4", "tiny-1-3-4"], [0])
    assert not {"channels", "cells"} & source.settings(networks[0], 0).keys()
    built = source.build("tiny-1-3-4", 0)
    right = (built(digits.images(torch.arange(len(digits)))).argmax(1) == digits.labels).sum()
    told = json.loads((weights / "tiny-000003-seed0.json").read_text(encoding="utf-8"))
    assert right.item() / len(digits) == pytest.approx(told["test"]["accuracy"])


def test_a_report_says_whose_networks_they_are_and_what_is_not_drawn(tiny, tmp_path):
    names = list(map(tiny.name, tiny.genotypes))
    scores = pd.DataFrame(
        {"network": names, "proxy": "norm", "init": "random", "images": "digits", "settings": "{}",
         "seed": pd.array([0] * 27, "Int64"), "value": range(27), "seconds": 1.0, "run": 1}
    )  # fmt: skip
    found = study(truth_of(names), scores, targets=["clean"])
    text = " ".join(methods(found))
    assert "norm for 27 networks of the tiny space" in text
    assert "Baselines are the number of parameters." in text
    assert "NAS-Bench-201" not in text
    assert "paths_pool_min" not in text
    told = explorer(found)
    assert told["labels"] == list(found.accuracies.index)
    assert (told["graphs"], told["scores"].keys()) == ([], {"norm", "params"})
    said = [item.why for item in gallery(found, ["tiny-1-1-4", "net"]) if isinstance(item, Missing)]
    assert "the tiny space does not say how its networks are drawn" in said
    assert "net is a network of no known search space" in said
    tables = dict(csv_tables(found))
    assert tables["networks"]["network"].tolist() == sorted(names)
    page = write_report(found, tmp_path).read_text(encoding="utf-8")
    assert "of the tiny space, which does not say how its networks are drawn" in page
    assert "paths_pool_min" not in page


def test_cells_are_drawn_as_graphs():
    edges = ((0, 1, "sep_conv_3x3"), (0, 2, "none"), (1, 2, "skip_connect"), (0, 2, "dil_5x5"))
    cell = Cell("normal", ("c_{k-1}", "0", "1"), edges, (True, False, True, True))
    drawn = cell_graphs((cell, cell))
    assert len(drawn.axes) == 2
    written = [text.get_text() for text in drawn.axes[0].texts]
    assert written == ["sep_conv_3x3", "none", "skip", "dil_5x5", "c_{k-1}", "0", "1"]
