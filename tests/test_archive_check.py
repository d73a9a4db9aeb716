"""The self-check command: an archive's networks are as accurate as it says."""

import pickle

import numpy as np
import pytest
from typer.testing import CliRunner

from testbed import images
from testbed.check_weights import app
from testbed.spaces.nasbench201.archive import open_archive
from testbed.spaces.nasbench201.archive.comparison import Comparison
from testbed.train.training import accuracy
from tests import archive_writer as writer

INDEX, COUNT = 11, 60


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Sixty test images, named as CIFAR-10's."""
    root = tmp_path_factory.mktemp("data")
    (root / "cifar-10-batches-py").mkdir()
    rng = np.random.default_rng(0)
    batch = {
        b"data": rng.integers(0, 256, (COUNT, 3072), dtype=np.uint8),
        b"labels": rng.integers(0, 10, COUNT).tolist(),
    }
    (root / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps(batch, protocol=2))
    return root


def run(archive, data, *options):
    arguments = [str(archive), "--archs", str(INDEX), "--data-root", str(data), *options]
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "120"})


def write(folder, data, recorded=None):
    """Write an archive that records ``recorded``, by default what is true; return what is."""
    writer.write_nats(folder, INDEX)
    network = open_archive(folder).network(INDEX)
    measured = 100 * accuracy(network, images.load("cifar10", data, "test"), batch_size=7)
    writer.write_nats(folder, INDEX, accuracy=measured if recorded is None else recorded)
    return measured


def test_accuracy_counts(data, tmp_path):
    writer.write_nats(tmp_path, INDEX)
    network, test_set = open_archive(tmp_path).network(INDEX), images.load("cifar10", data, "test")
    right = (network(test_set.images()).argmax(1) == test_set.labels).sum()
    assert 0 < right < COUNT
    assert accuracy(network, test_set, batch_size=7) == pytest.approx(int(right) / COUNT)


def test_agreement(data, tmp_path):
    measured = write(tmp_path, data)
    result = run(tmp_path, data)
    assert result.exit_code == 0, result.output
    assert result.output.count(f"{measured:.2f}") == 2
    assert "+0.00" in result.output
    assert "agrees" in result.output


def test_disagreement(data, tmp_path):
    measured = write(tmp_path, data, recorded=60.0)
    result = run(tmp_path, data)
    assert result.exit_code == 1
    assert f"{measured - 60:+.2f}" in result.output
    assert "differs" in result.output
    assert "1 of 1 networks are not as accurate as the archive says: 11" in result.output


@pytest.mark.parametrize(
    ("images", "measured", "error", "agrees"),
    [
        (10_000, 91.84, None, True),  # 0.05 points
        (10_000, 91.85, None, False),
        (10_000, 91.73, None, False),
        (1_000, 91.79 - 2.65, 0.868, True),  # 3 standard errors are 2.604, half an image 0.05
        (1_000, 91.79 - 2.66, 0.868, False),
        (100, 91.79 + 8.2, 2.745, True),
    ],
)
def test_tolerance(images, measured, error, agrees):
    comparison = Comparison(11, images, 10_000, measured, 91.79)
    assert comparison.standard_error == (error and pytest.approx(error, abs=5e-4))
    assert comparison.agrees == agrees


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--seed", "1"], "no seed 1 for cifar10, hp 200; it has 777, 888"),
        (["--archs", "12"], "has no 000012.pickle.pbz2"),
        (["--archs", "x"], "cannot read 'x' as architectures"),
        (["--hp", "90"], "no hp '90'"),
        (["--dataset", "svhn"], "unknown --dataset 'svhn'; expected one of cifar10-valid"),
        (["--dataset", "cifar100"], "cifar-100-python"),
        (["--device", "nonsense"], "device 'nonsense' cannot be used here"),
    ],
)
def test_bad_input_is_told_without_a_traceback(data, tmp_path, options, complaint):
    writer.write_nats(tmp_path, INDEX)
    result = run(tmp_path, data, *options)
    assert result.exit_code == 2
    assert complaint in result.output
    assert "Traceback" not in result.output
    assert isinstance(result.exception, SystemExit)


def test_archive_without_weights_is_told(data, tmp_path):
    writer.write_nats(tmp_path, INDEX, weights=False)
    result = run(tmp_path, data)
    assert result.exit_code == 2
    assert "NATS-tss-v1_0-3ffb9-full" in result.output
    assert "there is no" in run(tmp_path / "nowhere", data).output


def test_record_without_test_accuracy_is_told(data, tmp_path):
    content = writer.content(INDEX)
    content["200"]["all_results"]["cifar10", 777]["eval_acc1es"] = {"x-valid@2": 90.0}
    writer.write_nats(tmp_path, INDEX, content)
    result = run(tmp_path, data)
    assert result.exit_code == 2
    assert "no accuracy on the official test set on record for architecture 11" in result.output
    assert "it has train, x-valid" in result.output
