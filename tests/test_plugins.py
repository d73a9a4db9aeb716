"""Proxies from elsewhere: ten lines of an author, a module of a user's, an installed package."""

import dataclasses
import functools
import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import proxies
from proxies.compute import app
from proxies.robust.curvature import curvature
from proxies.testing import ProxyContract
from testbed.basis import plugins as loading
from testbed.basis.errors import InputError
from testbed.catalogue import plugins
from testbed.catalogue.registry import PROXIES
from testbed.store import read_scores
from tests.thorough import thorough

MINE = """
import torch
from proxies import ProxySpec, Score

def confidence(probe, power=1.0):
    with torch.no_grad():
        top = probe.network(probe.images).double().softmax(1).amax(1)
    return Score.mean_of(top**power, None if top.isfinite().all() else "logits are not finite")

CONFIDENCE = ProxySpec(
    "confidence", confidence, "mean confidence of a batch", "-", "lower", "1 forward",
    options={"power": 1.0},
)
NOT_ONE = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of a user's in the current folder, forgotten afterwards."""
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield "mine"
    sys.modules.pop("mine", None)
    PROXIES.pop("confidence", None)
    plugins.installed.cache_clear()


class TestAuthorsOwn(ProxyContract):
    @pytest.fixture
    def spec(self, module):
        (name,) = plugins.load(["mine:CONFIDENCE"])
        return PROXIES[name]


@thorough
def test_a_command_computes_it_in_workers_with_its_options(module, tmp_path):
    words = ["--proxy", "mine:CONFIDENCE", "--set", "confidence.power=2", "--proxies", "params"]
    size = ["--archs", "0,1,2", "--channels", "2", "--cells", "1", "--batch-size", "8"]
    command = ["--workers", "2", "--store", str(tmp_path / "2.sqlite")]
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-m", "proxies.compute", *words, *size, *command], cwd=tmp_path,
        capture_output=True, text=True, env=here,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    command = ["--workers", "1", "--store", str(tmp_path / "1.sqlite")]
    alone = CliRunner().invoke(app, [*words, *size, *command])
    assert alone.exit_code == 0, alone.output
    one, two = (read_scores(tmp_path / f"{workers}.sqlite") for workers in ("1", "2"))
    assert set(one["proxy"]) == {"params", "confidence"}
    one, two = (rows.sort_values(["network", "proxy"])["value"].tolist() for rows in (one, two))
    assert one == two
    settings = {
        row.proxy: json.loads(row.settings)
        for row in read_scores(tmp_path / "1.sqlite").itertuples()
    }
    assert settings["confidence"]["power"] == 2.0
    assert settings["confidence"]["proxy_function"] == "mine:confidence"
    assert re.fullmatch("source [0-9a-f]{12}", settings["confidence"]["proxy_version"])
    assert not [name for name in settings["params"] if name.startswith("proxy_")]


def test_whose_a_proxy_is_says_its_function_and_the_version_of_its_source(module, tmp_path):
    (name,) = plugins.load(["mine:CONFIDENCE"])
    before = PROXIES[name].origin
    partly = dataclasses.replace(
        PROXIES[name], function=functools.partial(PROXIES[name].function, power=2.0)
    )
    assert partly.origin == before | {"proxy_function": "mine:confidence(power=2.0)"}
    ours = dataclasses.replace(partly, function=functools.partial(curvature, h=3.0))
    assert ours.origin["proxy_function"] == "proxies.robust.curvature:curvature(h=3.0)"
    assert all(not spec.origin for spec in PROXIES.values() if spec.name != name)
    (tmp_path / "mine.py").write_text(MINE.replace("1.0", "1.5"), encoding="utf-8")
    sys.modules.pop("mine")
    PROXIES.pop(name)
    plugins.load(["mine:CONFIDENCE"])
    after = PROXIES[name].origin
    assert after["proxy_function"] == before["proxy_function"]
    assert after["proxy_version"] != before["proxy_version"]


def test_an_installed_packages_version_stands_in_the_keys(module, monkeypatch):
    monkeypatch.setattr(loading, "_distributions", lambda: {"mine": ["my-proxies"]})
    monkeypatch.setattr(loading, "version", lambda name: "1.2")
    (name,) = plugins.load(["mine:CONFIDENCE"])
    assert PROXIES[name].origin["proxy_version"].startswith("my-proxies 1.2, source ")


def test_an_installed_package_brings_its_proxies(module, monkeypatch):
    points = [
        importlib.metadata.EntryPoint("confidence", "mine:CONFIDENCE", plugins.GROUP),
        importlib.metadata.EntryPoint("broken", "nowhere:AT_ALL", plugins.GROUP),
        importlib.metadata.EntryPoint("other", "mine:NOT_ONE", plugins.GROUP),
    ]
    monkeypatch.setattr(loading, "entry_points", lambda group: points)
    monkeypatch.syspath_prepend(".")
    plugins.installed.cache_clear()
    assert set(plugins.installed()) == {"broken", "other"}
    images = torch.rand(4, 3, 8, 8)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 3))
    assert 1 / 3 < proxies.score(network, images, None, "confidence")["confidence"].value < 1


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("mine", "module:attribute"),
        ("mine:", "module:attribute"),
        ("no_such_module:X", "cannot be imported: ModuleNotFoundError"),
        ("mine:CONFIDENTIAL", "it has CONFIDENCE"),
        ("mine:NOT_ONE", "is int; expected a proxies.ProxySpec"),
    ],
)
def test_what_is_no_proxy_is_one_line(module, word, message):
    with pytest.raises(InputError, match=message):
        plugins.load([word])
    result = CliRunner().invoke(app, ["--proxy", word])
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_a_name_of_ours_is_not_taken(module, tmp_path):
    text = MINE.replace('"confidence", confidence', '"params", confidence')
    (tmp_path / "taken.py").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="stands in the table already"):
        plugins.load(["taken:CONFIDENCE"])
    sys.modules.pop("taken")
