"""A user's own images: what is read, what is refused, and what stands in keys."""

import io
import os
import pickle
import tracemalloc
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from testbed import images
from testbed.images import ImagesError
from testbed.images.own import loading, scan
from testbed.images.own.option import OwnImages
from testbed.images.own.pictures import Form, decode
from testbed.images.own.pixels import StoredPixels
from tests.own_images import (
    CLASSES,
    picture,
    png,
    save_to_disk,
    table,
    write_folder,
    write_hub,
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(scan, "default_root", lambda: tmp_path / "cache")
    return tmp_path / "cache" / "own-images"


@pytest.fixture
def pets(tmp_path):
    return write_folder(tmp_path / "pets")


def both(option):
    return images.load(option), images.load(option, split="test")


# --- options ---------------------------------------------------------------------------


def test_an_option_says_all_of_it():
    option = OwnImages.parse("folder:a b/pets?size=32x48&fit=stretch&mean=.5&std=.2&holdout=0")
    assert (str(option.path), option.size, option.fit) == ("a b/pets", (32, 48), "stretch")
    assert (option.mean, option.std, option.holdout, option.slug) == ((0.5,), (0.2,), 0, "pets")
    assert str(OwnImages.parse("folder:what?/pets").path) == "what?/pets"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("folder:", "a folder or file"),
        ("folder:x?sise=3", "did you mean 'size'"),
        ("folder:x?layout=nhwc", "unknown option 'layout'"),
        ("folder:x?size=0", "a side in pixels"),
        ("folder:x?size=1e9", "a side in pixels"),
        ("folder:x?size=²", "a side in pixels"),
        ("folder:x?size=8&size=9", "stands twice"),
        ("folder:x?mean=.5", "given together"),
        ("folder:x?mean=.5,.5,.5&std=1", "for each channel"),
        ("folder:x?mean=nan&std=1", "in \\[0, 1\\]"),
        ("folder:x?std=0&mean=0", "above 0"),
        ("folder:x?holdout=1", "from 2"),
        ("npz:x?scale=inf", "white"),
        ("folder:x\0y", "a folder or file"),
        ("pickle:x", "folder:PATH, npz:PATH, hf:PATH"),
    ],
)
def test_an_option_that_makes_no_sense_is_named(option, message):
    with pytest.raises(ImagesError, match=message):
        images.load(option)


def test_a_root_beside_a_path_is_refused(pets):
    with pytest.raises(ImagesError, match="would be ignored"):
        images.load(f"folder:{pets}", root=pets)


# --- folders ---------------------------------------------------------------------------


def test_a_folder_is_split_by_class_and_its_images_come_from_the_classes_in_turn(pets):
    train, test = both(f"folder:{pets}")
    assert (len(train), len(test), train.shape, train.classes) == (24, 6, (3, 8, 8), 3)
    assert train.labels[:6].tolist() == [0, 1, 2, 0, 1, 2]
    assert train.name == test.name
    # Every fifth of a class, in the order of the names, is for testing.
    expected = [picture(100 * label + number) for number in (4, 9) for label in range(3)]
    assert np.array_equal(test.pixels.numpy(), np.stack(expected).transpose(0, 3, 1, 2))


def test_mean_and_std_are_those_of_the_training_images(pets):
    train = images.load(f"folder:{pets}")
    values = [Fraction(int(v)) for v in train.pixels[:, 1].flatten().tolist()]
    mean = sum(values) / len(values)
    variance = sum((v - mean) ** 2 for v in values) / len(values)
    assert train.mean[1] == pytest.approx(float(mean) / 255, abs=1e-12)
    assert train.std[1] == pytest.approx(float(variance) ** 0.5 / 255, abs=1e-12)
    given = images.load(f"folder:{pets}?mean=.5&std=.25")
    assert (given.mean, given.std) == ((0.5,) * 3, (0.25,) * 3)
    assert given.name != train.name  # networks normalise by them


def test_folders_of_splits_are_read_as_such(tmp_path):
    write_folder(tmp_path / "pets" / "train", 4)
    write_folder(tmp_path / "pets" / "val", 2)
    train, test = both(f"folder:{tmp_path / 'pets'}")
    assert (len(train), len(test)) == (12, 6)
    os.rename(tmp_path / "pets" / "val" / "cat", tmp_path / "pets" / "val" / "cow")
    with pytest.raises(ImagesError, match="'cow' are not in"):
        images.load(f"folder:{tmp_path / 'pets'}")


def test_a_class_may_be_called_train(tmp_path):
    root = write_folder(tmp_path / "vehicles")
    os.rename(root / "cat", root / "train")
    assert images.load(f"folder:{root}").classes == 3


def test_the_fingerprint_is_that_of_the_pixels_and_labels(pets, tmp_path):
    name = images.load(f"folder:{pets}").name
    again = write_folder(tmp_path / "elsewhere" / "pets")
    # Another file of the same pixels.
    Image.fromarray(picture(0)).save(again / "bird" / "00.png", compress_level=0)
    assert images.load(f"folder:{again}").name == name
    changed = picture(0)
    changed[0, 0, 0] ^= 1
    (again / "bird" / "00.png").write_bytes(png(changed))
    assert images.load(f"folder:{again}").name != name
    assert images.load(f"folder:{pets}?size=4").name.startswith("pets-4x4@")


def test_the_batch_is_that_of_the_images_wherever_they_lie(pets, tmp_path):
    one = images.load(f"folder:{pets}?holdout=0")
    pixels = (
        one.pixels[:]
        if isinstance(one.pixels, torch.Tensor)
        else one.pixels[torch.arange(len(one))]
    )
    file = tmp_path / "animals.npz"
    np.savez(file, images=pixels.numpy(), labels=one.labels.numpy())
    other = images.load(f"npz:{file}?holdout=0&layout=nchw")
    assert one.name.rpartition("@")[2] == other.name.rpartition("@")[2]
    assert one.batch(5, 1).fingerprint == other.batch(5, 1).fingerprint


def test_what_an_earlier_pass_found_holds_until_a_file_changes(pets, cache, monkeypatch):
    for path in pets.rglob("*.png"):
        os.utime(path, (1, 1))
    option = f"folder:{pets}"
    monkeypatch.setattr(scan, "RACE", -60.0)
    name, passes = images.load(option).name, []
    (kept,) = cache.iterdir()
    whole = scan._scan
    monkeypatch.setattr(scan, "_scan", lambda *given: passes.append(0) or whole(*given))
    assert images.load(option).name == name
    assert passes == []
    kept.write_text("{}")
    assert images.load(option).name == name
    assert len(passes) == 1
    (pets / "cat" / "00.png").write_bytes(png(picture(7)))
    assert images.load(option).name != name
    assert len(passes) == 2


def test_files_that_have_just_changed_are_not_remembered(pets, cache):
    images.load(f"folder:{pets}")
    assert not cache.exists()


def test_hidden_and_other_files_are_left_out_and_nested_ones_are_not(pets):
    (pets / ".hidden").mkdir()
    (pets / "cat" / "._00.png").write_bytes(b"x")
    (pets / "cat" / "notes.txt").write_text("x")
    (pets / "loose.png").write_bytes(png(picture(3)))
    (pets / "dog" / "deeper").mkdir()
    (pets / "dog" / "deeper" / "a.PNG").write_bytes(png(picture(4)))
    found = images.load(f"folder:{pets}?holdout=0")
    assert (len(found), found.classes) == (31, 3)
    assert found.notes == ("2 files that are no images of a class were left out",)


def test_links_are_followed_but_not_in_a_circle(pets, tmp_path):
    (pets / "cat" / "round").symlink_to(pets)
    (pets / "dog" / "self").symlink_to(pets / "dog")
    os.rename(pets / "bird", tmp_path / "birds")
    (pets / "bird").symlink_to(tmp_path / "birds")
    assert images.load(f"folder:{pets}?holdout=0").classes == 3
    assert len(images.load(f"folder:{pets}?holdout=0")) >= 30


def test_unreadable_files_are_named_and_counted(pets):
    whole = (pets / "cat" / "01.png").read_bytes()
    (pets / "cat" / "01.png").write_bytes(whole[:-40])
    (pets / "dog" / "02.png").write_bytes(b"")
    (pets / "bird" / "03.png").write_bytes(b"no image")
    (pets / "bird" / "gone.png").symlink_to(pets / "nowhere")
    os.mkfifo(pets / "bird" / "pipe.png")
    with pytest.raises(ImagesError, match=r"5 of 32 images cannot be read") as caught:
        images.load(f"folder:{pets}")
    for word in ("cat/01.png", "dog/02.png (it is empty)", "bird/03.png (it is no image",
                 "gone.png", "pipe.png", "unreadable=skip"):  # fmt: skip
        assert word in str(caught.value)
    train, test = both(f"folder:{pets}?unreadable=skip")
    assert len(train) + len(test) == 27
    assert "5 of 32 images cannot be read and were left out" in train.notes[0]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: [f.unlink() for f in (root / "cat").iterdir()], "no images in .* 'cat'"),
        (lambda root: [(root / n).rename(root.parent / n) for n in ("cat", "dog")], "one class"),
        (lambda root: [(root / n).rename(root.parent / n) for n in CLASSES], "no class folders"),
        (lambda root: (root / "cat" / "a.png").write_bytes(png(picture(1, (9, 8)))), r"size=32"),
    ],
)
def test_a_folder_that_is_no_set_is_refused(pets, spoil, message):
    spoil(pets)
    with pytest.raises(ImagesError, match=message):
        images.load(f"folder:{pets}")


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ImagesError, match="is not there; expected a folder of class folders"):
        images.load(f"folder:{tmp_path / 'nowhere'}")


def test_classes_without_enough_images_for_testing_are_an_error(tmp_path):
    write_folder(tmp_path / "few", 3)
    with pytest.raises(ImagesError, match="holdout=2"):
        images.load(f"folder:{tmp_path / 'few'}")
    train, test = both(f"folder:{tmp_path / 'few'}?holdout=0")
    assert torch.equal(train.pixels, test.pixels)


def test_numbered_classes_are_in_the_order_of_their_text(tmp_path):
    root = write_folder(tmp_path / "numbers")
    for number, name in zip((10, 2, 1), CLASSES, strict=True):
        os.rename(root / name, root / str(number))
    found = images.load(f"folder:{root}")
    assert "label 0 is the folder 1" in found.notes[0]


def test_scores_that_look_at_no_image_know_what_networks_normalise_by(pets):
    from proxies.job import ScoringJob
    from testbed.catalogue.registry import get
    from testbed.sources import RandomSource

    keys = []
    for option in ("", "?mean=.5&std=.25"):
        found = images.load(f"folder:{pets}{option}")
        source = RandomSource("random", found.mean, found.std, 4, 1, 3, 3)
        job = ScoringJob.of(found, found.batch(6, 0), 0, source)
        keys.append(job.key(get("synflow"), "|none~0|", 0))
    assert keys[0] != keys[1]


# --- one picture ------------------------------------------------------------------------


def test_pictures_of_every_mode_are_what_a_viewer_shows():
    grey = np.array([[0, 255], [128, 7]], dtype=np.uint8)
    form, flat = Form(1, (2, 2)), Form(3, (2, 2))

    def read(image, form=form, **options):
        file = io.BytesIO()
        image.save(file, options.pop("format", "PNG"), **options)
        return decode(file.getvalue(), form)

    assert np.array_equal(read(Image.fromarray(grey))[0], grey)
    sixteen = Image.fromarray(grey.astype(np.uint16) * 257)
    assert np.array_equal(read(sixteen)[0], grey)
    colours = picture(0, (2, 2))
    assert np.array_equal(read(Image.fromarray(colours), flat), colours.transpose(2, 0, 1))
    alpha = np.dstack([colours, np.array([[255, 0], [255, 0]], dtype=np.uint8)])
    laid = read(Image.fromarray(alpha), flat)
    assert np.array_equal(laid[:, :, 0], colours[:, 0].T)
    assert not laid[:, :, 1].any()
    palette = Image.fromarray(grey).convert("RGB").convert("P", palette=Image.Palette.ADAPTIVE)
    assert np.array_equal(read(palette, flat)[0], grey)
    first, second = Image.fromarray(grey), Image.fromarray(255 - grey)
    moving = read(first, format="GIF", save_all=True, append_images=[second])
    assert np.array_equal(moving[0], grey)
    turned = Image.Exif()
    turned[0x0112] = 6
    assert np.array_equal(read(Image.fromarray(grey), exif=turned)[0], np.rot90(grey, -1))


def test_floating_point_pictures_are_refused():
    file = io.BytesIO()
    Image.fromarray(np.zeros((2, 2), dtype=np.float32)).save(file, "TIFF")
    with pytest.raises(ImagesError, match="unknown range"):
        decode(file.getvalue(), Form(1, (2, 2)))


def test_what_was_done_to_pictures_is_said(pets):
    Image.fromarray(np.dstack([picture(1), np.full((8, 8), 9, np.uint8)])).save(
        pets / "cat" / "00.png"
    )
    turned = Image.Exif()
    turned[0x0112] = 3
    Image.fromarray(picture(1)).save(pets / "cat" / "01.png", exif=turned)
    notes = " ".join(images.load(f"folder:{pets}").notes)
    assert "1 of 30 images are transparent: laid on black" in notes
    assert "1 of 30 images are turned as their EXIF data say" in notes


def test_a_crop_keeps_the_proportions_and_a_stretch_does_not():
    wide = np.zeros((4, 8), dtype=np.uint8)
    wide[:, 2:6] = 200
    assert np.array_equal(decode(png(wide), Form(1, (4, 4)))[0], np.full((4, 4), 200))
    stretched = decode(png(wide), Form(1, (4, 4), "stretch"))[0]
    assert stretched[0, 0] < 60
    assert stretched[0, 2] > 140


# --- npz --------------------------------------------------------------------------------


def arrays(count=30, channels=3):
    shots = np.stack([picture(100 * (row % 3) + row // 3) for row in range(count)])
    return (shots if channels == 3 else shots[..., 0]), np.arange(count) % 3


def test_an_npz_and_a_folder_of_the_same_images_are_the_same_set(tmp_path, pets):
    shots, labels = arrays()
    names = np.array(CLASSES)[labels]
    folder = images.load(f"folder:{pets}")
    for way, content in {
        "nhwc": {"images": shots, "labels": labels},
        "nchw": {"x": shots.transpose(0, 3, 1, 2), "y": labels[:, None]},
        "float": {"data": (shots / 255).astype(np.float32), "targets": names},
        "whole": {"arr_0": shots.astype(np.float64), "arr_1": labels.astype(np.float32)},
    }.items():
        for save in (np.savez, np.savez_compressed):
            save(tmp_path / f"{way}.npz", **content)
            found = images.load(f"npz:{tmp_path / f'{way}.npz'}")
            assert torch.equal(found.pixels, folder.pixels), way
            assert found.name.partition("@")[2] == folder.name.partition("@")[2]
            assert (found.mean, found.notes) == (folder.mean, ())


def test_splits_of_an_npz(tmp_path):
    shots, labels = arrays()
    for words in (("x_train", "y_train", "x_test", "y_test"),
                  ("train_images", "train_labels", "test_images", "test_labels")):  # fmt: skip
        content = dict(zip(words, (shots, labels, shots[:6], labels[:6]), strict=True))
        np.savez(tmp_path / "a.npz", **content, val_images=shots, val_labels=labels)
        train, test = both(f"npz:{tmp_path / 'a.npz'}")
        assert (len(train), len(test)) == (30, 6)
        assert "'val_images', 'val_labels'" in train.notes[0]


def test_few_grey_levels_are_kept(tmp_path):
    grey = arrays(channels=1)[0] // 15
    np.savez(tmp_path / "a.npz", images=grey, labels=np.arange(30) % 3)
    found = images.load(f"npz:{tmp_path / 'a.npz'}?scale=17")
    assert (found.levels, found.shape) == (17, (1, 8, 8))
    assert np.array_equal(found.pixels[0, 0].numpy(), grey[0])


def test_floats_between_the_grey_levels_are_rounded_and_said(tmp_path):
    shots = np.random.default_rng(0).random((30, 8, 8, 1)).astype(np.float32)
    np.savez(tmp_path / "a.npz", images=shots, labels=np.arange(30) % 3)
    found = images.load(f"npz:{tmp_path / 'a.npz'}")
    assert np.abs(found.images()[0, 0].numpy() - shots[0, :, :, 0]).max() <= 0.5 / 255 + 1e-6
    assert "rounded" in found.notes[0]


SHOTS, LABELS = arrays(12)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"images": SHOTS.astype(object), "labels": LABELS}, "Python objects"),
        ({"images": SHOTS, "labels": LABELS.astype(object)}, "Python objects"),
        ({"images": SHOTS, "labels": LABELS[:5]}, "expected 5 images"),
        ({"images": SHOTS}, "one of labels"),
        ({"images": SHOTS, "x": SHOTS, "labels": LABELS}, "image= and label="),
        ({"images": SHOTS[:, :3, :, :], "labels": LABELS}, "add layout="),
        ({"images": SHOTS[..., :2], "labels": LABELS}, "got neither"),
        ({"images": SHOTS.reshape(12, -1), "labels": LABELS}, "got neither"),
        ({"images": SHOTS / 127.5 - 1, "labels": LABELS}, "before any normalisation"),
        ({"images": SHOTS / 100, "labels": LABELS}, "scale="),
        ({"images": SHOTS.astype(np.uint16) * 257, "labels": LABELS}, "scale="),
        ({"images": np.where(SHOTS > 9, np.nan, 0.5), "labels": LABELS}, "no finite number"),
        ({"images": SHOTS // 200, "labels": LABELS}, "scale=1 if 1 is white"),
        ({"images": SHOTS, "labels": np.eye(3)[LABELS]}, "argmax"),
        ({"images": SHOTS, "labels": LABELS + 1}, "subtract 1"),
        ({"images": SHOTS, "labels": LABELS - 1}, "from 0 to"),
        ({"images": SHOTS, "labels": LABELS * 0}, "two classes"),
        ({"images": SHOTS, "labels": LABELS * 2}, "no training image of 2 classes"),
        ({"images": SHOTS, "labels": LABELS + 0.5}, "whole numbers"),
        ({"images": SHOTS.astype(complex), "labels": LABELS}, "expected numbers"),
        ({"images": np.full((12, 8, 8), 7, np.uint8), "labels": LABELS}, "mean= and std="),
    ],
)
def test_an_npz_of_something_else_is_refused(tmp_path, content, message):
    np.savez(tmp_path / "a.npz", **content)
    with pytest.raises(ImagesError, match=message):
        images.load(f"npz:{tmp_path / 'a.npz'}?holdout=2")


def test_a_damaged_npz_is_one_error(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, images=SHOTS, labels=LABELS)
    whole = path.read_bytes()
    for content in (b"", b"PK\3\4", whole[:-30], whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(ImagesError):
            images.load(f"npz:{path}")
    for place in range(30, len(whole), 97):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        try:  # not every byte matters
            images.load(f"npz:{path}?holdout=2")
        except ImagesError:
            continue


# --- Hugging Face -----------------------------------------------------------------------


def test_a_saved_data_set_and_parquet_shards_are_the_folder(tmp_path, pets):
    folder = images.load(f"folder:{pets}")
    whole = table(range(30))
    save_to_disk(tmp_path / "saved", whole)
    pq.write_table(whole, tmp_path / "one.parquet", row_group_size=7)
    for option in (f"hf:{tmp_path / 'saved'}", f"hf:{tmp_path / 'one.parquet'}"):
        found = images.load(option)
        assert torch.equal(found.pixels, folder.pixels)
        assert found.name.partition("@")[2] == folder.name.partition("@")[2]


def test_splits_of_a_data_set(tmp_path):
    train, test = table(range(24)), table(range(24, 30))
    write_hub(tmp_path / "hub", train, test)
    save_to_disk(tmp_path / "dict" / "train", train)
    save_to_disk(tmp_path / "dict" / "validation", test, 1)
    (tmp_path / "dict" / "dataset_dict.json").write_text('{"splits": ["train", "validation"]}')
    names = set()
    for place in ("hub", "dict"):
        found = both(f"hf:{tmp_path / place}")
        assert [len(one) for one in found] == [24, 6]
        names.add(found[0].name.partition("@")[2])
    assert len(names) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop_columns(["label"]), "0 columns of labels"),
        (lambda t: t.drop_columns(["image"]), "0 columns of images"),
        (lambda t: t.append_column("fine_label", t["label"]).replace_schema_metadata(None),
         "label="),
        (lambda t: t.set_column(1, "label", pa.array([-1] * 30)), "-1 stands for"),
        (lambda t: t.set_column(1, "label", pa.array([3] * 30)), "labels up to 3, of 3 classes"),
        (lambda t: t.set_column(1, "label", pa.array([None] * 30, pa.int64())), "for each image"),
        (lambda t: t.set_column(0, "image", pa.array(
            [{"bytes": None, "path": "a.png"}] * 30, t.schema.field(0).type)), "it is empty"),
        (lambda t: t.set_column(0, "image", pa.array([[1, 2]] * 30)), "expected images"),
        (lambda t: t.replace_schema_metadata({"huggingface": "{"}), "JSON"),
    ],
)  # fmt: skip
def test_a_table_of_something_else_is_refused(tmp_path, change, message):
    pq.write_table(change(table(range(30))), tmp_path / "a.parquet")
    with pytest.raises(ImagesError, match=message):
        images.load(f"hf:{tmp_path / 'a.parquet'}")


def test_columns_and_names_without_features(tmp_path):
    plain = table(range(30)).replace_schema_metadata(None)
    words = pa.array([CLASSES[row % 3] for row in range(30)])
    plain = plain.rename_columns(["img", "kind"]).set_column(1, "kind", words)
    pq.write_table(plain, tmp_path / "a.parquet")
    found = images.load(f"hf:{tmp_path / 'a.parquet'}?label=kind")
    assert (found.classes, found.labels[:3].tolist()) == (3, [0, 1, 2])


def test_damaged_tables_are_one_error(tmp_path):
    saved = save_to_disk(tmp_path / "saved", table(range(30)), 1)
    pq.write_table(table(range(30)), tmp_path / "a.parquet")
    arrow = saved / "data-00000-of-00001.arrow"
    for path, option in ((arrow, saved), (tmp_path / "a.parquet", tmp_path / "a.parquet")):
        whole = path.read_bytes()
        for content in (b"", whole[: len(whole) // 2], whole[:-8]):
            path.write_bytes(content)
            with pytest.raises(ImagesError):
                images.load(f"hf:{option}")
    (saved / "state.json").write_text('{"_data_files": [{"filename": "../x.arrow"}]}')
    with pytest.raises(ImagesError, match="_data_files"):
        images.load(f"hf:{saved}")


# --- large sets -------------------------------------------------------------------------


@pytest.fixture
def unread(monkeypatch):
    monkeypatch.setattr(loading, "MOST_IN_MEMORY", 0)


def forms(tmp_path):
    shots, labels = arrays()
    np.savez(tmp_path / "a.npz", images=shots, labels=labels)
    save_to_disk(tmp_path / "saved", table(range(30)))
    write_hub(tmp_path / "hub", table(range(24)), table(range(24, 30)))
    return [f"folder:{write_folder(tmp_path / 'b')}", f"npz:{tmp_path / 'a.npz'}",
            f"hf:{tmp_path / 'saved'}", f"hf:{tmp_path / 'hub'}"]  # fmt: skip


def test_images_on_the_disk_are_those_in_memory(tmp_path, monkeypatch):
    for option in forms(tmp_path):
        whole = images.load(option)
        with monkeypatch.context() as patch:
            patch.setattr(loading, "MOST_IN_MEMORY", 0)
            stored = images.load(option)
        assert isinstance(stored.pixels, StoredPixels)
        assert torch.equal(stored.images(), whole.images())
        order = torch.tensor([5, 0, 5, 23])
        assert torch.equal(stored.images(order), whole.images(order))
        assert stored.batch(7, 3).fingerprint == whole.batch(7, 3).fingerprint
        assert stored.fingerprint() == whole.fingerprint()
        some, again = stored.first(4), pickle.loads(pickle.dumps(stored.first(4)))
        assert some.fingerprint() == whole.first(4).fingerprint() == again.fingerprint()
        assert [some.pixels.reader.name(row) for row in some.pixels.rows] == [
            stored.pixels.reader.name(row) for row in stored.pixels.rows[:4]
        ]
        assert stored.first(None) is stored.first(10**6) is stored
        again = pickle.loads(pickle.dumps(stored.pixels))
        assert torch.equal(again[2:5], whole.pixels[2:5])


def test_the_first_images_are_sent_alone(tmp_path, unread):
    found = images.load(f"folder:{write_folder(tmp_path / 'large', 60, (8, 8))}")
    few = images.load(f"folder:{write_folder(tmp_path / 'small', 6, (8, 8))}")
    assert len(pickle.dumps(found.first(3))) < len(pickle.dumps(few.first(3))) + 50
    digits = images.load("digits")
    sent = pickle.loads(pickle.dumps(digits.first(3)))
    assert len(pickle.dumps(digits.first(3))) < 3 * digits.pixels[0].nbytes + 3000
    assert sent.fingerprint() == digits.first(3).fingerprint()


def test_a_batch_reads_only_its_own_images(pets, unread, monkeypatch):
    found = images.load(f"folder:{pets}")
    read = []
    plain = type(found.pixels.reader).contents
    monkeypatch.setattr(
        type(found.pixels.reader), "contents",
        lambda self, rows: read.extend(rows) or plain(self, rows),
    )  # fmt: skip
    batch = found.batch(6, 0)
    assert len(read) == 6
    assert torch.bincount(batch.labels).tolist() == [2, 2, 2]


def test_a_file_that_changed_meanwhile_is_an_error(pets, unread):
    found = images.load(f"folder:{pets}")
    (pets / "cat" / "00.png").write_bytes(b"x")
    with pytest.raises(ImagesError, match=r"cat/00\.png"):
        found.images()


def test_memory_does_not_grow_with_the_set(tmp_path, unread):
    root = write_folder(tmp_path / "large", 3, (256, 256))
    for name in CLASSES:
        for number in range(3, 60):
            os.link(root / name / "00.png", root / name / f"{number:02d}.png")
    tracemalloc.start()
    found = images.load(f"folder:{root}")
    found.first(100).fingerprint()
    found.batch(6, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # What torch holds is not traced: no part of the set that the reader returns is larger.
    assert max(part.numel() for part in found.first(100).pixels.chunks()) <= 2**24
    assert found.pixels.shape == (144, 3, 256, 256)
    assert peak < 2**24 < 144 * 3 * 256 * 256


def test_a_balanced_batch_of_classes_of_unequal_size(tmp_path):
    root = write_folder(tmp_path / "some")
    for number in range(40):
        (root / "cat" / f"more{number}.png").write_bytes(png(picture(1000 + number)))
    found = images.load(f"folder:{root}")
    assert torch.bincount(found.batch(12, 0).labels).tolist() == [4, 4, 4]
    assert torch.bincount(found.labels[:9]).tolist() == [3, 3, 3]
