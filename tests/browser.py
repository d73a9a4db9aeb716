"""Headless Chromium, driven by the DevTools protocol over a pipe: no other package needed."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--remote-debugging-pipe",
)  # fmt: skip


def executable() -> str:
    """Return the path of a Chromium, or skip the test."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip(f"no Chromium is installed (looked for {', '.join(NAMES)} and $CHROMIUM)")
    return found


class Browser:
    """One page: messages of its console are in ``complaints``, its requests in ``requests``."""

    def __init__(self, process: subprocess.Popen, send: int, receive: int) -> None:
        self._process, self._send, self._receive = process, send, receive
        self._buffer, self._number, self._session = b"", 0, None
        self.complaints: list[str] = []
        self.requests: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> dict:
        """Call a method of the protocol and return its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self._note(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def open(self, page: Path, width: int, height: int, dark: bool = False) -> None:
        """Show a file in a window of this size in CSS pixels, and wait until it is still."""
        metrics = {"deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=page.resolve().as_uri())
        deadline = time.monotonic() + 60
        while not self.evaluate(
            "document.readyState === 'complete' && location.protocol === 'file:'"
        ):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{page} was not loaded in a minute")
            time.sleep(0.05)
        self.settle()

    def settle(self) -> None:
        """Wait until what was asked for is on the screen."""
        self.evaluate("new Promise((d) => requestAnimationFrame(() => requestAnimationFrame(d)))")

    def evaluate(self, expression: str) -> object:
        """Return the value of JavaScript in the page."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def screenshot(self, whole: bool = True, clip: dict | None = None) -> bytes:
        """Return a PNG of the page, of its window alone, or of a part of it."""
        extra = {"clip": {**clip, "scale": 1}} if clip else {}
        answer = self.call(
            "Page.captureScreenshot", format="png", captureBeyondViewport=whole, **extra
        )
        return base64.b64decode(answer["data"])

    def _next(self) -> dict:
        while b"\0" not in self._buffer:
            piece = os.read(self._receive, 1 << 20)
            if not piece:
                raise RuntimeError(f"the browser ended, with status {self._process.poll()}")
            self._buffer += piece
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _note(self, event: dict) -> None:
        method, said = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(said["exceptionDetails"]))
        elif method == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
            self.complaints.append(said["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and said["type"] in (
            "error",
            "warning",
            "assert",
        ):
            self.complaints.append(json.dumps(said["args"]))
        elif method == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """Run a browser whose profile is in a new folder under ``folder``, and end it."""
    to_read, send = os.pipe()
    receive, to_write = os.pipe()

    def connect() -> None:  # the protocol is on file descriptors 3 and 4
        first, second = os.dup(to_read), os.dup(to_write)
        os.dup2(first, 3)
        os.dup2(second, 4)

    profile = folder / "profile"
    process = subprocess.Popen(
        [executable(), *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False, preexec_fn=connect,
    )  # fmt: skip
    os.close(to_read)
    os.close(to_write)
    try:
        yield Browser(process, send, receive)
    finally:
        os.close(send)
        os.close(receive)
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
