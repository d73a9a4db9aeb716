import pytest

from evaluation.ranking.table import rank
from evaluation.truths import open_truth
from evaluation.truths.archive import ArchiveTruth
from evaluation.truths.files import TruthError
from tests import archive_writer as writer
from tests.score_frames import frame, score_rows

IDS = (0, 11, 12)


def test_it_is_the_mean_over_the_seeds(tmp_path):
    for number, accuracy in zip(IDS, (40.0, 60.0, 80.0), strict=True):
        writer.write_nats(tmp_path, number, accuracy=accuracy)
    writer.write_nats(tmp_path, 284)  # isomorphic to another
    truth = open_truth(tmp_path)
    assert isinstance(truth, ArchiveTruth)
    assert truth.targets()["clean"].to_dict() == {0: 0.4, 11: 0.6, 12: 0.8}
    ranking = rank(frame(score_rows(ids=IDS)), truth)
    assert ranking.n == 3
    assert set(ranking.table["target"]) == {"clean"}


def test_the_real_archive_gives_its_own_figures(real_data):
    truth = open_truth(real_data / "NATS-tss-v1_0-3ffb9-simple")
    api = pytest.importorskip("nats_bench")
    archive = api.create(str(real_data / "NATS-tss-v1_0-3ffb9-simple"), "tss", True, False)
    for number, accuracy in truth.targets()["clean"].items():
        info = archive.get_more_info(number, "cifar10", hp="200", is_random=False)
        assert 100 * accuracy == pytest.approx(info["test-accuracy"], abs=1e-9)


def test_what_it_lacks_is_named(tmp_path):
    with pytest.raises(TruthError, match="no data set 'mnist' in an archive; there: cifar10-valid"):
        ArchiveTruth.open(tmp_path, "mnist")
    writer.write_nats(tmp_path, 11)
    (tmp_path / "000011.pickle.pbz2").write_bytes(b"nothing")
    with pytest.raises(TruthError, match="000011"):
        open_truth(tmp_path).targets()
