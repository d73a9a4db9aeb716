"""A search of every space, with every kind of truth: by the space's record, and no more."""

import pickle
import random
import time
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from evaluation.ranking.roster import Roster
from evaluation.search import live_setup
from evaluation.search.base import search
from evaluation.search.candidates import of_index, of_record
from evaluation.search.command import app
from evaluation.search.live_setup import live_candidates
from evaluation.search.objectives import ObjectiveError
from evaluation.search.recorded import Drawn
from evaluation.search.registry import ALGORITHMS
from testbed.spaces import registry
from testbed.store import read_robustness
from testbed.train.recipe import PRESETS
from tests.thorough import thorough
from tests.tiny_space import Tiny, TinySpace

WORD = "tests.tiny_space:TinySpace"
PLAIN = [a for a in ALGORITHMS.values() if a.needs != "proxy" and not a.extra]


class Vast(TinySpace):
    """A space of 10³⁰ networks, whose neighbours are its own idea."""

    key = "vast"
    title = "the vast space"
    choices: ClassVar = {name: range(10**10) for name in Tiny._fields}

    def representative(self, genotype):
        return Tiny(*sorted(genotype[:2]), genotype.width)

    def draw(self, source):
        return Tiny(*(source.randrange(10**10) for _ in range(3)))

    def neighbours(self, genotype):
        return [genotype._replace(width=(genotype.width + step) % 10**10) for step in (-1, 1)]

    def encode(self, genotypes):
        return np.array(genotypes, dtype=np.float32) / 1e10


class Ring(TinySpace):
    """The tiny space with fewer neighbours than changed choices make."""

    key = "ring"

    def parse(self, text):
        return super().parse(text.replace("ring", "tiny", 1))

    def name(self, genotype):
        return str(genotype).replace("tiny", "ring", 1)

    def neighbours(self, genotype):
        place = self.genotypes.index(genotype)
        return [self.genotypes[(place + step) % 27] for step in (-1, 1)]


@pytest.fixture(autouse=True)
def only_here():
    yield
    for key in ("tiny", "vast", "ring"):
        registry.forget(key)


def invoke(*arguments, code=0):
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.output


@pytest.mark.parametrize("record", [registry.get("darts"), Vast()], ids=["darts", "vast"])
def test_a_space_too_large_to_be_listed_is_drawn_from(record):
    space = of_record(record).space
    assert isinstance(space, Drawn)
    source = random.Random(3)
    found = space.distinct(40, source)
    assert len(set(found)) == 40
    assert found == of_record(record).space.distinct(40, random.Random(3))
    for candidate in found[:10]:
        genotype = space.genotype(candidate)
        assert space.place(genotype) == candidate == space.canonical(candidate)
        assert record.representative(genotype) == genotype
        reached = {record.representative(one) for one in record.neighbours(genotype)} - {genotype}
        assert {space.genotype(one) for one in space.neighbours(candidate)} == reached
        mutant = space.genotype(space.mutate(candidate, source, 0.25))
        before, after = record.options(genotype), record.options(mutant)
        assert before != after
    some = space.encode(found[:3])
    assert np.array_equal(some, record.encode([space.genotype(one) for one in found[:3]]))
    assert space.name(found[0]) == record.name(space.genotype(found[0]))


def test_mutants_redraw_single_choices():
    space = of_record(registry.get("darts")).space
    source = random.Random(0)
    candidate = space.sample(source)
    own = space.configuration(candidate)
    changed = [
        sum(
            own[k] != v
            for k, v in space.configuration(space.mutate(candidate, source, 0.1)).items()
        )
        for _ in range(50)
    ]
    assert min(changed) >= 1
    assert np.mean(changed) < 6  # of 24


# The forest looks at 20,000 networks before each choice.
@pytest.mark.parametrize(
    "algorithm",
    [pytest.param(a.name, marks=[thorough] * (a.name == "predictor")) for a in PLAIN],
)
def test_every_algorithm_searches_a_space_that_is_drawn_from(algorithm):
    record = Vast()
    space = of_record(record).space

    def width(candidate):
        return float(space.genotype(candidate).width)

    asked = search(ALGORITHMS[algorithm].searcher(), space, width, 40).trajectory
    assert len({query.candidate for query in asked}) == 40
    assert all(space.canonical(query.candidate) == query.candidate for query in asked)
    again = search(ALGORITHMS[algorithm].searcher(), space, width, 40).trajectory
    assert [query.candidate for query in again] == [query.candidate for query in asked]


def test_neighbours_are_those_of_the_record_where_the_space_is_listed_too():
    record = registry.register(Ring())
    candidates = of_record(record)
    space = candidates.space
    assert [space.name(c) for c in space.neighbours(0)] == [
        record.name(record.genotypes[26]), record.name(record.genotypes[1]),
    ]  # fmt: skip
    assert space.restricted([0, 1, 5]).neighbours(0) == [1]
    assert pickle.loads(pickle.dumps(candidates)).space.neighbours(4) == space.neighbours(4)


def test_a_live_search_with_a_proxy_is_among_what_has_scores():
    darts, tiny = registry.get("darts"), registry.get(WORD)
    names = [darts.name(darts.draw(random.Random(seed))) for seed in range(4)]
    scores = pd.DataFrame({"network": [*names, names[0], "|none~0|", "mine"]})
    recipe = PRESETS["tiny"]
    found = live_candidates(darts, recipe, scores, with_proxy=True)
    assert list(found.labels) == names
    assert found.roster.sizes == {"channels": 8, "cells": 1}
    assert "among the 4 networks of the search space of DARTS (1,076," in found.sentence(None, "")
    assert isinstance(live_candidates(darts, recipe, scores, with_proxy=False).space, Drawn)
    with pytest.raises(ObjectiveError, match=r"too many to score.*there are 0.*--scores FILE"):
        live_candidates(darts, recipe, scores.iloc[-2:], with_proxy=True)
    assert len(live_candidates(tiny, recipe, scores, with_proxy=True).space) == 27


def test_few_of_many_networks_are_searched_quickly():
    size = registry.get("size")
    space = of_record(size).space.restricted([7, 9_000, 20_000, 32_000])
    begun = time.process_time()
    found = search(ALGORITHMS["evolution"].searcher(), space, float, 4).trajectory
    assert {query.candidate for query in found} == {7, 9_000, 20_000, 32_000}
    source = random.Random(0)
    assert {space.mutate(7, source, 0.25) for _ in range(2_000)} == {7, 9_000, 20_000, 32_000}
    assert time.process_time() - begun < 1


def test_what_is_searched_is_said_where_it_is_not_all():
    darts, size = registry.get("darts"), registry.get("size")
    some = of_index(pd.Index([darts.example, "darts"]).unique()[:1], Roster(darts))
    assert some.sentence(None, "PGD@8").endswith("that have PGD@8; any two of them are neighbours.")
    whole = of_index(pd.Index(["8:16:24:32:40"]), Roster(size))
    assert whole.sentence(None, "clean") == ""
    assert whole.sentence((1, 2), "clean") == (
        "The search is among the 2 of 32,768 networks of NATS-Bench's size space that have clean."
    )


def table_of(folder, names, targets=("clean", "pgd@2")):
    source = np.random.default_rng(0)
    rows = [
        {"network": name, "target": target, "accuracy": round(source.random(), 3)}
        for name in names for target in targets
    ]  # fmt: skip
    path = folder / "truth.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def names_of(key):
    space, source = registry.get(key), random.Random(1)
    return [space.name(g) for g in dict.fromkeys(space.draw(source) for _ in range(9))]


@pytest.mark.parametrize("key", ["darts", "size", pytest.param(WORD, marks=thorough), "own"])
def test_a_table_of_any_networks_is_searched(key, tmp_path):
    names = [f"nets:net({n})" for n in range(9)] if key == "own" else names_of(key)
    truth = table_of(tmp_path, names)
    asked = [] if key == "own" else ["--space", key]
    proxy = [] if key == "own" else ["--proxy", "params"]
    output = invoke(
        *("--truth", truth, "--objective", "pgd@2", "--queries", 9, "--runs", 1, "--workers", 1),
        *("--algorithm", "random,local,evolution", "--out", tmp_path / "out", "--format", "csv"),
        *asked, *(["--algorithm", "random,local,rank,evolution-filtered", *proxy] if proxy else []),
    )  # fmt: skip
    queries = pd.read_csv(tmp_path / "out" / "trajectories.csv")
    assert set(queries["network"]) == set(names)
    best = pd.read_csv(truth).query("target == 'pgd@2'")["accuracy"].max()
    assert (queries.groupby("algorithm")["best"].max() == best).all()
    assert f"The search is among the {len(names)} " in " ".join(output.split())
    assert "published id" not in output


def test_a_front_of_networks_without_numbers(tmp_path):
    truth = table_of(tmp_path, names_of("darts"))
    output = invoke(
        *("--truth", truth, "--objective", "clean,pgd@2", "--queries", 5, "--runs", 1),
        *("--algorithm", "random"),
    )
    (head,) = [line for line in output.splitlines() if line.split()[-1:] == ["network"]]
    assert head.split() == ["clean", "PGD@2", "network"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--proxy", "params"], "no scores of these networks"),
        (["--where", "init=random"], "add --scores FILE"),
        (["--space", "size"], "no architecture of NATS-Bench's size space"),
        (["--truth-where", "seed=5"], "seed"),
        (["--objective", "fgsm@1"], "known: all, clean, pgd@{2}"),
    ],
)
def test_a_truth_that_cannot_serve_is_one_line(options, words, tmp_path):
    truth = table_of(tmp_path, [f"nets:net({n})" for n in range(5)])
    output = invoke("--truth", truth, "--objective", "pgd@2", *options, code=2)
    (line,) = [line for line in output.splitlines() if line.startswith("error: ")]
    assert words in line


LIVE = [
    *("--live", "--epochs", "1", "--count", "16", "--objective", "fgsm@8", "--queries", "1"),
    *("--format", "csv", "--algorithm", "random"),
]


@pytest.mark.parametrize(
    ("space", "size"),
    [("darts", ("--channels", 1, "--cells", 1)), pytest.param(WORD, (), marks=thorough)],
    ids=["darts", "own"],
)
def test_a_live_search_trains_networks_of_any_space(space, size, tmp_path, monkeypatch):
    output = invoke(*LIVE, "--space", space, *size, "--out", tmp_path)
    queries = pd.read_csv(tmp_path / "trajectories.csv")
    rows = read_robustness(tmp_path / "robustness.sqlite").query("measure == 'fgsm@Linf'")
    assert set(rows["network"]) == set(queries["network"])
    assert queries["value"].tolist() == (
        rows.set_index("network")["accuracy"].loc[queries["network"]].tolist()
    )
    assert "published id" not in output or space == WORD
    key = registry.get(space).key
    assert all(path.name.startswith(key) for path in tmp_path.glob("weights/*.safetensors"))

    def refuse(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(live_setup.TrainingJob, "__call__", refuse)
    invoke(*LIVE, "--space", space, *size, "--out", tmp_path)


def test_sizes_that_a_space_does_not_have_are_refused(tmp_path):
    output = invoke(*LIVE, "--space", "size", "--channels", 4, "--out", tmp_path / "x", code=2)
    assert "have no channels to choose" in output
    assert not (tmp_path / "x").exists()
