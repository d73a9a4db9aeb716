"""A proxy's seconds are its own: what a process does once is done before the clock runs."""

import json
import subprocess
import sys

import pytest
import torch

import proxies
from proxies import warm_up
from testbed.catalogue.registry import PROXIES
from tests.thorough import thorough

# In a process of its own: prints seconds of a first and a second score, and what was imported
# while the clock of the first ran.
CHILD = """
import json, sys
import torch
from torch import nn
import proxies
from proxies.probe import Probe

names, smooth = sys.argv[1].split(","), sys.argv[2] == "smooth"
met = set()

def watched(method):
    def watch(self, *arguments):
        before = set(sys.modules)
        try:
            return method(self, *arguments)
        finally:
            if self.key == ("probe", 0):
                met.update(set(sys.modules) - before)
    return watch

Probe.check, Probe.timed = watched(Probe.check), watched(Probe.timed)
bend = nn.GELU() if smooth else nn.ReLU()
network = nn.Sequential(nn.Conv2d(1, 4, 3), bend, nn.Flatten(), nn.Linear(4 * 36, 10))
images, labels = torch.rand(8, 1, 8, 8), torch.arange(8)
times = [proxies.score(network, images, labels, names)[names[0]].seconds]
if len(names) == 1:
    times.append(proxies.score(network, images, labels, names)[names[0]].seconds)
print(json.dumps([times, sorted(met)]))
"""


def fresh_process(names, smooth):
    words = [sys.executable, "-c", CHILD, ",".join(names), "smooth" if smooth else "bent"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("name", "smooth"),
    [("hessian_params", False), pytest.param("hessian_input", True, marks=thorough)],
)
def test_a_first_score_takes_no_longer_than_a_second(name, smooth):
    (first, second), imported = fresh_process([name], smooth)
    assert imported == []
    # The imports take more than .4 s of a CPU that does nothing else.
    assert first < 5 * second + 0.1, (first, second)


@thorough
@pytest.mark.parametrize("smooth", [False, True])
def test_nothing_is_imported_while_a_clock_runs(smooth):
    _, imported = fresh_process(list(PROXIES), smooth)
    assert imported == []


def test_a_warm_up_changes_nothing_for_the_caller(monkeypatch):
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.GELU(), torch.nn.Linear(64, 4))
    images, labels = torch.rand(4, 1, 8, 8), torch.arange(4)
    warm = proxies.score(network, images, labels, ["hessian_input", "jacobian_norm"])
    monkeypatch.setattr(warm_up, "_DONE", set())
    torch.manual_seed(3)
    state = torch.get_rng_state()
    with torch.inference_mode():
        cold = proxies.score(network, images, labels, ["hessian_input", "jacobian_norm"])
    assert len(warm_up._DONE) == 4  # two proxies, on a bent network and on a smooth one
    assert torch.equal(torch.get_rng_state(), state)
    assert {name: s.value for name, s in cold.items()} == {n: s.value for n, s in warm.items()}


def test_a_warm_up_that_fails_costs_no_score(monkeypatch):
    def broken(*arguments):
        raise NotImplementedError

    monkeypatch.setattr(warm_up, "_DONE", set())
    monkeypatch.setattr(warm_up, "_network", broken)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 4))
    found = proxies.score(network, torch.rand(2, 1, 8, 8), proxies="jacobian_norm")
    assert found["jacobian_norm"].value > 0
