"""Files that harm without code: refused in little time and memory, whichever reader meets them."""

import bz2
import io
import json
import os
import pickle
import re
import resource
import subprocess
import sys
import warnings
import zipfile
from collections import OrderedDict
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from testbed import images
from testbed.basis.errors import InputError
from testbed.files.bounded_bz2 import read_bz2
from testbed.files.pickle_runs import runs
from testbed.files.pickle_scan import Limits, check_pickle
from testbed.files.safe_pickle import NUMPY_NAMES, SafeUnpickler
from testbed.images.corrupted import load_corrupted
from testbed.images.errors import DataFileError
from testbed.spaces.nasbench201.archive import open_archive
from testbed.spaces.nasbench201.archive.errors import ArchiveFileError
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.network import Network
from testbed.spaces.nasbench201.sizes import check_size
from testbed.train.recipe import Recipe
from tests import archive_writer as writer
from tests.bombs import PICKLES, npy, zipped

SECONDS = 5
LONG = 500_000  # bytes
MEMORY = 500 * 2**20  # beyond what the imports take
ROOT = Path(__file__).parents[1]
CHILD = """
import resource, sys
from pathlib import Path
from testbed import images
from testbed.basis.errors import ToolkitError
from testbed.spaces.nasbench201.archive import open_archive
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
limit = taken + {memory}
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for folder in sys.stdin.read().split():
    used = int(sum(resource.getrusage(0)[:2]))
    resource.setrlimit(resource.RLIMIT_CPU, (used + {seconds} + 1, -1))
    try:
        if (Path(folder) / "test_batch").exists():
            images.load("cifar10", folder, "test")
        else:
            open_archive(folder).network(11)
        print(folder, "accepted", flush=True)
    except ToolkitError as error:
        said = str(error)
        print(folder, "refused", "MemoryError" in said, len(said), said.isprintable(), flush=True)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux")
def test_no_pickle_takes_much_time_or_memory_whichever_reader_meets_it(tmp_path):
    folders = []
    for number, raw in enumerate(PICKLES.values()):
        layouts = (
            ("test_batch", raw),
            ("000011.pickle.pbz2", bz2.compress(raw)),
            ("000011-FULL.pth", raw),
            ("000011-SIMPLE.pth", zipped(raw)),
        )
        # The long ones take a second each, of the same look through them: one reader for each.
        for name, content in layouts if len(raw) < LONG else [layouts[number % len(layouts)]]:
            folder = tmp_path / str(number) / name
            folder.mkdir(parents=True)
            (folder / name).write_bytes(content)
            folders.append(str(folder))
    code = CHILD.format(memory=MEMORY, seconds=SECONDS)
    done = subprocess.run(
        [sys.executable, "-c", code], input="\n".join(folders), capture_output=True, text=True,
        check=False, timeout=500, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-500:]
    said = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in said] == folders
    for _, kind, memory, length, printable in said:
        assert (kind, memory, printable) == ("refused", "False", "True")
        assert int(length) < 1000


@pytest.mark.parametrize("protocol", range(6))
def test_what_data_files_hold_is_let_through(protocol):
    content = {
        "numbers": [1, -1, 300, 70_000, 2**40, 2**62, 1.5, float("nan"), None, True, False],
        "texts": ["", "a", "é" * 100, "x" * 1000] * 300,
        "bytes": [b"", b"a" * 50, b"b" * 70_000],
        ("cifar10", 777): {"nested": [[[]]], "tuples": ((), (1,), (1, (2, 3)))},
        "curves": {f"ori-test@{n}": n / 7 for n in range(5000)},
        "epochs": {n: n / 3 for n in range(300)},
        "more": [f"filename {n}" for n in range(20_000)],
    }
    raw = pickle.dumps(content, protocol)
    assert check_pickle(raw) == len(raw)
    assert check_pickle(b"abc" + raw + b"more", 3) == len(raw) + 3
    names = {**NUMPY_NAMES, ("__builtin__", "bytes"): bytes}  # of empty ones, in old protocols
    loaded = SafeUnpickler(io.BytesIO(raw), names).load()
    assert pickle.dumps(loaded, 4) == pickle.dumps(pickle.loads(raw), 4)


def test_the_end_of_every_pickle_is_where_python_finds_it():
    for protocol in range(6):
        for value in ([1, "a", {"b": (1.5, b"c")}], OrderedDict(a=1), np.float64(1.5), "x" * 300):
            raw = pickle.dumps(value, protocol)
            assert check_pickle(raw + raw) == len(raw)


@pytest.mark.parametrize("cut", [0, 1, 5, 50, -1])
def test_a_pickle_cut_short_is_told(cut):
    raw = pickle.dumps({"a": list(range(1000))}, 4)[:cut]
    with pytest.raises(EOFError, match="cut short"):
        check_pickle(raw)


def test_a_guess_at_the_memo_is_settled_one_by_one():
    """Of a memo that numbers itself, the quick look takes any object for the heaviest."""
    content = [("pair", "name", n) for n in range(2000)]
    names = [f"key {n}" for n in range(3000)]
    raw = pickle.dumps([content, [dict.fromkeys(names, 1) for _ in range(3)]], 4)
    assert check_pickle(raw) == len(raw)
    with pytest.raises(ValueError, match="nests tuples"):
        check_pickle(PICKLES["key that is hashed for ever, protocol 4"])


def _entry(place: int, shape: bytes = b"K\x02\x85") -> bytes:
    """A name and a tensor as PyTorch pickles them, its tuples put from ``place`` on."""
    put = [b"q%c" % (place + n) for n in range(6)]
    return b"".join(
        (b"X\1\0\0\0a", put[0], b"h\0((h\1h\2X\1\0\0\0kh\3K\x02t", put[1], b"QK\0", shape, put[2],
         b"K\1\x85", put[3], b"\x89h\4)R", b"t", put[4], b"R", put[5])
    )  # fmt: skip


NAMES = b"\x80\x02" + b"".join(b"X\1\0\0\0nq%c0" % n for n in range(5))


def test_runs_of_tensors_are_counted_one_by_one():
    """What a run puts on the stack is what its opcodes put there."""
    entries = b"".join(_entry(10 + 6 * n, b"(" + b"K\1" * 5 + b"t") for n in range(30))
    pattern = runs(True, 0).tensor
    assert pattern is not None
    assert len(pattern.findall(entries)) == 30
    raw = NAMES + b"}(" + entries + b"u."
    assert check_pickle(raw) == len(raw)
    # A name and a tensor each, and the dictionary, which is what there is at last.
    raw = NAMES[:2] + b"}" + entries + b"0" * 60 + b"."
    assert check_pickle(raw) == len(raw)
    with pytest.raises(ValueError, match="more from its stack"):
        check_pickle(NAMES[:2] + b"}" + entries + b"0" * 61 + b".")


@pytest.mark.parametrize("get", [b"h\x0b", b"h\x0c", b"h\x0e", b"j\x0c\0\0\0"])
def test_tuples_that_a_run_of_tensors_puts_into_the_memo_are_known(get):
    """Each of them weighs 2 or more, where anything else would weigh 1."""
    raw = NAMES + b"}(" + _entry(10) + b"u}(" + get * 130 + b"tNs."
    with pytest.raises(ValueError, match="nests tuples"):
        check_pickle(raw)
    assert check_pickle(NAMES + b"}(" + _entry(10) + b"u}(" + b"h\x0c" * 120 + b"tNs.")


def test_tuples_out_of_the_memo_are_keys_though_in_a_run():
    """Of 1,100 tuples as keys, all are taken out of the memo by runs of a text and a number."""
    tuples = b"".join(
        b"M" + n.to_bytes(2, "little") + b"\x85r" + n.to_bytes(4, "little") + b"0"
        for n in range(300, 1400)
    )
    keys = b"".join(b"j" + n.to_bytes(4, "little") + b"G" + bytes(8) for n in range(300, 1400))
    with pytest.raises(ValueError, match="more than 1000 keys"):
        check_pickle(b"\x80\x02" + tuples + b"}(" + keys + b"u.")
    few = b"".join(b"j" + n.to_bytes(4, "little") + b"G" + bytes(8) for n in range(300, 1200))
    check_pickle(b"\x80\x02" + tuples + b"}(" + few + b"u.")


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (b"\x80\x02]" * 2 + b".", "changes its protocol"),
        (b"\x80\x02t.", "mark that it has not set"),
        (b"\x80\x02(\x86.", "more from its stack"),
        (b"\x80\x02N\x94.", "numbers itself"),
        (b"\x80\x04Nq\0.", "numbers itself"),
        (b"\x80\x02N2\x86.", "no data file has the opcode"),
        (b"\x80\x02NNNs.", "no dictionary"),
    ],
)
def test_pickles_that_no_pickler_writes(raw, complaint):
    with pytest.raises(ValueError, match=complaint):
        check_pickle(raw)


def test_limits_are_those_that_are_given():
    raw = pickle.dumps([[] for _ in range(100)], 2)
    with pytest.raises(ValueError, match="more than 50 opcodes"):
        check_pickle(raw, limits=Limits(others=50))
    with pytest.raises(ValueError, match="more than 50 bytes"):
        check_pickle(pickle.dumps(list(range(100)), 2), limits=Limits(plain=50))


# --- packed files ---------------------------------------------------------------------------


def test_what_is_unpacked_is_bounded_by_what_is_packed(tmp_path):
    path = tmp_path / "x.bz2"
    path.write_bytes(bz2.compress(bytes(100_000_000)))
    with pytest.raises(ValueError, match="unpacks to more than"):
        read_bz2(path, 2**28)
    path.write_bytes(bz2.compress(b"") * 2000)
    with pytest.raises(ValueError, match="more than 1,000 streams"):
        read_bz2(path, 2**28)


def test_streams_of_a_parallel_packer_are_one_file(tmp_path):
    path = tmp_path / "x.bz2"
    path.write_bytes(bz2.compress(b"one ") + bz2.compress(b"two") + b"\0\0")
    assert read_bz2(path, 100) == b"one two"
    path.write_bytes((bz2.compress(b"one ") + bz2.compress(b"two"))[:-3])
    with pytest.raises(EOFError):
        read_bz2(path, 100)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_pickle_of_zeros_in_a_zip_is_not_unpacked(tmp_path, compression):
    (tmp_path / "000011-FULL.pth").write_bytes(zipped(bytes(2**26 + 1), compression))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ArchiveFileError, match="more than 67,108,864 bytes"):
        open_archive(tmp_path).network(11)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_of_a_zip_no_more_is_unpacked_than_its_directory_says(tmp_path):
    raw = zipped(bytes(10**6))
    said, less = (n.to_bytes(4, "little") for n in (10**6, 10))
    assert raw.count(said) == 2
    (tmp_path / "000011-FULL.pth").write_bytes(raw.replace(said, less))
    with pytest.raises(ArchiveFileError):
        open_archive(tmp_path).network(11)


def test_the_directory_of_a_zip_is_bounded_and_names_each_file_once(tmp_path):
    path = tmp_path / "000011-FULL.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
        for number in range(70):
            archive.writestr(f"{number}".rjust(60_000, "a"), b"")
    with pytest.raises(ArchiveFileError, match="its directory has 4,2"):
        open_archive(tmp_path).network(11)
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")
        for content in (b"a", b"b"):
            archive.writestr("archive/data/0", content)
    with pytest.raises(ArchiveFileError, match="has the file 'archive/data/0' twice"):
        open_archive(tmp_path).network(11)


# --- values ---------------------------------------------------------------------------------


def _altered(tmp_path, change):
    content = writer.content(11)
    change(content["200"]["all_results"]["cifar10", 777])
    writer.write_nats(tmp_path, 11, content)
    return open_archive(tmp_path)


@pytest.mark.parametrize(
    "value", [-1, 999_999, float("inf"), -float("inf"), float("nan"), True, "91.7", None, 100.01]
)
@pytest.mark.parametrize("where", ["train_acc1es", "eval_acc1es"])
def test_accuracies_out_of_range_are_refused(tmp_path, where, value):
    def change(trial):
        trial[where][next(iter(trial[where]))] = value

    with pytest.raises(ArchiveFileError, match="expected an accuracy in %, from 0 to 100"):
        _altered(tmp_path, change).record(11)


@pytest.mark.parametrize(
    "name", ["ori-test@02", "ori-test@٢", "ori-test@+2", "ori-test@3", "ori-test@2@2", "@2", 5]
)
def test_an_epoch_is_spelled_in_one_way(tmp_path, name):
    def change(trial):
        trial["eval_acc1es"][name] = 50.0

    with pytest.raises(
        ArchiveFileError, match=r"expected (an accuracy of split@epoch|epochs from)"
    ):
        _altered(tmp_path, change).record(11)


@pytest.mark.parametrize(
    ("name", "value"),
    [("channel", 10**7), ("num_cells", 10**7), ("class_num", 10**7), ("channel", 0),
     ("num_cells", -1), ("channel", True), ("channel", 16.0), ("num_cells", "5")],
)  # fmt: skip
def test_sizes_out_of_range_are_refused(tmp_path, name, value):
    def change(trial):
        trial["arch_config"][name] = value

    with pytest.raises(ArchiveFileError, match=r"expected c[a-z]+ from 1 to"):
        _altered(tmp_path, change).network(11)


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", 10**9), ("epochs", True), ("epochs", 0), ("params", float("nan")), ("flop", -1.0),
     ("params", float("inf")), ("flop", "1")],
)  # fmt: skip
def test_costs_out_of_range_are_refused(tmp_path, name, value):
    with pytest.raises(ArchiveFileError, match=f"as '{name}'; got"):
        _altered(tmp_path, lambda trial: trial.update({name: value})).record(11)


def test_one_trial_under_two_spellings_is_refused(tmp_path):
    content = writer.content(11)
    results = content["200"]["all_results"]
    results["cifar10", "777"] = results["cifar10", 888]
    writer.write_nats(tmp_path, 11, content)
    with pytest.raises(ArchiveFileError, match="expected a trial of a data set and a seed"):
        open_archive(tmp_path).seeds(11)


@pytest.mark.parametrize("label", [True, 1.0, "1", None])
def test_labels_are_whole_numbers(tmp_path, label):
    content = {"data": np.zeros((2, 3072), np.uint8), "labels": [0, label]}
    (tmp_path / "test_batch").write_bytes(pickle.dumps(content, 2))
    with pytest.raises(DataFileError, match="expected labels from 0 to 9; got"):
        images.load("cifar10", tmp_path, "test")


def test_a_key_in_two_spellings_is_refused(tmp_path):
    content = {"data": np.zeros((1, 3072), np.uint8), "labels": [0], b"labels": [1]}
    (tmp_path / "test_batch").write_bytes(pickle.dumps(content, 2))
    with pytest.raises(DataFileError, match="expected each key once; got 'labels' twice"):
        images.load("cifar10", tmp_path, "test")


# --- sizes of networks ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "size",
    [
        (10**7, 5),
        (16, 10**7),
        (0, 5),
        (16, 0),
        (1024, 100),
        (True, 1),
        (16.0, 5),
        (16, 5, 10**9),
        (16, 5, 10, 10**6),
    ],
)
def test_networks_of_any_size_are_not_built(size):
    with pytest.raises(InputError, match="a network has"):
        check_size(*size)
    with pytest.raises(InputError, match="a network has"):
        Network(Genotype.from_index(11), *size)


@pytest.mark.parametrize(
    "change",
    [{"channels": 10**7}, {"cells": 10**7}, {"padding": 10**7}, {"epochs": 10**12}, {"cells": True},
     {"lr": "0.1"}, {"batch_size": 1.5}, {"nesterov": 1}, {"flip": float("nan")}, {"lr": None}],
)  # fmt: skip
def test_recipes_out_of_range_are_refused(change):
    with pytest.raises(InputError):
        replace(Recipe(), **change)
    with pytest.raises(InputError):
        Recipe.from_settings({**asdict(Recipe()), **change})


@pytest.mark.parametrize(
    "arguments",
    [["compute", "--channels", "10000000"], ["compute", "--cells", "10000000"],
     ["train", "--channels", "10000000"], ["train", "--cells", "10000000"],
     ["search", "--live", "--out", "x", "--channels", "10000000"]],
)  # fmt: skip
def test_options_of_any_size_end_in_one_line(tmp_path, arguments):
    done = subprocess.run(
        [sys.executable, "-m", "testbed.command", *arguments], cwd=tmp_path, capture_output=True,
        text=True, check=False, timeout=100, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert re.search("a network has from 1 to|expected less than or equal to 1", done.stderr)
    assert "10000000" in done.stderr


# --- plain arrays ---------------------------------------------------------------------------

GOOD = "{'descr': '|u1', 'fortran_order': False, 'shape': (20, 32, 32, 3), }"


@pytest.fixture
def corrupted(tmp_path):
    np.save(tmp_path / "labels.npy", np.tile(np.arange(4), 5))
    return tmp_path


@pytest.mark.parametrize("version", [b"\1\0", b"\2\0", b"\3\0"])
def test_every_version_of_a_plain_array_is_read(corrupted, version):
    (corrupted / "fog.npy").write_bytes(npy(GOOD + "\n", bytes(20 * 3072), version))
    assert len(load_corrupted("cifar10-c", corrupted, "fog", 1)) == 4


@pytest.mark.parametrize(
    "header",
    [
        "", "{", "{}", "[]", "1", "None", "(" * 900, "-" * 900 + "1", "\0", "é",
        GOOD.replace("'|u1'", "'|O'"), GOOD.replace("'|u1'", "[('a', '|u1')]"),
        GOOD.replace("'|u1'", "'|u1', 'descr': '|i1'"), GOOD.replace("'|u1'", "'(9,9)u1'"),
        GOOD.replace("'|u1'", "''"), GOOD.replace("'|u1'", "'M8[9999999999s]'"),
        GOOD.replace("'|u1'", "'<U999999999'"), GOOD.replace("False", "0"),
        GOOD.replace("20", "-20"), GOOD.replace("20", "True"), GOOD.replace("20", "9" * 12),
        GOOD.replace("20", "9" * 30), GOOD.replace("20, 32, 32, 3", ""), GOOD.replace("20", "2e1"),
        GOOD.replace("(20, 32, 32, 3)", "[20, 32, 32, 3]"), GOOD.replace("20", "21"),
        GOOD.replace("20", "19"), GOOD + " " * 5000, GOOD.replace("20", "0x14"), "a" * 60_000,
    ],
)  # fmt: skip
def test_odd_headers_are_one_documented_error(corrupted, header, recwarn):
    (corrupted / "fog.npy").write_bytes(npy(header, bytes(20 * 3072)))
    with pytest.raises(DataFileError, match=r"fog\.npy") as caught:
        load_corrupted("cifar10-c", corrupted, "fog", 1)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 700
    assert not list(recwarn)


@pytest.mark.parametrize(
    "note",
    [
        [],
        1,
        {"split": "test", "images": "cifar10", "key": [1]},
        {"split": ["test"]},
        {"split": "test", "images": {}, "key": 0},
    ],
)
def test_notes_of_odd_types_are_one_documented_error(corrupted, note):
    (corrupted / "fog.npy").write_bytes(npy(GOOD + "\n", bytes(20 * 3072)))
    (corrupted / "generated.json").write_text(json.dumps(note))
    with pytest.raises(DataFileError, match=r"generated\.json"):
        load_corrupted("cifar10-c", corrupted, "fog", 1)
