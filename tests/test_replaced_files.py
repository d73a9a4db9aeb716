"""Files that are there whole or not at all, on a full disk too; and an export that is repeated."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.truths.export_folder import META, replaced_files
from testbed.basis.errors import InputError
from testbed.files.names import checked_file_name, within
from testbed.files.replacing import HOST, replacing

ROOT = Path(__file__).resolve().parents[1]


def test_a_full_disk_leaves_the_old_file_and_names_it(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("good")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as full, replacing(path) as temporary:
            temporary.write_text("x" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert full.value.filename == str(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.csv"]
    assert path.read_text() == "good"


def test_a_library_that_says_no_name_is_helped_out(tmp_path):
    with pytest.raises(OSError, match="No space left") as full, replacing(tmp_path / "a.parquet"):
        raise OSError(28, "No space left on device")
    assert full.value.filename == str(tmp_path / "a.parquet")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device")
def test_a_full_standard_output_is_one_line_and_no_traceback():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "testbed.command", "proxies"], stdout=full, text=True,
            stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "No space left" in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_has_is_not(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead = tmp_path / f".a.csv.{HOST}-{gone.pid}.tmp"
    others = [
        tmp_path / f".a.csv.{HOST}-{os.getppid()}.tmp",
        tmp_path / f".a.csv.another-{gone.pid}.tmp",
        tmp_path / f".b.csv.{HOST}-{gone.pid}.tmp",
    ]
    for path in (dead, *others):
        path.touch()
    with replacing(tmp_path / "a.csv") as temporary:
        temporary.write_text("new")
    assert not dead.exists()
    assert all(path.exists() for path in others)


# The folder of an export


def export(root: Path, images: str, epsilons: dict[str, list[float]]) -> None:
    names = [f"{key}_accuracy.json" for key in epsilons]
    with replaced_files(root, images, names, epsilons) as everything:
        (root / images).mkdir(exist_ok=True)
        (root / META).write_text(json.dumps({"epsilons": everything}))
        for name in names:
            (root / images / name).write_text("{}")


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.glob("*/*"))


def test_a_second_export_leaves_nothing_of_the_first(tmp_path):
    export(tmp_path, "digits", {"fgsm@Linf": [1.0], "pgd@Linf": [1.0]})
    export(tmp_path, "digits", {"fgsm@Linf": [8.0]})
    assert files(tmp_path) == ["digits/fgsm@Linf_accuracy.json"]
    assert json.loads((tmp_path / META).read_text())["epsilons"] == {"fgsm@Linf": [8.0]}


def test_files_that_no_export_noted_are_refused_and_kept(tmp_path):
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "pgd@Linf_accuracy.json").write_text("{}")
    with pytest.raises(InputError, match="pgd@Linf_accuracy"):
        export(tmp_path, "digits", {"fgsm@Linf": [8.0]})
    assert files(tmp_path) == ["digits/pgd@Linf_accuracy.json"]


def test_other_image_sets_keep_their_epsilons(tmp_path):
    export(tmp_path, "digits", {"fgsm@Linf": [1.0], "pgd@Linf": [2.0]})
    export(tmp_path, "cifar10", {"fgsm@Linf": [1.0]})
    assert json.loads((tmp_path / META).read_text())["epsilons"] == {
        "fgsm@Linf": [1.0], "pgd@Linf": [2.0],
    }  # fmt: skip
    with pytest.raises(InputError, match="at ε = 2"):
        export(tmp_path, "cifar10", {"pgd@Linf": [8.0]})


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\b", "..", ".x", "", "a\0", "a\n", "x" * 300])
def test_names_stay_in_their_folder(tmp_path, name):
    with pytest.raises(InputError, match="names a file here"):
        checked_file_name(name, "an image set")
    with pytest.raises(InputError):
        export(tmp_path, name, {"fgsm@Linf": [1.0]})


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "digits").symlink_to("../out")
    with pytest.raises(InputError, match="outside"):
        within(tmp_path / "root", tmp_path / "root" / "digits" / "x")
    with pytest.raises(InputError, match="outside"):
        export(tmp_path / "root", "digits", {"fgsm@Linf": [1.0]})
    assert not list((tmp_path / "out").iterdir())
