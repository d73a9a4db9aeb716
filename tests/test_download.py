import hashlib
import io
import pickle
import socket
import sys
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import requests

from testbed import images
from testbed.images import loading
from testbed.images.download import SOURCES, Source, download
from testbed.images.errors import DownloadError, MissingDataError

FOLDER = "cifar-100-python"


def tarball(**files):
    """Return the bytes of a .tar.gz; ``None`` as content makes a link that leads out."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            if content is None:
                member.type, member.linkname = tarfile.SYMTYPE, "../../.."
            member.size = len(content or b"")
            tar.addfile(member, io.BytesIO(content or b""))
    return buffer.getvalue()


def cifar100(rows=3):
    data = np.full((rows, 3072), 7, np.uint8)
    content = {b"data": data, b"fine_labels": list(range(rows))}
    return pickle.dumps(content, protocol=2)


GOOD = tarball(**{f"{FOLDER}/train": cifar100(), f"{FOLDER}/test": cifar100(2)})
GARBLED = GOOD[:40] + b"\xff" * 40 + GOOD[80:]


class Server:
    """An HTTP server on the loopback, whose answers a test sets: path -> (status, body)."""

    def __init__(self):
        self.answers, self.asked, self.cut = {}, [], False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                status, body = outer.answers.get(self.path, (404, b"no such file"))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if outer.cut else body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def sources(self, body, status=200, md5=None):
        """Serve an archive and return the table that points to it."""
        self.answers["/archive.tar.gz"] = (status, body)
        md5 = md5 or hashlib.md5(body).hexdigest()
        return {"cifar100": Source(f"{self.url}/archive.tar.gz", md5, FOLDER)}


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    running = Server()
    yield running
    running.close()


def test_download_unpacks_and_leaves_only_the_folder(server, tmp_path):
    root = tmp_path / "new" / "data"
    assert download("cifar100", root, server.sources(GOOD)) == root / FOLDER
    assert [path.name for path in root.iterdir()] == [FOLDER]
    assert len(images.load("cifar100", root)) == 3
    assert len(images.load("cifar100", root, "test")) == 2


def test_root_may_be_the_folder_itself(server, tmp_path):
    root = tmp_path / FOLDER
    assert download("cifar100", root, server.sources(GOOD)) == root
    assert len(images.load("cifar100", root)) == 3


def test_an_existing_folder_is_left_alone(server, tmp_path):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "mine").touch()
    assert download("cifar100", tmp_path, server.sources(GOOD)) == tmp_path / FOLDER
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["mine"]
    assert not server.asked


def test_an_empty_folder_is_filled(server, tmp_path):
    (tmp_path / FOLDER).mkdir()
    download("cifar100", tmp_path, server.sources(GOOD))
    assert (tmp_path / FOLDER / "train").is_file()


def test_progress_goes_to_standard_error(server, tmp_path, capsys):
    download("cifar100", tmp_path, server.sources(GOOD))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "archive.tar.gz" in shown.err.replace("\n", "")
    assert f"{len(GOOD)}/{len(GOOD)}" in shown.err


# --- failures ---------------------------------------------------------------------------------


def fails(tmp_path, sources, complaint):
    """Assert that the download fails with one clear error and leaves nothing behind."""
    with pytest.raises(DownloadError, match=complaint) as caught:
        download("cifar100", tmp_path, sources)
    for part in (sources["cifar100"].url, "nothing was kept", str(tmp_path / FOLDER)):
        assert part in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_wrong_checksum(server, tmp_path):
    fails(tmp_path, server.sources(GOOD, md5="0" * 32), f"MD5 is {hashlib.md5(GOOD).hexdigest()}")


def test_not_found(server, tmp_path):
    fails(tmp_path, server.sources(b"gone", status=404), "404")


def test_server_error_with_the_right_body_is_no_download(server, tmp_path):
    fails(tmp_path, server.sources(GOOD, status=500), "500")


def test_connection_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # and never listens
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/archive.tar.gz"
        fails(tmp_path, {"cifar100": Source(url, "0" * 32, FOLDER)}, "Max retries exceeded")


def test_connection_cut_off(server, tmp_path):
    server.cut = True
    fails(tmp_path, server.sources(GOOD), "Incomplete|MD5")


@pytest.mark.parametrize("body", [b"no archive", GOOD[: len(GOOD) // 2], GARBLED])
def test_broken_archive_of_the_right_checksum(server, tmp_path, body):
    fails(tmp_path, server.sources(body), "failed")


def test_archive_without_the_folder(server, tmp_path):
    fails(tmp_path, server.sources(tarball(other=b"1")), FOLDER)


@pytest.mark.parametrize("with_filter", [True, False])
@pytest.mark.parametrize(
    "evil", [{"../../escaped": b"1"}, {f"{FOLDER}/link": None, f"{FOLDER}/link/escaped": b"1"}]
)
def test_archive_that_reaches_outside(server, tmp_path, monkeypatch, evil, with_filter):
    if not with_filter:
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    root = tmp_path / "root"
    root.mkdir()
    body = tarball(**{f"{FOLDER}/train": cifar100()}, **evil)
    fails(root, server.sources(body), r"outside the destination|refused to unpack '")
    assert [path.name for path in tmp_path.iterdir()] == ["root"]


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="its tarfile cannot do without the filter")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_pythons_without_the_filter_unpack_too(server, tmp_path, monkeypatch):
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    download("cifar100", tmp_path, server.sources(GOOD))
    assert len(images.load("cifar100", tmp_path)) == 3


def test_an_interrupt_leaves_nothing_behind(server, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(requests.Response, "iter_content", interrupt)
    with pytest.raises(KeyboardInterrupt):
        download("cifar100", tmp_path, server.sources(GOOD))
    assert list(tmp_path.iterdir()) == []


# --- what is public, and who asked -----------------------------------------------------------


def test_public_sources():
    assert {name: source.md5 for name, source in SOURCES.items()} == {
        "cifar10": "c58f30108f718f92721af3b95e74349a",
        "cifar100": "eb9058c3a382ffc7106e4002c42a8d85",
    }
    assert all(source.url.startswith("https://") for source in SOURCES.values())


def test_imagenet16_says_where_to_get_it(tmp_path):
    with pytest.raises(DownloadError, match=r"README of NAS-Bench-201 .*--data-root"):
        images.load("imagenet16_120", tmp_path, download=True)


@pytest.mark.parametrize("name", ["digits", "mnist"])
def test_no_archive(tmp_path, name):
    with pytest.raises(DownloadError, match=f"{name!r}; there are cifar10, cifar100"):
        download(name, tmp_path)


def test_load_downloads_only_when_asked_and_only_once(server, tmp_path, monkeypatch):
    sources = server.sources(GOOD)
    monkeypatch.setattr(loading, "_download", lambda name, root: download(name, root, sources))
    with pytest.raises(MissingDataError, match="--download"):
        images.load("cifar100", tmp_path)
    assert not server.asked
    for _ in range(2):
        assert len(images.load("cifar100", tmp_path, download=True)) == 3
    assert server.asked == ["/archive.tar.gz"]
    images.load("digits", tmp_path, download=True)
    assert len(server.asked) == 1


def test_load_says_so_when_the_folder_is_there_but_incomplete(server, tmp_path, monkeypatch):
    sources = server.sources(tarball(**{f"{FOLDER}/train": cifar100()}))
    monkeypatch.setattr(loading, "_download", lambda name, root: download(name, root, sources))
    with pytest.raises(MissingDataError, match=r"lacks test; complete it, or remove it and"):
        images.load("cifar100", tmp_path, "test", download=True)
