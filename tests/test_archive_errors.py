"""Files of archives that are damaged, malicious or of something else: each its own error."""

import bz2
import contextlib
import io
import os
import pickle
import pickletools
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.spaces.nasbench201.archive import open_archive
from testbed.spaces.nasbench201.archive.errors import (
    ArchiveFileError,
    ForbiddenGlobalError,
    MissingArchitectureError,
    MissingTrialError,
    NoWeightsError,
    WrongArchitectureError,
)
from testbed.spaces.nasbench201.genotype import Genotype
from tests import archive_writer as writer

INDEX = 11
NATS, PTH = "000011.pickle.pbz2", "000011-FULL.pth"


class Malice:
    """Pickles as a call."""

    def __init__(self, *call):
        self.call = (call[0], call[1:])

    def __reduce__(self):
        return self.call


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The bytes of sound files."""
    root = tmp_path_factory.mktemp("good")
    return {
        "nats": writer.write_nats(root / "nats", INDEX).read_bytes(),
        "legacy": writer.write_nasbench201(root / "legacy", INDEX).read_bytes(),
        "zip": writer.write_nasbench201(root / "zip", INDEX, legacy=False).read_bytes(),
    }


def load(folder, raw, name=NATS):
    (folder / name).write_bytes(raw)
    return open_archive(folder).network(INDEX)


def test_simple_archive_says_what_to_fetch(tmp_path):
    writer.write_nats(tmp_path, INDEX, weights=False)
    with pytest.raises(NoWeightsError, match=r"no weights.*\*full\* archive NATS-tss-v1_0-3ffb9-f"):
        open_archive(tmp_path).network(INDEX)
    assert open_archive(tmp_path).record(INDEX).accuracies["ori-test"] == 91.79


@pytest.mark.parametrize("index", [0, 11, 284])
def test_real_simple_archive_says_what_to_fetch(real_data, index):
    with pytest.raises(NoWeightsError, match=f"{index:06d}.pickle.pbz2 holds accuracies but no"):
        open_archive(real_data / "NATS-tss-v1_0-3ffb9-simple").network(index)


@pytest.mark.parametrize("protocol", range(6))
def test_malicious_pickle_is_refused_by_name_and_not_run(tmp_path, protocol):
    trace = tmp_path / "trace"
    raw = pickle.dumps({"12": Malice(os.mkdir, str(trace)), "200": {}}, protocol=protocol)
    with pytest.raises(ForbiddenGlobalError, match=r"pbz2 was refused: it asks for \w+\.mkdir"):
        load(tmp_path, bz2.compress(raw))
    assert not trace.exists()
    pickle.loads(raw)
    assert trace.exists()  # the file would have done it


@pytest.mark.parametrize("place", range(5))
def test_malice_in_any_part_of_a_torch_file_is_refused(tmp_path, good, place):
    trace = tmp_path / "trace"
    parts = _pickles(good["legacy"])
    parts[place] = pickle.dumps(Malice(os.mkdir, str(trace)), protocol=2)
    with pytest.raises(ForbiddenGlobalError, match=r"mkdir"):
        load(tmp_path, b"".join(parts), PTH)
    assert not trace.exists()


def test_malice_in_a_zip_is_refused(tmp_path, good):
    trace = tmp_path / "trace"
    altered = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good["zip"])) as old, zipfile.ZipFile(altered, "w") as new:
        for name in old.namelist():
            malice = pickle.dumps(Malice(os.mkdir, str(trace)), protocol=2)
            new.writestr(name, malice if name.endswith("data.pkl") else old.read(name))
    with pytest.raises(ForbiddenGlobalError, match=r"mkdir"):
        load(tmp_path, altered.getvalue(), PTH)
    assert not trace.exists()


def test_malice_inside_the_bytes_of_a_tensor_is_refused(tmp_path):
    """Tensors are pickled as bytes that ``torch.storage._load_from_bytes`` unpickles."""
    trace = tmp_path / "trace"
    inner = io.BytesIO()
    torch.save(
        Malice(os.mkdir, str(trace)), inner, pickle_protocol=2, _use_new_zipfile_serialization=False
    )
    storage = Malice(torch.storage._load_from_bytes, inner.getvalue())
    tensor = Malice(torch._utils._rebuild_tensor_v2, storage, 0, (3,), (1,), False, OrderedDict())
    content = writer.content(INDEX)
    content["200"]["all_results"]["cifar10", 777]["net_state_dict"]["stem.1.bias"] = tensor
    raw = pickle.dumps(content, protocol=4)
    with pytest.raises(ForbiddenGlobalError, match=r"mkdir"):
        load(tmp_path, bz2.compress(raw))
    assert not trace.exists()
    with contextlib.suppress(Exception):  # a folder is no storage, but it has been made
        pickle.loads(raw)
    assert trace.exists()


@pytest.mark.parametrize(
    "function",
    [eval, getattr, np.array, np.frombuffer, pickle.loads, torch.load, torch.tensor, torch.Size,
     torch._utils._rebuild_parameter, dict, OrderedDict.fromkeys],
)  # fmt: skip
def test_even_near_relations_of_the_allowed_names_are_refused(tmp_path, function):
    with pytest.raises(ForbiddenGlobalError):
        load(tmp_path, bz2.compress(pickle.dumps({"200": Malice(function, "1")})))


@pytest.mark.parametrize(
    "name",
    ["collections\nOrderedDict", "torch\nFloatStorage", "torch._utils\n_rebuild_tensor_v2",
     "torch.storage\n_load_from_bytes", "numpy.core.multiarray\nscalar"],
)  # fmt: skip
@pytest.mark.parametrize("attribute", [b"__call__", b"dtype"])
def test_a_pickle_cannot_alter_the_reader(tmp_path, good, name, attribute):
    text = bytes([len(attribute)]) + b"\x00\x00\x00" + attribute
    setting = b"c" + name.encode() + b"\n}X" + text + b"X\x01\x00\x00\x00xsb."
    for raw in (setting, setting.replace(b"\n}", b"\nN}").replace(b"sb.", b"s\x86b.")):
        with pytest.raises(ArchiveFileError, match=r"\((AttributeError|TypeError)"):
            load(tmp_path, bz2.compress(raw))
    load(tmp_path, good["nats"])


@pytest.mark.parametrize("kind", ["nats", "legacy", "zip"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.9, 0.999])
def test_truncated_file_is_named(tmp_path, good, kind, share):
    name = NATS if kind == "nats" else PTH
    raw = good[kind]
    with pytest.raises(ArchiveFileError, match=rf"{name} is truncated or not"):
        load(tmp_path, raw[: int(len(raw) * share)], name)


@pytest.mark.parametrize("kind", ["nats", "legacy", "zip"])
def test_file_that_lacks_a_byte_is_named(tmp_path, good, kind):
    name = NATS if kind == "nats" else PTH
    with pytest.raises(ArchiveFileError, match=rf"{name} is truncated or not"):
        load(tmp_path, good[kind][:-1], name)


def test_truncated_pickle_in_a_sound_bz2_is_named(tmp_path, good):
    raw = bz2.decompress(good["nats"])
    with pytest.raises(ArchiveFileError, match=rf"{NATS} is truncated or not"):
        load(tmp_path, bz2.compress(raw[:-100]))


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path, good, monkeypatch):
    monkeypatch.setattr("testbed.spaces.nasbench201.archive.layouts.MAX_UNPACKED", 1000)
    with pytest.raises(ArchiveFileError, match="unpacks to more than 1,000 bytes"):
        load(tmp_path, good["nats"])


@given(st.binary(max_size=60), st.sampled_from([NATS, PTH]))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_garbage_is_always_a_clear_error(tmp_path_factory, raw, name):
    raw = bz2.compress(raw) if name == NATS else raw
    with pytest.raises(ArchiveFileError, match=name):
        load(tmp_path_factory.mktemp("garbage"), raw, name)


def test_missing_file(tmp_path, good):
    load(tmp_path, good["nats"])
    with pytest.raises(MissingArchitectureError, match=r"has no 000012.pickle.pbz2"):
        open_archive(tmp_path).record(12)


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        (("cifar10", 999, "200"), r"no seed 999 for cifar10, hp 200; it has 777, 888"),
        (("cifar10", 777, "12"), r"no seed 777 for cifar10, hp 12; it has 111"),
        (("svhn", 777, "200"), r"no data set 'svhn' .*; it has cifar10-valid, cifar10, cifar100"),
        (("ImageNet16-120", 777, "200"), r"no data set 'ImageNet16-120'"),
        (("cifar10", 777, "90"), r"no hp '90'; it has 12, 200"),
    ],
)
def test_what_is_there_is_listed(tmp_path, good, key, complaint):
    load(tmp_path, good["nats"])
    for ask in (open_archive(tmp_path).record, open_archive(tmp_path).network):
        with pytest.raises(MissingTrialError, match=complaint):
            ask(INDEX, *key)


def test_misnamed_file_is_told(tmp_path, good):
    (tmp_path / "000012.pickle.pbz2").write_bytes(good["nats"])
    with pytest.raises(WrongArchitectureError, match=r"000012.* read as architecture 12.* 11, \|"):
        open_archive(tmp_path).record(12)


@pytest.mark.parametrize("where", ["number", "string", "trial"])
def test_architecture_that_disagrees_with_its_string(tmp_path, where):
    content = writer.content(INDEX)
    other = str(Genotype.from_index(12))
    if where == "number":
        content["200"]["arch_index"] = 12
    elif where == "string":
        content["200"]["arch_str"] = other
    else:
        content["200"]["all_results"]["cifar10", 777]["arch_config"]["arch_str"] = other
    writer.write_nats(tmp_path, INDEX, content)
    for ask in (open_archive(tmp_path).record, open_archive(tmp_path).network):
        with pytest.raises(WrongArchitectureError, match="but says that it is"):
            ask(INDEX)


def _drop(state):
    del state["lastact.0.bias"]


def _add(state):
    state["cells.0.layers.9.op.1.weight"] = torch.zeros(1)


def _reshape(state):
    state["classifier.weight"] = state["classifier.weight"][:, :3]


def _retype(state):
    state["stem.1.num_batches_tracked"] = torch.tensor(1.0)


def _replace(state):
    state["classifier.bias"] = [0.0] * 10


def _stretch(state):
    state["classifier.weight"] = torch.zeros(1).expand(10, 16)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (_drop, r"1 missing \(lastact.0.bias\)"),
        (_add, r"1 unexpected \(cells.0.layers.9.op.1.weight\)"),
        (_reshape, r"classifier.weight is torch.float32 \(10, 3\); .* \(10, 16\)"),
        (_retype, r"num_batches_tracked is torch.float32 .*expected torch.int64"),
        (_replace, r"classifier.bias is no tensor; got list"),
        (_stretch, r"a tensor \(10, 16\) lies in a storage of 1 numbers"),
    ],
)
@pytest.mark.parametrize("legacy", [None, True, False])
def test_weights_load_strictly(tmp_path, change, complaint, legacy):
    content = writer.content(INDEX)
    change(content["200"]["all_results"]["cifar10", 777]["net_state_dict"])
    if legacy is None:
        writer.write_nats(tmp_path, INDEX, content)
    else:
        torch.save(
            writer.by_length(content), tmp_path / PTH, _use_new_zipfile_serialization=not legacy
        )
    with pytest.raises(ArchiveFileError, match=complaint):
        open_archive(tmp_path).network(INDEX)
    open_archive(tmp_path).network(INDEX, seed=888)


def _without(key):
    def change(trial):
        del trial[key]

    return change


@pytest.mark.parametrize(
    "change",
    [_without("params"), _without("arch_config"), _without("eval_acc1es"),
     lambda trial: trial.update(epochs="many"), lambda trial: trial.update(train_acc1es=[1.0]),
     lambda trial: trial.update(eval_acc1es={"ori-test": 1.0})],
)  # fmt: skip
def test_trial_of_another_layout_is_told(tmp_path, change):
    content = writer.content(INDEX)
    change(content["200"]["all_results"]["cifar10", 777])
    writer.write_nats(tmp_path, INDEX, content)
    with pytest.raises(ArchiveFileError, match=rf"{NATS} is truncated or not"):
        open_archive(tmp_path).record(INDEX)


def test_another_number_of_classes_is_told(tmp_path):
    content = writer.content(INDEX)
    content["200"]["all_results"]["cifar10", 777]["arch_config"]["class_num"] = 12
    writer.write_nats(tmp_path, INDEX, content)
    with pytest.raises(ArchiveFileError, match="cifar10 has 10 classes; got 12"):
        open_archive(tmp_path).record(INDEX)


def _pickles(raw):
    """The five pickles of a file of PyTorch before 1.6, and the rest."""
    stream, parts, start = io.BytesIO(raw), [], 0
    for _ in range(5):
        for _ in pickletools.genops(stream):
            pass
        parts.append(raw[start : stream.tell()])
        start = stream.tell()
    return [*parts, raw[start:]]
