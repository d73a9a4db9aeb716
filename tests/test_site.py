"""The documentation site: what it is made of is there, and what it says is what the code says."""

import importlib
import json
import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from typer.testing import CliRunner

from evaluation.ranking.table import rank
from evaluation.truths import open_truth
from evaluation.truths.targets import Target
from proxies import PROXIES
from scripts import marks, render_notebooks, which_proxy
from scripts.pages import columns, generated, relinking
from scripts.pages.commands import commands
from scripts.pages.relinking import JOINING, ROOT, relinked, unplaced
from testbed.basis.errors import InputError
from testbed.command.main import app
from testbed.command.menu import COMMANDS
from testbed.store import ScoreRow, read_scores
from testbed.store.schema import TABLES
from testbed.tables import RANDOM_CIFAR10
from tests.thorough import thorough

DOCS = ROOT / "docs"
PAGES = {path.relative_to(DOCS).as_posix(): path for path in DOCS.rglob("*") if path.is_file()}
PAGES |= {page: ROOT / place for place, page in JOINING.items()}


def place_of(page: str) -> str:
    return PAGES[page].relative_to(ROOT).as_posix()


# -- pages and links -----------------------------------------------------------------------------


def test_the_navigation_names_what_is_there():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = re.findall(r"^ +- .*?: (\S+\.md)$", text.partition("\nnav:")[2], re.MULTILINE)
    assert len(named) > 30
    assert len(set(named)) == len(named)
    assert set(named) <= set(PAGES)


def test_a_page_that_nobody_placed_is_found():
    nav = ["a.md", {"B": [{"c": "d/c.md"}, {"E": ["e.md"]}]}]
    assert unplaced(nav, ["e.md", "d/c.md", "f.md", "a.md", "b.md"]) == ["b.md", "f.md"]


@pytest.mark.parametrize("page", sorted(page for page in PAGES if page.endswith(".md")))
def test_links_hold_on_the_site(page):
    text = PAGES[page].read_text(encoding="utf-8")
    found = relinked(text, place_of(page), page)
    for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", found, flags=re.DOTALL)):
        if not re.match(r"[a-z]+:|#", link):
            path = (Path("/") / page).parent / link.partition("#")[0]
            assert relinking.posixpath.normpath(str(path)).lstrip("/") in PAGES, link


def test_links_are_made_for_the_site():
    text = "[a](../../docs/attacks.md#x) [`b`](../../tests/t.py) [c](#d) [e](https://x.org)"
    made = relinked(text, "evaluation/search/README.md", "reference/searches.md")
    assert made == "[a](../attacks.md#x) `b` [c](#d) [e](https://x.org)"
    block = "```python\nf[0](../a.md)\n```"
    assert relinked(block, "docs/a.md", "a.md") == block
    picture = relinked("![p](docs/images/report.png)", "README.md", "index.md")
    assert picture == "![p](images/report.png)"


@pytest.mark.parametrize(
    "name",
    sorted({
        name
        for path in DOCS.rglob("*.md")
        for name in re.findall(r"^::: (\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    }),
)  # fmt: skip
def test_what_the_reference_documents_is_there(name):
    parts, found = name.split("."), None
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part)
        break
    assert found is not None
    assert found.__doc__


# -- generated parts -----------------------------------------------------------------------------


def test_every_command_and_option_is_told():
    told = commands()
    for entry in COMMANDS:
        assert f"\n## {entry.name}\n" in told
    assert "\n### store merge\n" in told
    assert re.search(r"^`--batch-norm <str>`\n:   calibrated: ", told, re.MULTILINE)
    assert len(re.findall(r"^`-.*`\n:   ", told, re.MULTILINE)) > 100
    assert "\b" not in told


def test_every_proxy_is_told():
    told = generated.PARTS["proxies"]()
    assert all(f"\n`{name}`\n:   " in told for name in PROXIES)


def test_every_column_is_told_with_what_it_holds(monkeypatch):
    told = generated.PARTS["store"]()
    for table in TABLES.values():
        assert f"## The table `{table.name}`" in told
        for one in table.columns:
            assert re.search(rf"^\| `{one.name}` \| {one.kind} \| .* \| [^|]{{3,}} \|$", told, re.M)
    assert "wall time of this score" in told
    text = (ScoreRow.__doc__ or "").replace("wall time", "hours")
    monkeypatch.setattr(ScoreRow, "__doc__", text)
    assert "hours of this score" in generated.PARTS["store"]()
    assert set(columns._MEANINGS) == set(columns.CALLED)


def test_a_document_is_filled():
    assert generated.filled("a\n<!-- generated: store -->\nb").count("## The table") == 4
    with pytest.raises(KeyError):
        generated.filled("<!-- generated: nothing -->")


def code_of(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(c["source"]).rstrip() for c in cells if c["cell_type"] == "code"]


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_the_page_of_a_notebook_has_its_code_and_outputs(path):
    page = (DOCS / "notebooks" / f"{path.stem}.md").read_text(encoding="utf-8")
    told = re.findall(r"^```python\n(.*?)\n```$", page, re.DOTALL | re.MULTILINE)
    assert told == code_of(path), f"run python -m scripts.render_notebooks {path.stem}"
    printed = re.findall(r"^```text\n(.*?)\n```$", page, re.DOTALL | re.MULTILINE)
    assert printed
    assert not any("skipped" in text for text in printed)  # by lack of data
    assert f"notebooks/{path.stem}.md" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")


def test_outputs_of_a_notebook_become_a_page(tmp_path):
    def cell(kind, source, *outputs):
        return {"cell_type": kind, "source": source, "outputs": outputs}

    printed = [
        {"output_type": "stream", "name": "stdout", "text": "a\n"},
        {"output_type": "stream", "name": "stderr", "text": "100 %"},
        {"output_type": "stream", "name": "stdout", "text": "\x1b[1mb\x1b[0m\n"},
    ]
    shown = {"image/svg+xml": "<svg/>", "text/plain": "<Figure>"}
    table = {"text/html": "<table>\n\n</table>", "text/plain": "x"}
    line = {"text/html": "<pre>c\n</pre>", "text/plain": "c\n"}  # as rich's console shows it
    outputs = [{"output_type": "display_data", "data": data} for data in (line, shown, table)]
    notebook = SimpleNamespace(
        cells=[cell("markdown", "# T"), cell("code", "f()\n", *printed, *outputs)]
    )
    page = render_notebooks.page(notebook, "n", tmp_path)
    assert page.partition("-->\n\n")[2] == (
        "# T\n\n```python\nf()\n```\n\n```text\na\nb\nc\n```\n\n"
        "![Output of the cell above.](n_1.svg)\n\n<table>\n</table>\n"
    )
    assert (tmp_path / "n_1.svg").read_text() == "<svg/>"


# -- which proxy ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def study() -> pd.DataFrame:
    return pd.read_csv(DOCS / "study_500.csv")


def test_which_proxy_says_what_the_study_found():
    page = (DOCS / "which_proxy.md").read_text(encoding="utf-8")
    told = page.partition(marks.BEGIN)[2].partition(marks.END)[0]
    assert told.strip() == which_proxy.read().strip(), "run python -m scripts.which_proxy"


def test_the_study_and_its_scores_are_of_the_same_proxies(study):
    assert set(study["proxy"]) <= set(read_scores(which_proxy.STUDY_500)["proxy"])


def small(taus: dict[str, float], holm: float) -> pd.DataFrame:
    """Return a study of one target, in which every comparison has this p."""
    rows = [
        {"proxy": name, "tau": tau, "standard_error": 0.02, "difference_params_holm": holm,
         "difference_paths_holm": holm}
        for name, tau in taus.items()
    ]  # fmt: skip
    shared = {"training": "Trained normally", "condition": None, "target": "pgd@1", "n": 9}
    return pd.DataFrame(rows).assign(**shared, seeds=1)


@pytest.mark.parametrize(
    ("taus", "holm", "advice"),
    [
        ({"synflow": -0.5}, 0.01, "`synflow`"),  # the sign does not matter
        ({"synflow": -0.5}, 0.06, "`params`: no lead over it is sure"),
        ({"synflow": 0.2}, 0.01, "`params`: no lead over it is sure"),  # surely below
        ({"synflow": 0.2, "paths_pool_min": -0.4}, 0.01, "`paths_pool_min`: no lead over it"),
        ({"flops": 0.9, "synflow": 0.2}, 0.01, "`params`: no lead over it is sure"),
    ],
)
def test_a_score_is_advised_only_if_it_is_surely_above_the_baselines(taus, holm, advice):
    taus = {"params": 0.3, "paths_pool_min": 0.1, "paths_count": 0.05, **taus}
    seconds = dict.fromkeys(taus, 1.0)
    (line,) = (
        line
        for line in which_proxy.tables(small(taus, holm), seconds).splitlines()
        if line.startswith("| PGD@1 |")
    )
    assert line.startswith(f"| PGD@1 | {advice}")
    assert "`paths_count` +.050\u00a0±\u00a0.020 (1.0\u00a0s)" in line


def test_a_budget_leaves_out_what_is_too_slow():
    taus = {"params": 0.1, "paths_pool_min": 0.1, "live_skip": 0.1, "snip": 0.4, "zen": 0.6}
    seconds = {**dict.fromkeys(taus, 0.0), "snip": 1.7, "zen": 7.0}
    line = which_proxy.tables(small(taus, 0.01), seconds).splitlines()[-1]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1] == "`zen`"
    assert [cell.split("`")[1] for cell in cells[-3:]] == ["live_skip", "snip", "zen"]


def test_a_study_of_another_kind_is_refused(study):
    twice = pd.concat([study, study.head(1)])
    with pytest.raises(InputError, match="twice: \\['params'\\]"):
        which_proxy.tables(twice, {})
    with pytest.raises(InputError, match=r"clean > 0\.5"):
        which_proxy.tables(study.assign(condition="clean > 0.5").head(9), {})


# -- other papers --------------------------------------------------------------------------------


def figures(name: str) -> set[str]:
    text = (DOCS / name).read_text(encoding="utf-8")
    return set(re.findall(r"(?<![\d.])(?:1\.000|\.\d{3})(?!\d)", text))


def test_figures_of_other_papers_are_those_of_the_proxies():
    assert len(figures("other_papers.md")) > 10
    assert figures("other_papers.md") <= figures("proxies.md")


# -- tables of the package's scores --------------------------------------------------------------


@thorough
@pytest.mark.parametrize("number", [0, 1])
def test_a_published_table_is_what_its_command_prints(number, real_data, monkeypatch):
    text = (DOCS / "at_initialisation.md").read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(
        r"```console\n\$ (robustness-proxies correlate.*?)\n(.*?)```", text, re.DOTALL
    )
    command, table = blocks[number]
    words = shlex.split(command.replace("DATA/", f"{real_data}/"))
    monkeypatch.setenv("COLUMNS", "130")
    result = CliRunner().invoke(app, words[1:])
    assert result.exit_code == 0, result.output
    assert table.strip() in result.stdout


def rows_of(page: str) -> dict[str, list[float]]:
    """Return the numbers of the rows of a page's tables, by their first cell."""
    text = (DOCS / page).read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {
        first.strip("`"): [float(cell) for cell in rest]
        for first, *rest in rows
        if all(re.fullmatch(r"\.\d{2,3}", cell) for cell in rest)
    }


@thorough
def test_ceilings_and_populations_are_those_of_the_published_truth(real_data):
    targets = ["clean", "fgsm@1", "pgd@1", "apgd@1", "square@1", "mean corruption"]
    ranking = rank(
        read_scores(RANDOM_CIFAR10), open_truth(real_data / "robustness-data"), ["params"],
        targets, population="clean > .9",
    )  # fmt: skip
    cells = ranking.table.set_index(["proxy", "target"])
    ceilings = rows_of("explanation/twins_and_ceilings.md")
    assert list(ceilings) == [str(Target.parse(target)) for target in targets]
    for target, (told,) in zip(targets, ceilings.values(), strict=True):
        assert cells.at[("params", target), "ceiling"] == pytest.approx(told, abs=5e-3)
    assert ranking.beside is not None
    accurate = ranking.beside.table.set_index(["proxy", "target"])
    populations = rows_of("explanation/populations.md")
    assert list(populations) == ["params", "paths_pool_min"]
    for name, told in populations.items():
        found = [
            table.at[(name, t), "tau"] for t in ("pgd@1", "apgd@1") for table in (cells, accurate)
        ]
        assert found == pytest.approx(told, abs=5e-4)
