import pytest

from evaluation.ranking.table import rank
from evaluation.truths import Truth, open_truth
from evaluation.truths.archive import ArchiveTruth
from evaluation.truths.files import TruthError
from tests import archive_writer as writer
from tests.score_frames import frame, score_rows
from tests.truth_folder import write_truth

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


def test_a_single_file_of_a_few_networks_ranks_what_is_there(tmp_path):
    path = writer.write_single(tmp_path / "NAS-Bench-201-v1_1-096897.pth", [*IDS, 284])
    truth = open_truth(path)
    assert truth.targets().index.tolist() == list(IDS)
    assert rank(frame(score_rows(ids=(*IDS, 13))), truth).n == 3


def test_a_network_that_lacks_the_data_set_has_no_row(tmp_path):
    for number in IDS:
        trials = [("cifar10", 777)] if number == 11 else [("cifar100", 777)]
        writer.write_nats(tmp_path, number, trials=trials)
    assert open_truth(tmp_path).targets().index.tolist() == [11]
    with pytest.raises(TruthError, match="has no data set 'ImageNet16-120' for hp 200; it has"):
        open_truth(tmp_path, "ImageNet16-120").targets()


@pytest.mark.parametrize(
    "names",
    [["plot.png"], ["t.parquet", "t.csv"], ["notes.pdf", "run.py", "w.pth", "meta.pickle.pbz2"],
     ["000011.pickle.pbz2.part", "x000011.pickle.pbz2"], []],
)  # fmt: skip
def test_a_folder_of_other_files_is_no_archive(tmp_path, names):
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(TruthError, match=r"no meta\.json in .*, which holds .*; expected") as error:
        open_truth(tmp_path)
    assert all(name in str(error.value) for name in names or ["nothing"])
    assert "NNNNNN.pickle.pbz2" in str(error.value)


@pytest.mark.parametrize("foreign", ["plot.png", "scores.parquet", "000011.pickle.pbz2"])
def test_files_beside_a_published_truth_do_not_make_it_an_archive(tmp_path, foreign):
    root = write_truth(tmp_path / "truth", ids=IDS)
    (root / foreign).touch()
    assert isinstance(open_truth(root), Truth)


def test_files_beside_an_archive_do_not_hide_it(tmp_path):
    for name in ("a.png", "meta.pickle.pbz2", "zz.parquet"):
        (tmp_path / name).touch()
    writer.write_nats(tmp_path, 11, weights=False)
    assert open_truth(tmp_path).targets().index.tolist() == [11]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("000011.pickle.pbz2", "the file of one architecture of a NATS-Bench archive; give the"),
        ("NATS-sss-v1_0-50262.pickle.pbz2", "must be read whole: take the folder"),
        ("NATS-sss-v1_0-50262-simple.tar", "unpack it first"),
    ],
)
def test_a_file_of_an_archive_says_what_to_give_instead(tmp_path, name, said):
    (tmp_path / name).touch()
    with pytest.raises(TruthError, match=said):
        open_truth(tmp_path / name)
