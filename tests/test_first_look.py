"""Networks of a user's own that end the process which builds them, or never end: told by name."""

import textwrap

import pytest
from torch import nn
from typer.testing import CliRunner

from evaluation.robustness.command import app as attack
from proxies.compute import app as compute
from testbed import images
from testbed.basis.errors import InputError
from testbed.command.engines import Workforce
from testbed.sources import OwnSource, SourceError
from testbed.sources.first_look import Apart, looked_at
from testbed.train.command import app as train
from tests.thorough import thorough

NETS = """
    import os, signal, sys, time
    import torch
    from torch import nn

    class Deed(nn.Module):
        def __init__(self, deed):
            super().__init__()
            self.deed = deed

        def forward(self, x):
            done(self.deed)
            return x

    def done(deed):
        if deed == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if deed == "leave":
            os._exit(3)
        if deed == "exit":
            sys.exit(0)
        if deed == "sleep":
            time.sleep(1000)

    def net(built="", seen=""):
        done(built)
        torch.manual_seed(0)
        return nn.Sequential(Deed(seen), nn.Flatten(), nn.Linear(64, 10))
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "odd_nets.py").write_text(textwrap.dedent(NETS))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_network_that_never_ends_is_told(module):
    name = "odd_nets:net(seen='sleep')"
    with pytest.raises(SourceError) as error:
        OwnSource.of([name], None, images.load("digits").first(20), Apart(limit=1.0))
    said = f"{name} cannot be looked at: it took longer than the limit of 1 seconds"
    assert str(error.value) == said


@thorough
def test_what_ends_or_never_ends_is_told_of_all_networks_and_the_others_are_seen(module):
    names = [
        "odd_nets:net(built='crash')", "odd_nets:net", "odd_nets:net(seen='leave')",
        "odd_nets:net(seen='sleep')", "odd_nets:net(built='exit')", "odd_nets:none",
    ]  # fmt: skip
    few = images.load("digits").first(20)
    with pytest.raises(SourceError) as error:
        OwnSource.of(names, None, few, Apart(2, 1, 6.0))
    said = str(error.value)
    assert said.startswith("5 of 6 networks cannot be used: odd_nets:net(built='crash') cannot be")
    for text in ("(SIGSEGV), twice", "(exit code 3), twice", "limit of 6 seconds",
                 "SystemExit: 0", "has no function 'none'"):  # fmt: skip
        assert said.count(text) == 1


def test_a_network_that_wants_to_end_the_command_is_an_error_in_the_command_too(module):
    words = ["--network", "odd_nets:net(seen='exit')", "--workers", "1"]
    for app in (compute, attack, train):
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 2
        assert "does not take the images of digits, (1, 8, 8): SystemExit: 0" in result.output


def test_the_look_is_apart_where_the_work_is():
    assert Workforce.parse(None, 1).apart("cpu", 1, None) is None
    assert Workforce.parse("serial", None).apart("cpu", 1, None) is None
    assert Workforce.parse(None, 1).apart("cpu", 3, 9.0) == Apart(1, 3, 9.0)
    assert Workforce.parse("processes", 1).apart("cpu", 1, None) == Apart(1, 1)
    apart = Workforce.parse(None, 10_000).apart("cpu", 1, None)
    assert apart is not None
    assert apart.workers < 10_000


def layers(network: nn.Module) -> int:
    return len(list(network.children()))


def fresh(network: nn.Module) -> str:
    raise InputError(f"no answer of {type(network).__name__}")


def test_what_is_asked_of_a_network_is_answered_at_the_look(module):
    few = images.load("digits").first(20)
    source = OwnSource.of(["odd_nets:net"], None, few, ask=layers)
    assert source.answers == (3,)
    assert source == OwnSource.of(["odd_nets:net"], None, few)
    with pytest.raises(SourceError, match="odd_nets:net: no answer of Sequential"):
        OwnSource.of(["odd_nets:net"], None, few, ask=fresh)


def test_many_reasons_are_shortened_and_values_come_in_order():
    def look(name: str) -> str:
        if name.startswith("bad"):
            raise InputError(f"{name} is bad")
        return name.upper()

    assert looked_at(look, ["a", "b"]) == ["A", "B"]
    with pytest.raises(SourceError) as error:
        looked_at(look, ["a", *(f"bad{number}" for number in range(7))])
    assert str(error.value).startswith("7 of 8 networks cannot be used: bad0 is bad; bad1 is bad; ")
    assert str(error.value).endswith("bad4 is bad; and bad5, bad6")
    with pytest.raises(SourceError, match=r"^bad is bad$"):
        looked_at(look, ["bad", "a"])
