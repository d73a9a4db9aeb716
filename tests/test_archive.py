"""Trained networks from archives: what is read, and that it is what was written."""

import pickle

import pytest
import torch

from testbed import images
from testbed.networks.normalise import normalised
from testbed.spaces.nasbench201.archive import DATASETS, open_archive
from testbed.spaces.nasbench201.archive.errors import (
    MissingArchitectureError,
    NotAnArchiveError,
    NotEnoughMemoryError,
)
from testbed.spaces.nasbench201.archive.torch_files import read_torch_file
from testbed.spaces.nasbench201.genotype import Genotype
from tests import archive_writer as writer

INDEX = 11
SIMPLE = "NATS-tss-v1_0-3ffb9-simple"


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    root = tmp_path_factory.mktemp("archives")
    writer.write_nats(root / "nats", INDEX)
    writer.write_nasbench201(root / "legacy", INDEX)
    writer.write_nasbench201(root / "zip", INDEX, legacy=False)
    return root


@pytest.mark.parametrize("kind", ["nats", "legacy", "zip"])
@pytest.mark.parametrize(
    "key", [("cifar10", 777, "200"), ("cifar10", 888, "200"), ("cifar100", 777, "200"),
            ("cifar10-valid", 777, "200"), ("cifar10", 111, "12")],
)  # fmt: skip
def test_weights_are_those_written(archives, kind, key):
    dataset, seed, _ = key
    expected = writer.trained_network(Genotype.from_index(INDEX), dataset, seed)
    state = torch.get_rng_state()
    network = open_archive(archives / kind).network(INDEX, *key)
    assert torch.equal(torch.get_rng_state(), state)
    weights = network[1].state_dict()
    assert list(weights) == list(expected.state_dict())
    for name, value in expected.state_dict().items():
        assert weights[name].dtype == value.dtype
        assert torch.equal(weights[name], value), name
    assert all(value.is_contiguous() for value in weights.values())
    assert not any(module.training for module in network.modules())
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("kind", ["nats", "legacy", "zip"])
def test_tensors_may_be_views_of_one_storage(tmp_path, kind):
    content = writer.content(INDEX)
    state = content["200"]["all_results"]["cifar10", 777]["net_state_dict"]
    numbers = torch.arange(200.0)
    weight, bias = numbers[20:180].view(16, 10).T, numbers[5:25:2]
    state["classifier.weight"], state["classifier.bias"] = weight, bias
    if kind == "nats":
        writer.write_nats(tmp_path, INDEX, content)
    else:
        path = tmp_path / "000011-FULL.pth"
        torch.save(writer.by_length(content), path, _use_new_zipfile_serialization=kind == "zip")
    classifier = open_archive(tmp_path).network(INDEX)[1].classifier
    assert torch.equal(classifier.weight, weight)
    assert torch.equal(classifier.bias, bias)


def test_network_takes_pixels_and_normalises_as_the_archive_did(archives):
    network = open_archive(archives / "nats").network(INDEX)
    inner = writer.trained_network(Genotype.from_index(INDEX)).eval()
    pixels = torch.rand(2, 3, 32, 32)
    mean = torch.tensor([125.3, 123.0, 113.9])[:, None, None]
    std = torch.tensor([63.0, 62.1, 66.7])[:, None, None]
    torch.testing.assert_close(network(pixels), inner((pixels * 255 - mean) / std))
    assert network(pixels).shape == (2, 10)


@pytest.mark.parametrize(
    ("name", "mean", "std", "classes"),
    [  # as AutoDL-Projects trains
        ("cifar10-valid", (125.3, 123.0, 113.9), (63.0, 62.1, 66.7), 10),
        ("cifar10", (125.3, 123.0, 113.9), (63.0, 62.1, 66.7), 10),
        ("cifar100", (129.3, 124.1, 112.4), (68.2, 65.4, 70.4), 100),
        ("ImageNet16-120", (122.68, 116.66, 104.01), (63.22, 61.26, 65.09), 120),
    ],
)
def test_normalisation(name, mean, std, classes):
    data = DATASETS[name]
    assert data.mean == pytest.approx([value / 255 for value in mean])
    assert data.std == pytest.approx([value / 255 for value in std])
    assert data.classes == classes
    assert data.images in images.NAMES


def test_a_genotype_its_index_and_another_width(tmp_path):
    writer.write_nats(tmp_path, 284, channels=6, cells=2)
    archive = open_archive(tmp_path)
    one, other = archive.network(284), archive.network(Genotype.from_index(284))
    pixels = torch.rand(1, 3, 32, 32)
    assert torch.equal(one(pixels), other(pixels))
    expected = writer.trained_network(Genotype.from_index(284), channels=6, cells=2).eval()
    data = DATASETS["cifar10"]
    assert torch.equal(one(pixels), normalised(expected, data.mean, data.std)(pixels))


@pytest.mark.parametrize("kind", ["nats", "legacy", "zip"])
def test_record(archives, kind):
    archive = open_archive(archives / kind)
    record = archive.record(INDEX, "cifar100")
    assert (record.index, record.arch) == (INDEX, str(Genotype.from_index(INDEX)))
    assert (record.dataset, record.seed, record.hp, record.epochs) == ("cifar100", 777, "200", 3)
    assert record.params == pytest.approx(0.802426)
    assert record.flop == pytest.approx(113.95137)
    assert record.curves["train"] == {0: 50.0, 1: 51.0, 2: 52.0}
    assert record.accuracies == {
        "train": 52.0, "ori-test": 91.79, "x-valid": 91.79, "x-test": 91.79,
    }  # fmt: skip
    config = record.config
    assert (config.name, config.C, config.N, config.num_classes) == ("infer.tiny", 4, 1, 100)
    assert record.has_weights
    assert archive.seeds(INDEX) == (777, 888)
    assert archive.seeds(INDEX, hp="12") == (111,)


def test_settings_tell_archives_and_trials_apart(archives):
    nats, old = open_archive(archives / "nats"), open_archive(archives / "legacy")
    settings = [
        nats.settings(), nats.settings(seed=888), nats.settings(dataset="cifar100"),
        nats.settings(hp="12"), old.settings(),
    ]  # fmt: skip
    assert len({tuple(found.items()) for found in settings}) == 5
    assert settings[0]["name"] == "nats"


def test_one_file_is_read_for_one_network(archives, tmp_path):
    content = (archives / "nats" / "000011.pickle.pbz2").read_bytes()
    for name in ("000011.pickle.pbz2", "000012.pickle.pbz2", "meta.pickle.pbz2"):
        (tmp_path / name).write_bytes(content if name.startswith("000011") else b"unreadable")
    archive = open_archive(tmp_path)
    assert archive.network(INDEX)(torch.rand(1, 3, 32, 32)).shape == (1, 10)
    (tmp_path / "000011.pickle.pbz2").write_bytes(b"unreadable")
    archive.record(INDEX)  # nor is the file read twice


@pytest.mark.parametrize("kind", ["legacy", "zip"])
def test_tensors_stay_in_the_file_until_they_are_read(archives, kind, tmp_path):
    path = tmp_path / "000011-FULL.pth"
    path.write_bytes(next((archives / kind).glob("*-FULL.pth")).read_bytes())
    content = read_torch_file(path)
    stored = content["full"]["all_results"]["cifar10", 777]["net_state_dict"]["stem.0.weight"]
    assert stored.read().shape == (4, 3, 3, 3)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        stored.read()


def test_archive_goes_to_another_process_without_what_it_read(archives):
    archive = open_archive(archives / "nats")
    archive.record(INDEX)
    copy = pickle.loads(pickle.dumps(archive))
    assert len(pickle.dumps(archive)) < 500
    assert copy.record(INDEX) == archive.record(INDEX)


def test_files_with_weights_come_first(tmp_path):
    writer.write_nasbench201(tmp_path, INDEX, suffix="SIMPLE", weights=False)
    assert not open_archive(tmp_path).record(INDEX).has_weights
    writer.write_nasbench201(tmp_path, INDEX)
    assert open_archive(tmp_path).record(INDEX).has_weights


def test_single_file(tmp_path, monkeypatch):
    path = writer.write_single(tmp_path / "NAS-Bench-201-v1_1-096897.pth", [3, INDEX])
    archive = open_archive(path)
    assert archive.record(INDEX).accuracies["ori-test"] == 91.79
    assert archive.record(3).arch == str(Genotype.from_index(3))
    assert len(pickle.dumps(archive)) < 500
    with pytest.raises(MissingArchitectureError, match="no architecture 4; it has 2"):
        archive.record(4)
    monkeypatch.setattr("testbed.spaces.nasbench201.archive.layouts.free_memory", lambda: 1000)
    with pytest.raises(NotEnoughMemoryError, match=r"0.0 GB are free.*3ffb9-simple"):
        open_archive(path).record(INDEX)
    monkeypatch.setattr("testbed.spaces.nasbench201.archive.layouts.free_memory", lambda: None)
    assert open_archive(path).record(INDEX) == archive.record(INDEX)


def test_other_paths_are_told(tmp_path):
    def complaint(path):
        with pytest.raises(NotAnArchiveError) as error:
            open_archive(path)
        return str(error.value)

    (tmp_path / "notes.txt").touch()
    (tmp_path / "NATS-tss-v1_0-3ffb9-full").mkdir()
    assert "holds NATS-tss-v1_0-3ffb9-full, notes.txt; expected" in complaint(tmp_path)
    assert "holds nothing" in complaint(tmp_path / "NATS-tss-v1_0-3ffb9-full")
    assert "there is no" in complaint(tmp_path / "nowhere")
    assert "another kind; expected" in complaint(tmp_path / "notes.txt")
    for name, hint in [
        ("000011.pickle.pbz2", f"one architecture .*; give the folder, {tmp_path}"),
        ("000011-FULL.pth", "one architecture"),
        ("NATS-tss-v1_0-3ffb9-full.taraa", "unpack it first"),
        ("NATS-tss-v1_0-3ffb9.pickle.pbz2", "take the folder"),
    ]:
        path = tmp_path / name
        path.touch()
        with pytest.raises(NotAnArchiveError, match=hint):
            open_archive(path)


def test_official_reader_reads_what_we_write(tmp_path):
    create = pytest.importorskip("nats_bench").create
    writer.write_nats(tmp_path, INDEX)
    writer.write_meta(tmp_path)
    api = create(str(tmp_path), "tss", fast_mode=True, verbose=False)
    api.reload(str(tmp_path), INDEX)
    theirs = api.get_net_param(INDEX, "cifar10", seed=777, hp="200")
    ours = open_archive(tmp_path).network(INDEX)[1].state_dict()
    assert list(theirs) == list(ours)
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs)


@pytest.mark.parametrize("index", [0, 11, 284])
def test_real_files_agree_with_the_official_package(real_data, index, capfd):
    create = pytest.importorskip("nats_bench").create
    folder = real_data / SIMPLE
    api = create(str(folder), "tss", fast_mode=True, verbose=False)
    archive = open_archive(folder)
    compared = 0
    for hp in ("12", "200"):
        for dataset in DATASETS:
            for seed in archive.seeds(index, dataset, hp):
                record = archive.record(index, dataset, seed, hp)
                found = api.get_more_info(index, dataset, hp=hp, is_random=seed)
                names = {"train": "train", "valid": "x-valid", "test": "ori-test"}
                if DATASETS[dataset].classes > 10:
                    names |= {"test": "x-test", "valtest": "ori-test"}
                theirs = {
                    split: found[f"{name}-accuracy"]
                    for name, split in names.items()
                    if f"{name}-accuracy" in found
                }
                assert record.accuracies == theirs
                assert not record.has_weights
                compared += len(theirs)
                cost = api.get_cost_info(index, dataset, hp)
                assert (record.params, record.flop) == pytest.approx(
                    (cost["params"], cost["flops"])
                )
    assert compared == (2 * 3 + 2 + 4 + 4) + 3 * (3 + 2 + 4 + 4)  # trials × splits
    assert capfd.readouterr().out == ""


def test_real_curves_agree_with_the_official_package(real_data):
    create = pytest.importorskip("nats_bench").create
    api = create(str(real_data / SIMPLE), "tss", fast_mode=True, verbose=False)
    record = open_archive(real_data / SIMPLE).record(INDEX)
    for epoch in (0, 100, 199):
        found = api.get_more_info(INDEX, "cifar10", iepoch=epoch, hp="200", is_random=777)
        assert record.curves["train"][epoch] == found["train-accuracy"]
        assert record.curves["ori-test"][epoch] == found["test-accuracy"]
    assert record.test_accuracy == 91.79  # as the published robustness data
