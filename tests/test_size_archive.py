"""Archives of NATS-Bench's size space: weights, records, the truth of clean accuracies."""

import bz2
import pickle
import re

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from evaluation.correlate import app as correlate
from evaluation.robustness.command import app as robustness
from evaluation.search.command import app as search
from evaluation.truths import TruthError, open_truth
from proxies.compute import app as compute
from testbed.check_weights import app as check_weights
from testbed.networks.normalise import normalised
from testbed.sources.pretrained import PretrainedSource
from testbed.spaces import registry
from testbed.spaces.nasbench201.archive import DATASETS
from testbed.spaces.nasbench201.archive.errors import (
    ArchiveFileError,
    ForbiddenGlobalError,
    MissingTrialError,
    NotAnArchiveError,
    NoWeightsError,
    WrongArchitectureError,
)
from testbed.spaces.size.archive import open_archive
from testbed.spaces.size.genotype import Genotype
from testbed.store import read_robustness, read_scores
from tests import archive_writer
from tests import size_archive_writer as writer

SPACE = registry.get("size")
NAMES = ("8:8:8:8:16", "8:16:24:8:8", "16:8:8:24:8")
NAME = NAMES[0]
GENOTYPE = Genotype.parse(NAME)
FILE = "000001.pickle.pbz2"
SIMPLE = "NATS-sss-v1_0-50262-simple"  # the official archive


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """An archive of three networks with weights."""
    folder = tmp_path_factory.mktemp("full")
    for name, accuracy in zip(NAMES, (70.0, 90.0, 80.0), strict=True):
        writer.write(folder, name, accuracy=accuracy)
    writer.write_meta(folder)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Forty images named as CIFAR-10's, of both splits."""
    root = tmp_path_factory.mktemp("data")
    (root / "cifar-10-batches-py").mkdir()
    draws = np.random.default_rng(0)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        batch = {
            b"data": draws.integers(0, 256, (40, 3072), dtype=np.uint8),
            b"labels": [number % 10 for number in range(40)],
        }
        (root / "cifar-10-batches-py" / name).write_bytes(pickle.dumps(batch, protocol=2))
    return root


def run(app, *words):
    result = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(("seed", "hp"), [(777, None), (777, "90"), (888, "12")])
def test_weights_are_those_written(full, seed, hp):
    network = open_archive(full).network(GENOTYPE, seed=seed, hp=hp)
    expected = writer.trained_network(GENOTYPE, seed=seed).eval()
    weights = network[1].state_dict()
    assert list(weights) == list(expected.state_dict())
    assert all(torch.equal(weights[name], value) for name, value in expected.state_dict().items())
    data, pixels = DATASETS["cifar10"], torch.rand(2, 3, 8, 8)
    assert torch.equal(network(pixels), normalised(expected, data.mean, data.std)(pixels))
    assert not any(module.training for module in network.modules())


def test_the_official_reader_gives_the_same(full):
    api = pytest.importorskip("nats_bench").create(str(full), "sss", True, False)
    archive = open_archive(full)
    for name in NAMES:
        index = api.query_index_by_arch(name)
        assert index == SPACE.number(SPACE.parse(name))
        for hp, seeds in writer.TRIALS.items():
            assert archive.seeds(index, hp=hp) == seeds
            for seed in seeds:
                record = archive.record(index, seed=seed, hp=hp)
                info = api.get_more_info(index, "cifar10", hp=hp, is_random=seed)
                assert record.test_accuracy == info["test-accuracy"]
                assert record.epochs == int(hp)
                theirs = api.get_net_param(index, "cifar10", seed, hp=hp)
                assert record.has_weights == (theirs is not None)
        ours = archive.network(index)[1].state_dict()
        assert all(torch.equal(ours[key], value) for key, value in theirs.items())
    config = api.arch2infos_dict[index]["90"].query("cifar10", 777).arch_config
    read = record.config
    assert (read.name, read.channels, read.num_classes) == (
        config["name"], config["channels"], config["class_num"],
    )  # fmt: skip


def test_the_real_archive_gives_its_own_figures(real_data):
    folder = real_data / SIMPLE
    if not folder.is_dir():
        pytest.skip(f"the real data have no {SIMPLE}")
    api = pytest.importorskip("nats_bench").create(str(folder), "sss", True, False)
    archive = open_archive(folder)
    for dataset, measure in (("cifar10", "test-accuracy"), ("cifar100", "valtest-accuracy")):
        found = open_truth(folder, dataset).targets()["clean"]
        assert len(found)
        for name, accuracy in found.items():
            info = api.get_more_info(name, dataset, hp="90", is_random=False)
            assert 100 * accuracy == pytest.approx(info[measure], abs=1e-9)
            genotype = SPACE.parse(str(name))
            record = archive.record(genotype, dataset, hp="12")
            classes = DATASETS[dataset].classes
            assert round(1e6 * record.params) == SPACE.parameters(genotype, classes=classes)


def test_the_longest_training_is_meant_and_stands_in_the_keys(full):
    source = PretrainedSource(full, space=SPACE)
    settings = source.settings(NAME, 777)
    assert settings == {
        "archive": {
            "archive": "NATS-Bench size", "name": full.name, "hp": "90", "dataset": "cifar10",
        }
    }  # fmt: skip
    assert settings == PretrainedSource(full, hp="90", space=SPACE).settings(NAME, 777)
    copy = pickle.loads(pickle.dumps(source))
    pixels = torch.rand(1, 3, 8, 8)
    assert torch.equal(copy.build(NAME, 777)(pixels), source.build(NAME, 777)(pixels))
    assert len(pickle.dumps(source)) < 1000


def altered(**changes):
    """A file's content whose trial of 90 epochs is another; ``arch_config`` is updated."""

    def change(found):
        trial = found["90"]["all_results"]["cifar10", 777]
        trial["arch_config"].update(changes.pop("arch_config", {}))
        trial.update(changes)

    return change


def named(arch, index=1):
    def change(found):
        for results in found.values():
            results.update(arch_str=arch, arch_index=index)

    return change


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (altered(net_state_dict=None), NoWeightsError, r"no weights of hp 90.*50262-full"),
        (altered(net_state_dict={}), ArchiveFileError, "missing"),
        (altered(net_state_dict=[1]), ArchiveFileError, "expected weights by name"),
        (altered(epochs=12), ArchiveFileError, r"epochs from 0 to 11"),
        (altered(epochs=91), ArchiveFileError, r"expected 90 epochs for hp 90; got 91"),
        (altered(eval_acc1es={"ori-test@89": 101.0}), ArchiveFileError, "ori-test@89"),
        (altered(arch_config={"genotype": "|none~0|"}), ArchiveFileError, "none~0"),
        (altered(arch_config={"channels": "8:8:8:8:8"}), ArchiveFileError, "as channels"),
        (altered(arch_config={"class_num": 10**9}), ArchiveFileError, "classes from 1"),
        (altered(arch_config={"class_num": 100}), ArchiveFileError, "10 classes; got 100"),
        (altered(arch_config={"arch_str": "8:8:8:8:8", "channels": "8:8:8:8:8"}),
         WrongArchitectureError, "but says that it is 8:8:8:8:8"),
        (named("8:8:8:8:24"), WrongArchitectureError, "says that it is 1, 8:8:8:8:24"),
        (named(NAME, 2), WrongArchitectureError, "says that it is 2, 8:8:8:8:16"),
        (named("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"), WrongArchitectureError,
         r"topology space.*add --space nasbench201"),
        (lambda found: found.pop("90"), MissingTrialError, r"no hp '90'; it has 01, 12"),
        (lambda found: found["90"].pop("arch_str"), ArchiveFileError, "KeyError"),
    ],
)  # fmt: skip
def test_what_is_not_the_networks_file_is_refused(tmp_path, change, error, message):
    found = writer.content(GENOTYPE)
    change(found)
    archive_writer.write_nats(tmp_path, 1, found)
    with pytest.raises(error, match=message):
        open_archive(tmp_path).network(GENOTYPE)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_file_is_named(tmp_path, full, share):
    raw = (full / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(raw[: int(share * len(raw))])
    with pytest.raises(ArchiveFileError, match=f"{FILE} is truncated or not"):
        open_archive(tmp_path).network(GENOTYPE)


class _Malice:
    def __reduce__(self):
        return print, ("run",)


def test_no_pickled_code_is_run(tmp_path, capsys):
    (tmp_path / FILE).write_bytes(bz2.compress(pickle.dumps({"90": _Malice()})))
    for read in (lambda: open_archive(tmp_path).network(GENOTYPE), lambda: open_truth(tmp_path)):
        with pytest.raises((ForbiddenGlobalError, TruthError), match="print"):
            read()
    assert capsys.readouterr().out == ""


def test_an_archive_of_nas_bench_201_is_none(tmp_path):
    (tmp_path / "000001-FULL.pth").touch()
    with pytest.raises(NotAnArchiveError, match="expected one of the size space"):
        open_archive(tmp_path)


# --- the truth --------------------------------------------------------------------------


def test_its_clean_accuracies_are_a_truth_by_name(full):
    truth = open_truth(full)
    assert truth.targets()["clean"].to_dict() == {NAMES[0]: 0.7, NAMES[1]: 0.9, NAMES[2]: 0.8}
    assert truth.targets().index.name == "network"
    assert truth.facts.space == "size"
    assert truth.facts.sentence == (
        "Truth: an archive of NATS-Bench's size space: 3 networks of NATS-Bench's size space, "
        "normally trained."
    )
    with pytest.raises(TruthError, match=r"no data set 'cifar100' for hp 90; it has cifar10"):
        open_truth(full, "cifar100").targets()


def test_files_of_both_spaces_in_one_folder_are_refused(tmp_path):
    writer.write(tmp_path, NAME, weights=False)
    archive_writer.write_nats(tmp_path, 11)
    with pytest.raises(TruthError, match=r"000011.* is of NATS-Bench's topology space"):
        open_truth(tmp_path).targets()


# --- the commands -----------------------------------------------------------------------


def test_networks_of_the_archive_are_scored_ranked_and_searched(full, data, tmp_path):
    store = tmp_path / "s.sqlite"
    images = ("--images", "cifar10", "--data-root", data)
    run(compute, "--space", "size", "--init", "pretrained", "--archive", full, *images, "--archs",
        ",".join(NAMES), "--proxies", "params,jacobian_norm", "--batch-size", 4, "--workers", 1,
        "--store", store)  # fmt: skip
    scores = read_scores(store)
    assert set(scores["network"]) == set(NAMES)
    assert set(scores[scores["proxy"] == "jacobian_norm"]["init"]) == {"pretrained"}
    where = ("--truth", full, "--scores", store, "--space", "size")
    said = run(correlate, *where, "--targets", "clean")
    assert "n = 3 of the 32,768 unique networks of NATS-Bench's size space" in said
    said = run(search, *where, "--objective", "clean", "--algorithm", "random", "--queries", 3,
               "--runs", 1, "--workers", 1, "--out", tmp_path / "search")  # fmt: skip
    assert re.search(rf"random +90\.00.*random +{NAMES[1]}", said, re.DOTALL)


def test_networks_of_the_archive_are_attacked(full, data, tmp_path):
    store = tmp_path / "r.sqlite"
    run(robustness, "--space", "size", "--init", "pretrained", "--archive", full, "--hp", "12",
        "--images", "cifar10", "--data-root", data, "--archs", NAME, "--attacks", "fgsm",
        "--epsilons", 1, "--count", 4, "--workers", 1, "--store", store)  # fmt: skip
    rows = read_robustness(store)
    assert set(rows["measure"]) == {"clean", "fgsm@Linf"}
    assert all('"hp":"12"' in settings for settings in rows["settings"])


def test_the_record_is_compared_with_what_the_weights_do(full, data):
    words = (full, "--archs", NAME, "--data-root", data)
    result = CliRunner().invoke(check_weights, [str(word) for word in words])
    assert result.exit_code == 1  # the accuracies are made up
    assert "cifar10, hp 90, seed 777" in result.output
    assert "70.00" in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--space", "size", "--hp", "200"], "no hp '200'; it has 01, 12, 90"),
        (["--space", "size", "--hp", "01"], "no weights of hp 01"),
        (["--space", "size", "--seeds", "888"], "no seed 888 for cifar10, hp 90; it has 777"),
        (["--space", "nasbench201"], "add --space size"),
        (["--space", "darts", "--archs", "sample:1"], "no network of cifar10 in any known archive"),
    ],
)
def test_what_the_archive_lacks_is_said_in_one_line(full, data, words, message):
    result = CliRunner().invoke(
        compute, ["--init", "pretrained", "--archive", str(full), "--images", "cifar10",
                  "--data-root", str(data), "--archs", "1", *words],
    )  # fmt: skip
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert len(result.stderr.splitlines()) == 1
