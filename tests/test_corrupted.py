import json
import pickle
import re

import numpy as np
import pytest
import torch

from testbed import images
from testbed.corruptions import corrupted_set, write_corrupted
from testbed.corruptions.__main__ import main
from testbed.images.corrupted import (
    CORRUPTIONS,
    EXTRAS,
    LAYOUTS,
    SEVERITIES,
    load_corrupted,
)
from testbed.images.errors import DataFileError, ImagesError, MissingDataError
from testbed.images.image_set import ImageSet

COUNT = 4


def pixels_of(corruption, shape=(32, 32, 3), count=COUNT):
    seed = [*CORRUPTIONS, *EXTRAS].index(corruption)
    return np.random.default_rng(seed).integers(0, 256, (5 * count, *shape), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "CIFAR-10-C"
    home.mkdir()
    for corruption in CORRUPTIONS:
        np.save(home / f"{corruption}.npy", pixels_of(corruption))
    np.save(home / "labels.npy", np.tile(np.array([0, 9, 3, 3], dtype=np.uint8), 5))
    return home


def small_set(name="digits", count=3, **changes):
    """Return the first test images of the digits, or noise of another set's shape."""
    clean = images.load("digits", split="test")
    fields = {**vars(clean), "pixels": clean.pixels[:count], "labels": clean.labels[:count]}
    return ImageSet(**{**fields, "name": name, **changes})


def equal(a, b):
    same = all(
        getattr(a, word) == getattr(b, word)
        for word in ("name", "split", "levels", "classes", "mean", "std")
    )
    return same and torch.equal(a.pixels, b.pixels) and torch.equal(a.labels, b.labels)


# --- reading -----------------------------------------------------------------------------


@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_severity_is_a_fifth_of_the_file(folder, severity):
    found = load_corrupted("cifar10-c", folder, "snow", severity)
    expected = pixels_of("snow")[COUNT * (severity - 1) : COUNT * severity]
    assert np.array_equal(found.pixels.numpy().transpose(0, 2, 3, 1), expected)
    assert found.pixels.is_contiguous()
    assert found.labels.tolist() == [0, 9, 3, 3]
    assert (found.name, found.split, found.levels) == (f"cifar10-c/snow/{severity}", "test", 255)


def test_the_folder_or_the_one_that_holds_it(folder):
    inside, above = (
        load_corrupted("cifar10-c", root, "fog", 1) for root in (folder, folder.parent)
    )
    assert equal(inside, above)
    renamed = folder.rename(folder.with_name("elsewhere"))
    assert equal(inside, load_corrupted("cifar10-c", renamed, "fog", 1))


def test_statistics_are_those_of_the_clean_set(folder, real_data):
    clean = images.load("cifar10", real_data, "test")
    found = load_corrupted("cifar10-c", folder, "fog", 1)
    assert (found.mean, found.std, found.classes) == (clean.mean, clean.std, clean.classes)


def test_statistics_of_the_digits():
    clean, layout = images.load("digits"), LAYOUTS["digits-c"]
    assert (layout.mean, layout.std, layout.classes) == (clean.mean, clean.std, clean.classes)
    assert layout.shape == (*clean.shape[1:], clean.shape[0])


def test_cifar100_has_a_hundred_classes(folder):
    np.save(folder / "labels.npy", np.tile(np.array([0, 99, 3, 3]), 5))
    hundred = folder.rename(folder.with_name("CIFAR-100-C"))
    found = load_corrupted("cifar100-c", hundred.parent, "fog", 5)
    assert found.labels.tolist() == [0, 99, 3, 3]
    assert found.mean == pytest.approx((0.5071, 0.4867, 0.4408), abs=1e-3)
    with pytest.raises(DataFileError, match="labels from 0 to 9; got 0 to 99"):
        load_corrupted("cifar10-c", hundred, "fog", 5)


def test_pixels_are_not_tied_to_the_file(folder):
    found = load_corrupted("cifar10-c", folder, "fog", 1)
    np.save(folder / "fog.npy", np.zeros((5 * COUNT, 32, 32, 3), dtype=np.uint8))
    assert np.array_equal(found.pixels.numpy().transpose(0, 2, 3, 1), pixels_of("fog")[:COUNT])


def test_extras_can_be_read(folder):
    np.save(folder / "spatter.npy", pixels_of("spatter"))
    assert len(load_corrupted("cifar10-c", folder, "spatter", 2)) == COUNT


# --- what can be wrong -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "corruption", "severity", "complaint"),
    [
        ("cifar-10-c", "fog", 1, "unknown corrupted data set 'cifar-10-c'; there are cifar10-c,"),
        ("cifar10-c", "rain", 1, "unknown corruption 'rain'; there are brightness,"),
        ("cifar10-c", "fog", 0, "got 0"),
        ("cifar10-c", "fog", 6, "got 6"),
    ],
)
def test_unknown_names(folder, name, corruption, severity, complaint):
    with pytest.raises(ImagesError, match=complaint):
        load_corrupted(name, folder, corruption, severity)


@pytest.mark.parametrize(
    ("array", "got"),
    [
        (np.zeros((20, 32, 32, 3)), "float64"),
        (np.zeros((20, 3, 32, 32), dtype=np.uint8), r"\(20, 3, 32, 32\)"),
        (np.zeros((16, 32, 32, 3), dtype=np.uint8), r"\(16, 32, 32, 3\)"),
        (np.zeros(20, dtype=np.uint8), r"\(20,\)"),
        (np.uint8(3), r"uint8 \(\)"),
    ],
)
def test_arrays_of_another_kind(folder, array, got):
    np.save(folder / "fog.npy", array)
    with pytest.raises(DataFileError, match=rf"fog\.npy: expected uint8 .*; got .*{got}"):
        load_corrupted("cifar10-c", folder, "fog", 1)


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        (np.tile([0.0, 1, 2, 3], 5), "float64"),
        (np.zeros((5, 4), dtype=np.int64), r"\(5, 4\)"),
        (np.zeros(21, dtype=np.int64), r"\(21,\)"),
        (np.zeros(0, dtype=np.int64), r"\(0,\)"),
        (np.tile([0, 1, 2, 10], 5), "from 0 to 9; got 0 to 10"),
        (np.tile([0, 1, 2, -1], 5), "from 0 to 9; got -1 to 2"),
        (np.repeat([0, 1, 2, 3], 5), "labels of severity 2 are not those of severity 1"),
    ],
)
def test_labels_that_do_not_fit(folder, labels, complaint):
    np.save(folder / "labels.npy", labels)
    with pytest.raises(DataFileError, match=complaint):
        load_corrupted("cifar10-c", folder, "fog", 1)


def test_nothing_pickled_is_read(folder):
    np.save(folder / "fog.npy", np.array([print], dtype=object), allow_pickle=True)
    (folder / "snow.npy").write_bytes(pickle.dumps(np.zeros(3)))
    for corruption, complaint in (("fog", "Python objects"), ("snow", "starts with")):
        with pytest.raises(DataFileError, match=complaint):
            load_corrupted("cifar10-c", folder, corruption, 1)


@pytest.mark.parametrize("size", [0, 5, 60, 1000])
def test_a_truncated_file(folder, size):
    content = (folder / "fog.npy").read_bytes()
    (folder / "fog.npy").write_bytes(content[:size])
    with pytest.raises(DataFileError, match="truncated" if size > 6 else "starts with"):
        load_corrupted("cifar10-c", folder, "fog", 1)


def test_an_archive_of_arrays(folder):
    with (folder / "fog.npy").open("wb") as file:
        np.savez(file, fog=pixels_of("fog"))
    with pytest.raises(DataFileError, match="no archive; got a file that starts with b'PK"):
        load_corrupted("cifar10-c", folder, "fog", 1)


def test_missing_files_are_named(folder):
    for word in ("fog", "zoom_blur"):
        (folder / f"{word}.npy").unlink()
    with pytest.raises(MissingDataError, match="lacks fog, zoom_blur"):
        load_corrupted("cifar10-c", folder, "fog", 1)
    with pytest.raises(MissingDataError, match="CIFAR-100-C, expected to hold"):
        load_corrupted("cifar100-c", folder.parent, "fog", 1)
    (folder / "labels.npy").unlink()
    with pytest.raises(MissingDataError, match=re.escape("labels.npy")):
        load_corrupted("cifar10-c", folder, "snow", 1)


# --- writing and reading back ------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [
        ("digits", (1, 8, 8), 10),
        ("cifar10", (3, 32, 32), 10),
        ("cifar100", (3, 32, 32), 100),
        ("imagenet16_120", (3, 16, 16), 120),
    ],
)
def test_what_is_written_is_read_back(tmp_path, name, shape, classes):
    layout = LAYOUTS[f"{name}-c"]
    source = torch.Generator().manual_seed(1)
    clean = small_set(
        name=name,
        split="train",
        pixels=torch.randint(0, 17, (3, *shape), generator=source, dtype=torch.uint8),
        labels=torch.tensor([0, classes - 1, 5]),
        classes=classes,
        mean=layout.mean,
        std=layout.std,
    )
    done = []
    written = write_corrupted(clean, tmp_path / "new", done.append, key=7)
    assert written == list(CORRUPTIONS)
    assert sum(done) == 15 * 5 * 3
    for corruption in CORRUPTIONS:
        for severity in (1, 5):
            found = load_corrupted(f"{name}-c", tmp_path / "new", corruption, severity)
            assert equal(found, corrupted_set(clean, corruption, severity, 7))
    assert found.name == f"{name}-c/zoom_blur/5/generated-7"


def test_finished_files_are_kept_and_the_rest_written(tmp_path):
    clean = small_set()
    write_corrupted(clean, tmp_path, corruptions=["fog"])
    before = (tmp_path / "fog.npy").stat().st_mtime_ns
    (tmp_path / ".snow.npy.part").write_bytes(b"interrupted")
    done = []
    assert write_corrupted(clean, tmp_path, done.append, ["fog", "snow"]) == ["snow"]
    assert (tmp_path / "fog.npy").stat().st_mtime_ns == before
    assert sum(done) == 2 * 5 * 3
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "fog.npy", "generated.json", "labels.npy", "snow.npy",
    ]  # fmt: skip


def test_an_interruption_leaves_no_half_file(tmp_path):
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_corrupted(small_set(), tmp_path, interrupt)
    assert not (tmp_path / "brightness.npy").exists()
    assert len(write_corrupted(small_set(), tmp_path)) == 15


@pytest.mark.parametrize(
    ("clean", "key", "complaint"),
    [
        (small_set(count=4), 0, "count 3"),
        (small_set(split="train"), 0, "split 'test'"),
        (small_set(labels=torch.tensor([1, 1, 1])), 0, "fingerprint"),
        (small_set(), 1, "key 0"),
    ],
)
def test_corruptions_of_something_else_are_not_mixed_in(tmp_path, clean, key, complaint):
    write_corrupted(small_set(), tmp_path, corruptions=["fog"])
    with pytest.raises(ImagesError, match=f"holds corruptions of something else: .*{complaint}"):
        write_corrupted(clean, tmp_path, key=key)


def test_nothing_is_added_to_the_benchmarks_own_folder(folder):
    (folder / "fog.npy").unlink()
    before = sorted(folder.iterdir())
    clean = small_set("cifar10", pixels=torch.zeros(3, 3, 32, 32, dtype=torch.uint8),
                      mean=(0.5,) * 3, std=(0.5,) * 3)  # fmt: skip
    with pytest.raises(ImagesError, match="not generated here"):
        write_corrupted(clean, folder)
    assert sorted(folder.iterdir()) == before


def test_unusable_requests_leave_nothing(tmp_path):
    with pytest.raises(ImagesError, match="unknown corruption 'rain'"):
        write_corrupted(small_set(), tmp_path / "new", corruptions=["fog", "rain"])
    tiny = small_set(pixels=torch.zeros(3, 1, 2, 2, dtype=torch.uint8))
    with pytest.raises(ImagesError, match="at least 4 pixels"):
        write_corrupted(tiny, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "note", ["{", "[]", "{}", json.dumps({"split": "test", "images": "cifar10", "key": 0})]
)
def test_a_wrong_note_is_an_error(tmp_path, note):
    write_corrupted(small_set(), tmp_path, corruptions=["fog"])
    (tmp_path / "generated.json").write_text(note)
    with pytest.raises(DataFileError, match=re.escape("generated.json")):
        load_corrupted("digits-c", tmp_path, "fog", 1)
    with pytest.raises(ImagesError, match="choose another folder"):
        write_corrupted(small_set(), tmp_path, corruptions=["snow"])


# --- the command -------------------------------------------------------------------------


def command(monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["corruptions", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code or 0


def test_the_command_writes_and_goes_on(tmp_path, monkeypatch, capsys):
    words = ("--out", tmp_path / "digits-c", "--corruptions", "contrast,fog", "--seed", "2")
    assert command(monkeypatch, *words) == 0
    assert "2 corruptions written to" in capsys.readouterr().out
    assert command(monkeypatch, *words) == 0
    assert "0 corruptions written to" in capsys.readouterr().out
    found = load_corrupted("digits-c", tmp_path, "fog", 4)
    assert equal(found, corrupted_set(images.load("digits", split="test"), "fog", 4, 2))


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--corruptions", "fog,rain"), "got 'fog,rain'"),
        (("--corruptions", ","), "got ','"),
        (("--images", "mnist"), "unknown data set 'mnist'"),
        (("--split", "valid"), "unknown split 'valid'"),
        (("--images", "cifar10", "--data-root", "/nowhere"), "no folder"),
    ],
)
def test_wrong_options_are_said_in_one_line(tmp_path, monkeypatch, capsys, words, complaint):
    assert command(monkeypatch, "--out", tmp_path / "new", *words) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert complaint in said
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_made(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    assert command(monkeypatch, "--out", tmp_path / "file" / "new") == 2
    assert "error: " in capsys.readouterr().err
