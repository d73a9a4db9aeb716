"""What the documents point to is there: files, headings, commands and their options."""

import argparse
import importlib
import importlib.util
import json
import re
import shlex
import sys
from functools import cache
from pathlib import Path

import pytest
import typer.core

from scripts.pages.generated import filled

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("testbed", "proxies", "evaluation", "benchmarks")
FOLDERS = (*ROOMS, "docs", "notebooks", "scripts", "tests")
TEXTS = [*ROOT.glob("*.md"), *(path for name in FOLDERS for path in ROOT.glob(f"{name}/**/*.md"))]
MORE = [ROOT / "Makefile", *ROOT.glob("notebooks/*.ipynb")]


def each(paths):
    return pytest.mark.parametrize(
        "path", sorted(paths), ids=lambda path: path.relative_to(ROOT).as_posix()
    )


def read(path):
    """Return a document's text with its generated parts; of a notebook, that of its cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return filled(text)
    return "\n\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])


# -- links ---------------------------------------------------------------------------------------


def headings(text):
    """Return the anchors of a text's headings, as the usual hosts and the site make them."""
    plain = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", plain, re.MULTILINE)
    objects = re.findall(r"^::: (\S+)$", plain, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).strip() for title in titles}
    return {anchor.replace(" ", "-") for anchor in anchors} | set(objects)


def dead_links(path):
    text = re.sub(r"```.*?```", "", read(path), flags=re.DOTALL)
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        if not target.exists() or (anchor and anchor not in headings(read(target))):
            dead.append(link)
    return dead


@each([*TEXTS, *MORE])
def test_every_link_leads_somewhere(path):
    assert dead_links(path) == []


def test_dead_links_are_found(tmp_path):
    document = tmp_path / "a.md"
    document.write_text("# One title\n[a](b.md) [b](a.md#one-title) [c](#two) [d](https://x.org)")
    assert dead_links(document) == ["b.md", "#two"]


# -- commands ------------------------------------------------------------------------------------


def command_lines(text):
    """Return the commands of a document as lists of words: after $, in backquotes, of recipes."""
    text = text.replace("\\\n", " ").replace("cd $(DEMO) && ", "")
    text = text.replace("$(RUN)", "robustness-proxies")
    candidates = re.findall(r"^(?:\$ |\t@?)(.*)$", text, re.MULTILINE)
    candidates += re.findall(r"(?<!`)`([^`]+)`(?!`)", text)
    pattern = re.compile(
        r"\s*(?:\S*/)?(python3? (-m [\w.]+|\S+\.py)|make|robustness-proxies)(\s|$)"
    )
    found = []
    for candidate in candidates:
        if pattern.match(candidate):
            words = shlex.split(candidate)
            ends = [i for i, word in enumerate(words) if word in ("|", ";", "&&", ">")]
            found.append(words[: ends[0]] if ends else words)
    return found


class Met(BaseException):
    """A command was about to read its words; carries what it would have read them with."""


def reader_of(main):
    """Return the command or parser that a ``main`` reads its words with, not running it."""

    def meet(self, *_, **__):
        raise Met(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.core.TyperCommand, "main", meet)
        patch.setattr(typer.core.TyperGroup, "main", meet)
        patch.setattr(argparse.ArgumentParser, "parse_args", meet)
        patch.setattr(sys, "argv", [main.__module__])
        try:
            main()
        except Met as met:
            return met.args[0]
    raise AssertionError(f"{main.__module__} reads no command line")


@cache
def reader(name):
    """Return what reads the words after ``python -m name``, or ``python name.py``."""
    if name.endswith(".py"):
        spec = importlib.util.spec_from_file_location(Path(name).stem, ROOT / name)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    elif name == "robustness-proxies":
        scripts = re.search(rf'^{name} = "([\w.]+):(\w+)"', read(ROOT / "pyproject.toml"), re.M)
        assert scripts, f"pyproject.toml declares no command {name}"
        return reader_of(getattr(importlib.import_module(scripts[1]), scripts[2]))
    else:
        module = importlib.import_module(module_run(name))
    return reader_of(module.main)


def module_run(name):
    """Return the module that ``python -m name`` runs."""
    spec = importlib.util.find_spec(name)
    assert spec is not None, f"there is no module {name}"
    if spec.submodule_search_locations is None:
        return name
    assert importlib.util.find_spec(f"{name}.__main__"), f"{name} cannot be run"
    return f"{name}.__main__"


def parse(command, words):
    """Raise where a command does not know an option, or lacks an option's value."""
    if isinstance(command, argparse.ArgumentParser):
        options = [word.partition("=")[0] for word in words if word.startswith("-")]
        unknown = set(options) - set(command._option_string_actions)
        assert not unknown, f"no such option: {unknown}"
        return
    context = command.context_class(command, info_name=command.name)
    _, rest, _ = command.make_parser(context).parse_args(list(words))
    if isinstance(command, typer.core.TyperGroup) and rest:
        inner = command.get_command(context, rest[0])
        assert inner is not None, f"no such command: {rest[0]}"
        parse(inner, rest[1:])
    else:
        assert not rest, f"unexpected words: {rest}"


def check(words):
    first, *rest = words
    if Path(first).name == "make":
        targets = re.findall(r"^(\w+):", read(ROOT / "Makefile"), re.MULTILINE)
        assert set(rest) <= set(targets), f"the Makefile makes no {rest}"
        return
    if first == "robustness-proxies":
        parse(reader(first), rest)
        return
    name, rest = (rest[1], rest[2:]) if rest[0] == "-m" else (rest[0], rest[1:])
    if name.endswith(".py"):
        assert (ROOT / name).is_file(), f"there is no {name}"
    elif name.split(".")[0] not in ROOMS:
        return
    if rest:
        parse(reader(name), rest)
    elif not name.endswith(".py"):
        module_run(name)


@each([*TEXTS, *MORE])
def test_every_command_is_known_with_its_options(path):
    for words in command_lines(read(path)):
        try:
            check(words)
        except Exception as error:
            raise AssertionError(f"{shlex.join(words)}: {error}") from error


def test_commands_are_read_from_documents():
    assert ["make", "demo"] in command_lines(read(ROOT / "README.md"))
    lines = [words for path in TEXTS for words in command_lines(read(path))]
    assert len(lines) > 50
    names = {name for words in lines if words[0] == "robustness-proxies" for name in words[1:2]}
    assert {"train", "compute", "attack", "correlate", "report", "search"} <= names
    demo = [words for words in command_lines(read(ROOT / "Makefile")) if "--archs" in words]
    assert {"train", "compute"} <= {words[1] for words in demo}


def test_the_readme_and_the_demo_are_the_same_commands():
    readme = [shlex.join(words) for words in command_lines(read(ROOT / "README.md"))]
    demo = [words for words in command_lines(read(ROOT / "Makefile")) if "robustness" in words[0]]
    assert len(demo) == 5
    for words in demo:
        assert shlex.join(words) in readme


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("python -m testbed.train --presets tiny", "--presets"),
        ("python -m testbed.train tiny", "tiny"),
        ("python -m evaluation.report --truth", "--truth"),
        ("python -m evaluation.reports", "no module"),
        ("python -m proxies.computes --init random", "no module"),
        ("python -m testbed.store", "cannot be run"),
        ("python -m benchmarks.attacks --model resnet", "--model"),
        ("python scripts/float32_error.py --dataroot DATA", "--dataroot"),
        ("python scripts/float64_error.py", "there is no"),
        ("make tests", "tests"),
    ],
)
def test_a_wrong_command_is_found(line, message):
    (words,) = command_lines(f"Some `{line}` of a text.")
    with pytest.raises(Exception, match=message):
        check(words)
