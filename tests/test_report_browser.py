"""The page in a real browser: no complaint, no overflow, and every figure is there."""

import io
import json
import random

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from evaluation.report.figures.operations import NAMES
from evaluation.report.study import study
from evaluation.report.write import write_report
from evaluation.truths import open_truth
from evaluation.truths.published import Truth
from testbed.spaces import registry
from testbed.spaces.nasbench201.genotype import Genotype
from tests.browser import browser, executable
from tests.report_case import rows, small_study, table
from tests.thorough import thorough
from tests.truth_folder import write_truth

SIZES = {"desktop": (1280, 900), "phone": (360, 740)}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    executable()
    folder = tmp_path_factory.mktemp("page")
    study = small_study(Truth.open(write_truth(folder / "truth")))
    return write_report(study, folder / "report", [Genotype.from_index(11)])


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_page_fits_and_nothing_complains(page, window, size, dark):
    width, height = SIZES[size]
    window.complaints.clear()
    window.requests.clear()
    window.open(page, width, height, dark)
    assert window.complaints == []
    assert {url for url in window.requests if not url.startswith("data:")} == {page.as_uri()}
    assert window.evaluate("document.documentElement.scrollWidth") == width
    # Nothing is cut: what does not fit stands in a box that scrolls.
    outside = window.evaluate(
        f"""[...document.querySelectorAll('body *')].filter((element) =>
            !element.closest('.scroll, pre, [hidden]') && element.getBoundingClientRect().width
            && (element.getBoundingClientRect().right > {width} + 0.5
                || element.getBoundingClientRect().left < -0.5)).map((e) => e.outerHTML)"""
    )
    assert outside == []


def test_light_and_dark_differ_and_the_button_changes_them(page, window):
    shades = {}
    for dark in (False, True):
        window.open(page, *SIZES["desktop"], dark)
        shades[dark] = corner(window)
        ink = window.evaluate("getComputedStyle(document.querySelector('figure svg')).color")
        light = sum(map(int, ink.removeprefix("rgb(").removesuffix(")").split(","))) > 382
        assert light == dark
    assert min(shades[False]) > 200 > 60 > max(shades[True])
    window.evaluate("document.querySelector('#theme').click()")
    assert corner(window) == shades[False]
    window.evaluate("document.querySelector('#theme').click()")
    assert corner(window) == shades[True]
    window.evaluate("localStorage.clear()")


def test_every_figure_looks_as_matplotlib_drew_it(page, window):
    """Compare coarse pictures: words may be set in another font, a figure may not vanish."""
    window.open(page, *SIZES["desktop"])
    boxes = window.evaluate(
        """Object.fromEntries([...document.querySelectorAll('figure[id] svg')].map((svg) => {
            const { x, y, width, height } = svg.getBoundingClientRect();
            return [svg.closest('figure').id, { x, y: y + scrollY, width, height }];
        }))"""
    )
    names = {path.stem for path in page.parent.glob("*.png")}
    assert set(boxes) == {f"figure-{name}" for name in names}
    for name in names:
        shown = Image.open(io.BytesIO(window.screenshot(clip=boxes[f"figure-{name}"])))
        drawn = Image.open(page.parent / f"{name}.png")
        off, blank = (
            difference(shown, drawn),
            difference(Image.new("RGB", drawn.size, "white"), drawn),
        )
        assert off < 0.4 * blank, (
            f"{name}: {off:.2f} from the drawn one, nothing at all {blank:.2f}"
        )


def difference(first, second):
    """Return the mean difference of two pictures, seen from so far that letters are spots."""
    pictures = [np.asarray(p.convert("RGB").resize((32, 32), Image.Resampling.BOX), float)
                for p in (first, second)]  # fmt: skip
    return float(np.abs(pictures[0] - pictures[1]).mean())


def test_a_heading_sorts_its_table(page, window):
    window.open(page, *SIZES["phone"])
    column = "[...document.querySelectorAll('tbody')[0].rows].map((r) => r.cells[3].dataset.value)"
    before = [float(value) for value in window.evaluate(column)]
    click = "document.querySelectorAll('thead button')[3].click()"
    window.evaluate(click)
    assert [float(value) for value in window.evaluate(column)] == sorted(before, reverse=True)
    window.evaluate(click)
    assert [float(value) for value in window.evaluate(column)] == sorted(before)
    assert window.evaluate("document.querySelectorAll('thead th')[3].ariaSort") == "ascending"
    window.evaluate("document.querySelectorAll('thead button')[0].click()")
    assert [float(value) for value in window.evaluate(column)] == before


def test_hovering_a_cell_tells_its_value(page, window):
    window.open(page, *SIZES["desktop"])
    window.evaluate("document.querySelector('#figure-proxies').scrollIntoView()")
    window.settle()
    place = window.evaluate(
        """(() => { const cell = document.querySelector('#figure-proxies .tip');
            const { x, y, width, height } = cell.getBoundingClientRect();
            return { x: x + width / 3, y: y + height / 3, text: cell.dataset.tip }; })()"""
    )
    text = place.pop("text")
    window.call("Input.dispatchMouseEvent", type="mouseMoved", **place)
    shown = (
        "document.querySelector('#tip').hidden ? '' : document.querySelector('#tip').textContent"
    )
    assert text.startswith("params – clean: τ = ")
    assert window.evaluate(shown) == text
    window.call("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
    assert window.evaluate(shown) == ""


def test_the_explorer_draws_points_and_cells(page, window):
    window.open(page, *SIZES["desktop"])
    ink = """(() => { const canvas = document.querySelector('#chart');
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return data.reduce((sum, value, k) => sum + (k % 4 === 3 && value > 0), 0); })()"""
    assert window.evaluate(ink) > 1000
    first = window.evaluate("document.querySelector('#tau').textContent")
    window.evaluate(
        """(() => { const proxy = document.querySelector('#proxy'); proxy.selectedIndex = 2;
            proxy.dispatchEvent(new Event('change')); })()"""
    )
    assert window.evaluate("document.querySelector('#tau').textContent") != first
    window.evaluate(
        """(() => { const input = document.querySelector('#network'); input.value = '11';
            input.dispatchEvent(new Event('change')); })()"""
    )
    assert window.evaluate("document.querySelector('#string').textContent") == str(
        Genotype.from_index(11)
    )
    dotted = "document.querySelectorAll('#cell path[stroke-dasharray]').length"
    assert window.evaluate(dotted) == 6 - len(Genotype.from_index(11).live_edges())
    assert window.complaints == []


def test_an_unknown_network_leaves_nothing_of_the_one_before(page, window):
    window.open(page, *SIZES["desktop"])
    parts = """(() => { const input = document.querySelector('#network'); input.value = '%s';
        input.dispatchEvent(new Event('change'));
        return ['#string', '#cell', '#accuracies', '#point'].map(
            (id) => document.querySelector(id).textContent); })()"""
    assert all(window.evaluate(parts % "11"))
    for wrong in ("99999", "1e1", "", "x"):
        said, *rest = window.evaluate(parts % wrong)
        assert said == f"the truth has no network {wrong}"
        assert rest == ["", "", ""]
    assert window.complaints == []


def test_the_column_of_names_sorts(page, window):
    window.open(page, *SIZES["desktop"])
    script = """(() => { const table = document.querySelector('table.sortable');
        const place = [...table.tHead.rows[0].cells].findIndex((c) => c.querySelector('button'));
        table.tHead.rows[0].cells[place].querySelector('button').click();
        return [...table.tBodies[0].rows].map((row) => row.cells[place].dataset.value); })()"""
    names = window.evaluate(script)
    assert len(set(names)) > 1
    assert names == sorted(names)
    assert window.evaluate(script) == sorted(names, reverse=True)


def test_the_filter_leaves_the_rows_of_a_name_or_a_family(tmp_path, window, few_figures):
    names = ("grad_norm", "snip", "zen", *(f"proxy{k}" for k in range(30)))
    truth = Truth.open(write_truth(tmp_path / "truth"))
    found = study(truth, table(*(rows(name, seeds=[0]) for name in names)))
    page = write_report(found, tmp_path / "report")
    window.open(page, *SIZES["phone"])
    assert window.evaluate("document.documentElement.scrollWidth") == SIZES["phone"][0]
    script = """(() => { const box = document.querySelector('#filter');
        box.value = '%s'; box.dispatchEvent(new Event('input'));
        return [...document.querySelectorAll('table.sortable')[0].tBodies[0].rows]
            .filter((row) => row.getClientRects().length).map((row) => row.cells[0].title); })()"""
    every = window.evaluate(script % "")
    assert len(every) > 8
    assert window.evaluate(script % "FLO") == ["flops"]
    assert window.evaluate(script % "no such") == []
    assert window.evaluate(script % "baseline") == ["params", "flops", "paths_pool_min"]
    assert set(window.evaluate(script % "saliency")) == {"grad_norm", "snip"}
    assert window.evaluate(script % "") == every


def test_arrow_keys_tell_the_values_of_figures_tables_and_points(page, window):
    window.open(page, *SIZES["desktop"])
    for box in ("#figure-proxies .scroll", "#table .scroll"):
        window.evaluate(f"document.querySelector('{box}').focus()")
        first = window.evaluate(f"document.querySelector('{box} [data-tip]').dataset.tip")
        told = []
        for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "Escape"):
            window.call("Input.dispatchKeyEvent", type="keyDown", key=key)
            window.settle()
            window.settle()
            told.append(
                window.evaluate("document.querySelector('#tip:not([hidden])')?.textContent")
            )
        assert told[0] == told[2] == first
        assert told[1] != first
        assert told[3] is None
    window.evaluate("document.querySelector('#chart').focus()")
    points = set()
    for _ in range(3):
        window.call("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight")
        points.add(window.evaluate("document.querySelector('#point').textContent"))
    assert len(points) == 3
    assert all(": score " in point for point in points)


def test_tables_use_the_width_of_the_window(page, window):
    window.open(page, *SIZES["desktop"])
    width = window.evaluate("document.querySelector('#table .scroll').clientWidth")
    assert width > 0.95 * SIZES["desktop"][0]


def corner(window):
    """Return the colour of the page's first pixel."""
    return Image.open(io.BytesIO(window.screenshot(whole=False))).convert("RGB").getpixel((0, 0))


def named_report(folder, names):
    """Write the report of a table of networks that go by name."""
    source = np.random.default_rng(0)
    rows = [(name, t, round(source.random(), 3)) for name in names for t in ("clean", "pgd@2")]
    path = folder / "truth.csv"
    pd.DataFrame(rows, columns=["network", "target", "accuracy"]).to_csv(path, index=False)
    scores = pd.DataFrame(
        {"network": names, "proxy": "norm", "init": "random", "images": "cifar10", "settings": "{}",
         "seed": pd.array([0] * len(names), "Int64"), "value": source.random(len(names)),
         "seconds": 1.0, "run": 1}
    )  # fmt: skip
    return write_report(study(open_truth(path), scores), folder / "report")


CHOOSE = """((word) => { const input = document.querySelector('#network'); input.value = word;
    input.dispatchEvent(new Event('change'));
    return document.querySelector('#accuracies').textContent; })(%s)"""


def test_networks_of_another_space_are_explored_and_drawn(window, tmp_path, few_figures):
    darts = registry.get("darts")
    names = [darts.name(darts.draw(random.Random(seed))) for seed in range(6)]
    page = named_report(tmp_path, names)
    for size in SIZES.values():
        window.complaints.clear()
        window.open(page, *size)
        assert window.complaints == []
        assert window.evaluate("document.documentElement.scrollWidth") == size[0]
    assert "clean" in window.evaluate(CHOOSE % json.dumps(names[3]))
    edges = sum(len(cell.edges) for cell in darts.cells(darts.parse(names[3])))
    assert window.evaluate("document.querySelectorAll('#cell svg > path').length") == edges
    operations = {o for cell in darts.cells(darts.parse(names[3])) for _, _, o in cell.edges}
    shown = window.evaluate("document.querySelector('#cell').textContent")
    assert all(NAMES.get(operation, operation) in shown for operation in operations)
    assert "No cell is drawn" not in window.evaluate("document.body.textContent")
    assert window.evaluate(CHOOSE % '"darts"') == ""
    assert window.complaints == []


@thorough
def test_networks_of_no_space_are_explored_and_it_is_said_that_none_is_drawn(
    window, tmp_path, few_figures
):
    page = named_report(tmp_path, [f"my<b>:net({n}, '&')" for n in range(6)])
    window.complaints.clear()
    window.open(page, *SIZES["desktop"])
    said = window.evaluate("document.querySelector('#explorer').textContent")
    assert "No cell is drawn: these networks are of no known space." in said
    assert "clean" in window.evaluate(CHOOSE % json.dumps("my<b>:net(2, '&')"))
    assert window.evaluate("document.querySelector('#cell').children.length") == 0
    assert window.complaints == []
