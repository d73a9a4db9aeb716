import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed import images
from testbed.images import digits, imagenet16, loading
from testbed.images.errors import DataFileError, ForbiddenGlobalError, MissingDataError
from testbed.images.image_set import ImageSet

CIFAR10_FILES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


def make_set(counts=(5, 5, 5), **changes):
    """Return a set with so many images of each class, no two alike."""
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    pixels = torch.zeros(len(labels), 1, 2, 3, dtype=torch.uint8)
    pixels[:, 0, 0, 0] = torch.arange(len(labels))
    fields = {
        "name": "toy",
        "split": "train",
        "pixels": pixels,
        "levels": 255,
        "labels": labels,
        "classes": len(counts),
        "mean": (0.5,),
        "std": (0.25,),
    }
    return ImageSet(**{**fields, **changes})


def rows(count, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, width), dtype=np.uint8)


def write_pickle(path, content, protocol=2):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=protocol))


def write_cifar10(root):
    for seed, name in enumerate(CIFAR10_FILES):
        content = {b"data": rows(4, 3072, seed), b"labels": [0, 3, 9, seed], b"batch_label": b""}
        write_pickle(root / "cifar-10-batches-py" / name, content)


class Python2Pickler(pickle._Pickler):
    """Write bytes and text as Python 2 wrote its strings, as in the official CIFAR files."""

    def save_string(self, text):
        raw = text.encode("latin1") if isinstance(text, str) else text
        self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)

    dispatch = {**pickle._Pickler.dispatch, bytes: save_string, str: save_string}  # noqa: RUF012


# --- digits ---------------------------------------------------------------------------


def test_digits_splits_are_disjoint_stratified_and_complete():
    from sklearn.datasets import load_digits

    train, test = (images.load("digits", split=split) for split in ("train", "test"))
    totals = np.bincount(load_digits().target)
    assert torch.bincount(test.labels).tolist() == [total // 5 for total in totals]
    assert (torch.bincount(train.labels) + torch.bincount(test.labels)).tolist() == totals.tolist()
    everything = torch.cat([train.pixels, test.pixels]).flatten(1).tolist()
    assert sorted(everything) == sorted(load_digits().data.astype(int).tolist())
    assert (len(train), len(test), train.shape, train.levels) == (1442, 355, (1, 8, 8), 16)


def test_digits_test_split_is_every_fifth_of_a_class():
    from sklearn.datasets import load_digits

    whole, test = load_digits(), images.load("digits", split="test")
    sevens = whole.images[whole.target == 7][4::5]
    assert torch.equal(test.pixels[test.labels == 7][:, 0], torch.tensor(sevens).to(torch.uint8))


def test_digits_mean_and_std_are_those_of_the_training_split():
    pixels = images.load("digits").images().double()
    assert pixels.mean().item() == pytest.approx(digits.MEAN[0], abs=1e-6)
    assert pixels.std(correction=0).item() == pytest.approx(digits.STD[0], abs=1e-6)


def test_digits_span_zero_to_one():
    pixels = images.load("digits").images()
    assert pixels.dtype == torch.float32
    assert (pixels.min(), pixels.max()) == (0, 1)


# --- the official folders ---------------------------------------------------------------


def test_cifar10_reads_all_batches_in_order_from_either_root(tmp_path):
    write_cifar10(tmp_path)
    train = images.load("cifar10", tmp_path)
    assert train.labels.tolist() == [0, 3, 9, 0, 0, 3, 9, 1, 0, 3, 9, 2, 0, 3, 9, 3, 0, 3, 9, 4]
    expected = np.concatenate([rows(4, 3072, seed) for seed in range(5)])
    assert np.array_equal(train.pixels.flatten(1).numpy(), expected)
    test = images.load("cifar10", str(tmp_path / "cifar-10-batches-py"), "test")
    assert np.array_equal(test.pixels.flatten(1).numpy(), rows(4, 3072, 5))
    assert (train.classes, test.shape, test.split) == (10, (3, 32, 32), "test")


def test_cifar_rows_are_red_then_green_then_blue_and_pixels_are_in_unit_range(tmp_path):
    write_cifar10(tmp_path)
    test = images.load("cifar10", tmp_path, "test")
    row = rows(4, 3072, 5)[2]
    picture = test.images(torch.tensor([2]))[0]
    assert picture[1, 2, 3] == torch.tensor(row[1024 + 2 * 32 + 3] / 255, dtype=torch.float32)
    assert test.images().max() <= 1


def test_cifar100_reads_fine_labels(tmp_path):
    content = {b"data": rows(3, 3072), b"fine_labels": [99, 0, 7], b"coarse_labels": [1, 2, 3]}
    write_pickle(tmp_path / "cifar-100-python" / "train", content)
    loaded = images.load("cifar100", tmp_path)
    assert (loaded.labels.tolist(), loaded.classes) == ([99, 0, 7], 100)


def test_imagenet16_keeps_the_first_120_classes_and_counts_from_0(tmp_path):
    for number in range(1, 11):
        content = {"data": rows(4, 768, number), "labels": [1, 121, 120, 1000]}
        content["mean"] = np.ones(768)
        write_pickle(tmp_path / "ImageNet16" / f"train_data_batch_{number}", content, protocol=4)
    loaded = images.load("imagenet16_120", tmp_path)
    assert loaded.labels.tolist() == [0, 119] * 10
    assert (loaded.shape, loaded.classes) == ((3, 16, 16), 120)
    assert np.array_equal(loaded.pixels[3].flatten().numpy(), rows(4, 768, 2)[2])


def test_imagenet16_refuses_labels_from_0(tmp_path):
    write_pickle(tmp_path / "ImageNet16" / "val_data", {"data": rows(2, 768), "labels": [0, 1]})
    with pytest.raises(DataFileError, match="labels from 1 to 1000; got 0"):
        images.load("imagenet16_120", tmp_path, "test")


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "imagenet16_120"])
def test_normalisation_is_that_of_nas_bench_201(tmp_path, name):
    write_pickle(tmp_path / "test_batch", {b"data": rows(1, 3072), b"labels": [0]})
    write_pickle(tmp_path / "test", {b"data": rows(1, 3072), b"fine_labels": [0]})
    write_pickle(tmp_path / "val_data", {"data": rows(1, 768), "labels": [1]})
    mean, std = {
        "cifar10": ([125.3, 123.0, 113.9], [63.0, 62.1, 66.7]),
        "cifar100": ([129.3, 124.1, 112.4], [68.2, 65.4, 70.4]),
        "imagenet16_120": ([122.68, 116.66, 104.01], [63.22, 61.26, 65.09]),
    }[name]
    loaded = images.load(name, tmp_path, "test")
    assert [value * 255 for value in loaded.mean] == pytest.approx(mean)
    assert [value * 255 for value in loaded.std] == pytest.approx(std)


@pytest.mark.skipif("TESTBED_DATA" not in os.environ, reason="TESTBED_DATA names no data folder")
def test_real_cifar10():
    train = images.load("cifar10", os.environ["TESTBED_DATA"])
    test = images.load("cifar10", os.environ["TESTBED_DATA"], "test")
    assert train.labels.unique().tolist() == list(range(10))
    # Whole or shortened, its channels have nearly the published moments, in this order.
    sample = train.images(torch.arange(0, len(train), max(1, len(train) // 2000)))
    assert sample.mean((0, 2, 3)).tolist() == pytest.approx(train.mean, abs=0.02)
    assert sample.std((0, 2, 3)).tolist() == pytest.approx(train.std, abs=0.02)
    assert torch.bincount(test.batch(100, 0).labels).tolist() == [10] * 10


# --- errors that say what to do -------------------------------------------------------------


def test_unknown_name_lists_the_known_names():
    with pytest.raises(images.ImagesError, match="digits, cifar10, cifar100, imagenet16_120"):
        images.load("mnist")


def test_unknown_split():
    with pytest.raises(images.ImagesError, match="'validation' of 'digits'; there are train, test"):
        images.load("digits", split="validation")


def test_missing_folder_names_the_folder_and_both_ways_out(tmp_path):
    with pytest.raises(MissingDataError) as caught:
        images.load("cifar10", tmp_path)
    for part in (str(tmp_path / "cifar-10-batches-py"), "data_batch_5", "--data-root"):
        assert part in str(caught.value)
    assert "--download" in str(caught.value)


def test_root_with_the_official_name_is_taken_for_the_folder_unless_it_holds_it(tmp_path):
    root = tmp_path / "cifar-10-batches-py"
    with pytest.raises(MissingDataError, match="no folder") as caught:
        images.load("cifar10", root)
    assert f"no folder {root}," in str(caught.value)
    root.mkdir()
    write_cifar10(root)
    assert len(images.load("cifar10", root)) == 20


def test_no_root_looks_into_the_cache_folder_and_downloads_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "default_root", lambda: tmp_path)
    monkeypatch.setattr(loading, "_download", lambda *_: pytest.fail("nobody asked to download"))
    with pytest.raises(MissingDataError, match="--data-root"):
        images.load("cifar10")
    write_cifar10(tmp_path)
    assert len(images.load("cifar10")) == 20


def test_missing_batch_file_is_named(tmp_path):
    write_cifar10(tmp_path)
    (tmp_path / "cifar-10-batches-py" / "data_batch_3").unlink()
    with pytest.raises(MissingDataError, match="lacks data_batch_3; complete it"):
        images.load("cifar10", tmp_path)


def test_missing_imagenet16_points_to_nas_bench_201(tmp_path):
    with pytest.raises(MissingDataError, match="README of NAS-Bench-201"):
        images.load("imagenet16_120", tmp_path)


def test_every_error_is_an_images_error_and_a_value_error():
    for error in (DataFileError, ForbiddenGlobalError, MissingDataError):
        assert issubclass(error, images.ImagesError)
    assert issubclass(images.ImagesError, ValueError)


# --- files as they should not be ------------------------------------------------------------


def load_test_batch(tmp_path, content):
    path = tmp_path / "test_batch"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        write_pickle(path, content)
    return images.load("cifar10", tmp_path, "test")


class Malice:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
def test_malicious_pickle_is_refused_by_name_and_not_run(tmp_path, protocol):
    trace = tmp_path / "trace"
    content = {"x": Malice(os.mkdir, str(trace)), "data": rows(1, 3072), "labels": [0]}
    raw = pickle.dumps(content, protocol=protocol)
    with pytest.raises(ForbiddenGlobalError, match=r"test_batch was refused: .*mkdir"):
        load_test_batch(tmp_path, raw)
    assert not trace.exists()
    pickle.loads(raw)
    assert trace.exists()  # the file would have done it


@pytest.mark.parametrize(
    "function", [eval, getattr, np.array, np.frombuffer, pickle.loads, torch.load, Path]
)
def test_even_near_relations_of_the_allowed_globals_are_refused(tmp_path, function):
    with pytest.raises(ForbiddenGlobalError):
        load_test_batch(tmp_path, {b"data": Malice(function, "1"), b"labels": [0]})


@pytest.mark.parametrize("name", ["numpy\ndtype", "numpy\nndarray", "_codecs\nencode"])
def test_a_pickle_cannot_alter_the_reader(tmp_path, name):
    setting = b"c" + name.encode() + b"\n}X\x08\x00\x00\x00__call__X\x01\x00\x00\x00xsb."
    for raw in (setting, setting.replace(b"\n}", b"\nN}").replace(b"sb.", b"s\x86b.")):
        with pytest.raises(DataFileError, match=r"\((.*; AttributeError|.*; TypeError)"):
            load_test_batch(tmp_path, raw)
    assert len(load_test_batch(tmp_path, {b"data": rows(2, 3072), b"labels": [0, 1]})) == 2


def test_codecs_other_than_latin1_are_refused(tmp_path):
    raw = b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00utf-8\x86R."
    with pytest.raises(DataFileError, match="bytes are written as latin1"):
        load_test_batch(tmp_path, raw)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_truncated_file_is_named(tmp_path, share):
    raw = pickle.dumps({b"data": rows(4, 3072), b"labels": [0, 1, 2, 3]}, protocol=2)
    with pytest.raises(DataFileError, match=r"test_batch is truncated"):
        load_test_batch(tmp_path, raw[: int(len(raw) * share)])


@given(st.binary(max_size=60))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_garbage_is_always_a_clear_error(tmp_path_factory, raw):
    with pytest.raises(DataFileError, match="test_batch"):
        load_test_batch(tmp_path_factory.mktemp("garbage"), raw)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({b"data": rows(2, 3071), b"labels": [0, 1]}, r"uint8 \(N, 3072\); got uint8 \(2, 3071\)"),
        ({b"data": rows(2, 3072)[0], b"labels": [0, 1]}, r"got uint8 \(3072,\)"),
        ({b"data": np.zeros((2, 3072)), b"labels": [0, 1]}, "got float64"),
        ({b"data": np.array(["a"], object), b"labels": [0]}, "dtype 'O8' are not images"),
        ({b"data": [1, 2], b"labels": [0, 1]}, "got list"),
        ({b"data": rows(2, 3072), b"labels": [0]}, "list of 2 labels, one a row; got 1"),
        ({b"data": rows(2, 3072), b"labels": b"ab"}, "list of 2 labels, one a row; got bytes"),
        ({b"data": rows(2, 3072), b"labels": [0, 10]}, "labels from 0 to 9; got 10"),
        ({b"data": rows(2, 3072), b"labels": [0, "1"]}, "labels from 0 to 9; got '1'"),
        ({b"data": rows(2, 3072), b"fine_labels": [0, 1]}, r"no \['labels'\]; it has"),
        ([1, 2], "expected a pickled dictionary; got list"),
    ],
)
def test_unfit_content_is_told(tmp_path, content, complaint):
    with pytest.raises(DataFileError, match=f"test_batch.*{complaint}"):
        load_test_batch(tmp_path, content)


def test_python_2_pickle_reads_alike(tmp_path):
    content = {b"data": rows(3, 3072), b"labels": [4, 5, 6], b"filenames": [b"a.png"]}
    with open(tmp_path / "test_batch", "wb") as file:
        Python2Pickler(file, protocol=2).dump(content)
    raw = (tmp_path / "test_batch").read_bytes().replace(b"numpy._core.", b"numpy.core.")
    assert b"_codecs" not in raw
    loaded = load_test_batch(tmp_path, raw)
    assert np.array_equal(loaded.pixels.flatten(1).numpy(), rows(3, 3072))
    assert loaded.labels.tolist() == [4, 5, 6]


@pytest.mark.parametrize("protocol", range(5))
def test_every_old_protocol_and_column_order_read_alike(tmp_path, protocol):
    content = {"data": np.asfortranarray(rows(3, 3072)), "labels": np.array([4, 5, 6])}
    loaded = load_test_batch(tmp_path, pickle.dumps(content, protocol=protocol))
    assert np.array_equal(loaded.pixels.flatten(1).numpy(), rows(3, 3072))
    assert loaded.labels.tolist() == [4, 5, 6]


# --- ImageSet -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"split": "val"}, "a split is one of"),
        ({"pixels": torch.zeros(15, 1, 2, 3)}, "expected uint8 pixels"),
        ({"pixels": torch.zeros(15, 6, dtype=torch.uint8)}, "expected uint8 pixels"),
        ({"pixels": torch.zeros(0, 1, 2, 3, dtype=torch.uint8)}, "no images"),
        ({"labels": torch.zeros(15, dtype=torch.int32)}, "expected int64 labels"),
        ({"labels": torch.zeros(14, dtype=torch.int64)}, r"labels \(15,\).* \(14,\)"),
        ({"classes": 2}, "labels from 0 to 1; got 0 to 2"),
        ({"labels": torch.full((15,), -1)}, "got -1 to -1"),
        ({"levels": 13}, "levels = 13 and at most 255; got 14"),
        ({"levels": 256}, "at most 255"),
        ({"mean": (0.5, 0.5)}, "mean and a positive std"),
        ({"std": (0.0,)}, "mean and a positive std"),
    ],
)
def test_image_set_checks_its_fields(changes, complaint):
    with pytest.raises(images.ImagesError, match=f"'toy'.*{complaint}"):
        make_set(**changes)


def test_images_picks_and_scales():
    toy = make_set(levels=16)
    assert (len(toy), toy.shape, toy.images().shape) == (15, (1, 2, 3), (15, 1, 2, 3))
    assert toy.images(torch.tensor([4, 2]))[:, 0, 0, 0].tolist() == [4 / 16, 2 / 16]


# --- batches --------------------------------------------------------------------------------


@given(
    counts=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    size=st.integers(1, 30),
    seed=st.integers(0, 5),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_batch_is_balanced_without_replacement_or_refused_with_the_greatest_size(
    counts, size, seed
):
    toy = make_set(counts)
    # By hand: rounds of one image of each class, until a class has none; then those left.
    greatest = min(counts) * len(counts) + sum(count > min(counts) for count in counts)
    if size > greatest:
        reason = "images" if size > sum(counts) else f"at most {greatest}$"
        with pytest.raises(images.ImagesError, match=reason):
            toy.batch(size, seed)
        return
    batch = toy.batch(size, seed)
    drawn = torch.bincount(batch.labels, minlength=len(counts))
    assert drawn.max() - drawn.min() <= 1
    which = (batch.images[:, 0, 0, 0] * 255).round().long()
    assert len(which.unique()) == len(batch.labels) == size
    assert torch.equal(toy.labels[which], batch.labels)
    assert torch.equal(toy.images(which), batch.images)


@pytest.mark.parametrize("size", [0, -3])
def test_batch_size_below_1(size):
    with pytest.raises(images.ImagesError, match=f"at least 1 image; got size {size}"):
        make_set().batch(size, 0)


def test_batch_larger_than_the_set():
    with pytest.raises(images.ImagesError, match=r"batch of 16 .* there are 15"):
        make_set().batch(16, 0)


def test_batch_of_a_class_too_small_names_it():
    with pytest.raises(images.ImagesError, match="class 1 has 2; ask for at most 8"):
        make_set((5, 2, 5)).batch(9, 0)
    assert len(make_set((5, 2, 5)).batch(8, 0).labels) == 8


def test_batch_depends_on_its_key_alone():
    first = images.load("digits").batch(16, 3)
    torch.manual_seed(123)
    np.random.default_rng(1).random(7)
    images.load("digits").batch(8, 4)
    again = images.load("digits").batch(16, 3)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.labels, again.labels)
    assert first.fingerprint == again.fingerprint
    # Fixed for good: a stored score names this batch.
    assert first.fingerprint == "31f5b6ec999d9cc8"


def test_batch_leaves_the_global_random_state_alone():
    import random

    torch.manual_seed(9)
    torch.rand(3)  # or a batch that always sets the same seed could go unseen
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    images.load("digits").batch(16, 3)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == np.random.get_state()[1].tolist()  # noqa: NPY002
    assert before[2] == random.getstate()


@pytest.mark.parametrize(
    ("changes", "size", "seed"),
    [({}, 7, 1), ({"name": "other"}, 7, 0), ({"split": "test"}, 7, 0), ({}, 8, 0)],
)
def test_another_key_draws_another_batch(changes, size, seed):
    base, other = make_set().batch(7, 0), make_set(**changes).batch(size, seed)
    assert not torch.equal(base.images, other.images[:7])
    assert base.fingerprint != other.fingerprint


def test_order_and_extra_classes_are_drawn():
    draws = [make_set().batch(4, seed).labels for seed in range(20)]
    assert {int(torch.bincount(labels).argmax()) for labels in draws} == {0, 1, 2}
    assert len({tuple(labels.tolist()) for labels in draws}) > 10


def test_fingerprint_tells_one_pixel_one_label_the_shape_and_the_levels():
    toy = make_set((5, 5))
    pixels, wide = toy.pixels.clone(), toy.pixels.reshape(10, 1, 3, 2)
    pixels[:, 0, 1, 2] = 1
    variants = [
        toy,
        make_set((5, 5), pixels=pixels),
        make_set((5, 5), pixels=wide),
        make_set((5, 5), labels=1 - toy.labels),
        make_set((5, 5), levels=254),
    ]
    fingerprints = [variant.batch(10, 0).fingerprint for variant in variants]
    assert len(set(fingerprints)) == len(variants)
    assert all(len(mark) == 16 and int(mark, 16) >= 0 for mark in fingerprints)


def test_names_are_those_that_load_knows():
    assert images.NAMES == ("digits", "cifar10", "cifar100", "imagenet16_120")
    assert imagenet16.CLASSES == 120
