"""The 15 corruptions: closed forms, seeds, and the files they are kept in."""

import io
import shutil

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

from testbed import images
from testbed.corruptions import CORRUPTIONS, corrupt, corrupted_set, write_corrupted
from testbed.corruptions.__main__ import generate
from testbed.images import ImagesError
from testbed.images.corrupted import check, load_corrupted

every = pytest.mark.parametrize("corruption", CORRUPTIONS)
RANDOM = {
    "gaussian_noise", "shot_noise", "impulse_noise", "glass_blur", "motion_blur", "snow", "frost",
    "fog", "elastic_transform",
}  # fmt: skip


def pictures(count=6, channels=3, size=32, seed=0):
    """Smooth colour gradients with edges: blurs, noise and compression all change them."""
    source = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size
    made = []
    for _ in range(count):
        a, b, c, d = source.uniform(0.5, 3, 4)
        planes = [np.sin(a * x * 6 + k) * np.cos(b * y * 6 - k) for k in range(channels)]
        edges = (np.hypot(x - c / 4, y - d / 4) < 0.25) * 0.5
        made.append([0.5 + 0.35 * plane - edges * plane for plane in planes])
    return torch.from_numpy((np.array(made).clip(0, 1) * 255).round().astype(np.uint8))


@every
@pytest.mark.parametrize(("channels", "size"), [(3, 32), (1, 8), (3, 16), (1, 28)])
def test_shape_and_type_stay_and_pixels_change(corruption, channels, size):
    clean = pictures(3, channels, size)
    result = corrupt(clean, corruption, 5)
    assert result.shape == clean.shape
    assert result.dtype == torch.uint8
    assert (result != clean).any()
    floats = corrupt(clean.float() / 255, corruption, 5)
    assert torch.equal((floats * 255).round().byte(), result)


@every
def test_an_image_is_corrupted_alike_whatever_is_beside_it(corruption):
    clean = pictures(6)
    whole = corrupt(clean, corruption, 3, key=7)
    assert torch.equal(corrupt(clean, corruption, 3, key=7), whole)
    assert torch.equal(corrupt(clean[[4, 1]], corruption, 3, key=7), whole[[4, 1]])
    other = corrupt(clean, corruption, 3, key=8)
    assert torch.equal(other, whole) == (corruption not in RANDOM)


def test_the_global_random_state_is_left_alone():
    before, numbers = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    for corruption in CORRUPTIONS:
        corrupt(pictures(1), corruption, 2)
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == numbers).all()  # noqa: NPY002


# The benchmark's affine part of elastic_transform shrinks with the severity, .08 to .03: in
# pixels, its first severity is the furthest away.
@pytest.mark.parametrize(
    "corruption", [name for name in CORRUPTIONS if name != "elastic_transform"]
)
def test_the_last_severity_is_further_from_the_image_than_the_first(corruption):
    clean = pictures(16)
    distances = [
        float((corrupt(clean, corruption, s).float() - clean.float()).abs().mean())
        for s in range(1, 6)
    ]
    assert distances[4] > distances[0] > 0, distances


def grey(level=0.5, count=40):
    return torch.full((count, 3, 32, 32), round(level * 255), dtype=torch.uint8) + torch.arange(
        count, dtype=torch.uint8
    ).view(-1, 1, 1, 1) // 100  # fmt: skip


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
def test_gaussian_noise_has_the_benchmark_s_deviation(severity):
    sigma = [0.04, 0.06, 0.08, 0.09, 0.10][severity - 1]
    clean = grey(count=1)
    noise = corrupt(clean, "gaussian_noise", severity).double() / 255 - clean.double() / 255
    # 3,072 draws, and rounding down to 8 bits.
    assert float(noise.std()) == pytest.approx(sigma, rel=0.06)


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
def test_shot_noise_has_poisson_s_variance(severity):
    photons = [500, 250, 100, 75, 50][severity - 1]
    clean = grey(count=1)
    level = float(clean[0, 0, 0, 0]) / 255
    noise = corrupt(clean, "shot_noise", severity).double() / 255 - level
    assert float(noise.var()) == pytest.approx(level / photons, rel=0.12)


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
def test_impulses_hit_the_benchmark_s_share_of_values(severity):
    share = [0.01, 0.02, 0.03, 0.05, 0.07][severity - 1]
    clean = grey(count=1)
    result = corrupt(clean, "impulse_noise", severity)
    hit = result != clean
    assert set(result[hit].tolist()) <= {0, 255}
    assert float(hit.double().mean()) == pytest.approx(share, abs=4 * (share / 3072) ** 0.5)


@pytest.mark.parametrize("severity", [1, 3, 5])
def test_contrast_shrinks_towards_each_channel_s_mean(severity):
    factor = [0.75, 0.5, 0.4, 0.3, 0.15][severity - 1]
    clean = pictures(4)
    mean = clean.double().mean((2, 3), keepdim=True)
    expected = (clean.double() - mean) * factor + mean
    assert (corrupt(clean, "contrast", severity).double() - expected).abs().max() <= 1.01


@pytest.mark.parametrize("severity", [1, 3, 5])
def test_brightness_adds_to_the_largest_channel(severity):
    added = [0.05, 0.1, 0.15, 0.2, 0.3][severity - 1]
    clean = pictures(4)
    value = clean.double().amax(1) / 255
    found = corrupt(clean, "brightness", severity).double().amax(1) / 255
    assert (found - (value + added).clamp_max(1)).abs().max() <= 1.01 / 255


def test_jpeg_is_pillow_s():
    clean = pictures(2)
    for severity, quality in enumerate([80, 65, 58, 50, 40], start=1):
        result = corrupt(clean, "jpeg_compression", severity)
        for one, found in zip(clean, result, strict=True):
            file = io.BytesIO()
            Image.fromarray(one.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=quality)
            expected = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)
            assert (found.int() - expected.int()).abs().max() <= 1


@pytest.mark.parametrize(
    ("clean", "corruption", "severity", "message"),
    [
        (pictures(1), "rain", 1, "unknown corruption"),
        (pictures(1), "fog", 6, "severity"),
        (pictures(1)[0], "fog", 1, r"\(N, C, H, W\)"),
        (2 * torch.ones(1, 3, 32, 32), "fog", 1, r"in \[0, 1\]"),
        (torch.ones(1, 3, 32, 32).long(), "fog", 1, "uint8 or floating"),
    ],
)
def test_what_cannot_be_corrupted_is_named(clean, corruption, severity, message):
    with pytest.raises(ImagesError, match=message):
        corrupt(clean, corruption, severity)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("corrupted") / "digits-c"
    write_corrupted(small(), path, corruptions=("fog", "contrast"))
    return path


def small():
    from dataclasses import replace

    whole = images.load("digits", split="test")
    return replace(whole, pixels=whole.pixels[:20], labels=whole.labels[:20])


def test_what_is_written_is_what_is_generated(folder):
    for corruption in ("fog", "contrast"):
        for severity in range(1, 6):
            read = load_corrupted("digits-c", folder, corruption, severity)
            made = corrupted_set(small(), corruption, severity)
            assert torch.equal(read.pixels, made.pixels)
            assert torch.equal(read.labels, made.labels)
            assert (read.levels, read.mean, read.std) == (255, made.mean, made.std)


def test_finished_files_are_kept_and_others_are_refused(folder):
    before = (folder / "fog.npy").stat().st_mtime_ns
    assert write_corrupted(small(), folder, corruptions=("fog",)) == []
    assert (folder / "fog.npy").stat().st_mtime_ns == before
    with pytest.raises(ImagesError, match="something else"):
        write_corrupted(small(), folder, corruptions=("fog",), key=1)


def spoil(folder, tmp_path, name, array):
    copy = tmp_path / "digits-c"
    shutil.copytree(folder, copy)
    np.save(copy / name, array, allow_pickle=True)
    return copy


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("fog.npy", np.zeros((100, 8, 8), np.uint8)),
        ("fog.npy", np.zeros((100, 8, 8, 1), np.float32)),
        ("fog.npy", np.zeros((95, 8, 8, 1), np.uint8)),
        ("fog.npy", np.array([{"a": 1}], dtype=object)),
        ("labels.npy", np.full(100, 11, np.uint8)),
        ("labels.npy", np.arange(100, dtype=np.uint8) % 10),
        ("labels.npy", np.zeros(99, np.uint8)),
    ],
)
def test_damaged_files_are_refused(folder, tmp_path, name, array):
    copy = spoil(folder, tmp_path, name, array)
    if name == "labels.npy" and len(array) == 100 and array.max() == 9:
        array[3] = 0 if array[3] else 1  # so that the severities disagree
        np.save(copy / name, array)
    with pytest.raises(ImagesError, match=name.replace(".", r"\.")):
        load_corrupted("digits-c", copy, "fog", 1)


def test_a_report_says_what_a_folder_lacks(folder):
    report = check("digits-c", folder)
    assert set(report.present) == {"fog", "contrast"}
    assert len(report.missing) == 13
    with pytest.raises(ImagesError, match="snow"):
        load_corrupted("digits-c", folder, "snow", 1)


def test_the_command_writes_and_refuses(tmp_path):
    arguments = ["--images", "digits", "--corruptions", "contrast", "--out", str(tmp_path / "c")]
    app = typer.Typer()
    app.command()(generate)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "c" / "contrast.npy").is_file()
    result = CliRunner().invoke(app, [*arguments[:3], "rain", *arguments[4:]])
    assert result.exit_code == 2
    assert "rain" in result.output
