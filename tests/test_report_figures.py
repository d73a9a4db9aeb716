import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import FancyArrowPatch
from scipy.stats import kendalltau

from evaluation.report.figures import style
from evaluation.report.figures.agreement import agreement
from evaluation.report.figures.boxes import attack_boxes, box, corruption_boxes
from evaluation.report.figures.cell import cell
from evaluation.report.figures.cost import cost
from evaluation.report.figures.scatter import linear_below, scatter
from evaluation.report.figures.style import DIVERGING, HOVER, ink_on, styled
from evaluation.report.figures.svg import inline, standalone
from evaluation.report.figures.top_cells import top_cells
from evaluation.report.gallery import Missing, gallery
from evaluation.report.names import attacks_of, corruptions_of
from evaluation.report.pairwise import pairwise_tau
from evaluation.truths.published import Truth
from evaluation.truths.section33 import section33, top
from testbed.command.numbers import PAGE
from testbed.spaces.nasbench201.genotype import Genotype
from tests.report_case import small_study
from tests.truth_folder import published_truth, write_truth


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return Truth.open(write_truth(tmp_path_factory.mktemp("report") / "truth"))


@pytest.fixture(scope="module")
def study(truth):
    return small_study(truth)


@pytest.fixture(scope="module")
def published():
    return Truth.open(published_truth()).targets()


@pytest.fixture(autouse=True)
def _style():
    with styled():
        yield


def hovers(figure):
    """Return the artists of a figure with a hover text, by that text."""
    found = figure.findobj(lambda artist: (artist.get_gid() or "").startswith(HOVER))
    return {artist.get_gid().removeprefix(HOVER): artist for artist in found}


def test_boxes_are_the_quartiles_of_each_target(truth):
    accuracies = truth.targets()
    columns = ["clean", *attacks_of(accuracies)]
    figure = attack_boxes(accuracies[columns], 0.1)
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["FGSM", "APGD-CE"]
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["0", "0.5", "1", "255"]
    text = next(text for text in hovers(figure) if text.startswith("FGSM@0.5: "))
    values = accuracies["fgsm@0.5"]
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    assert text == (
        f"FGSM@0.5: median {middle:.3f}, quartiles {low:.3f} to {high:.3f}, "
        f"all {values.min():.3f} to {values.max():.3f}"
    )
    corners = hovers(figure)[text].get_path().vertices[:, 1]
    assert (corners.min(), corners.max()) == pytest.approx((low, high))
    lines = [a for t, a in hovers(figure).items() if t == "guessing: 0.1"]
    assert lines
    assert set(lines[0].get_ydata()) == {0.1}
    assert not any("guessing" in text for text in hovers(attack_boxes(accuracies[columns], None)))
    fog = corruption_boxes(accuracies[corruptions_of(accuracies)], None)
    assert {text.partition(":")[0] for text in hovers(fog)} == {f"fog@{k}" for k in range(1, 6)}


def test_whiskers_end_at_values_within_reach():
    shown = box(pd.Series([0.0, 0.5, 0.52, 0.54, 0.56, 0.58, 0.6, np.nan]))
    assert (shown["whislo"], shown["whishi"], shown["min"]) == (0.5, 0.6, 0.0)


def test_every_pair_of_attacks_is_drawn_once_with_its_tau(study):
    targets = ["clean", *attacks_of(study.targets)]
    texts = hovers(agreement(study.agreement, targets))
    assert len(texts) == len(study.agreement) == 15
    values = study.accuracies
    tau = kendalltau(values["clean"], values["apgd@8"]).statistic
    text = next(t for t in texts if t.startswith("clean – APGD-CE@8: "))
    assert f"τ = {PAGE.signed(tau)}, 95 % interval" in text
    assert to_hex(texts[text].get_facecolor()) == to_hex(DIVERGING((tau + 1) / 2))


def test_the_proxies_figure_shows_the_rankings_numbers(study):
    pictures = {p.name: p for p in gallery(study) if not isinstance(p, Missing)}
    figure = pictures["proxies"].draw()
    texts = hovers(figure)
    shown = study.table.loc[~study.table["target"].str.startswith("fog")]
    assert len(texts) == len(shown) == 6 * 8
    for row in shown.itertuples():
        (text,) = [t for t in texts if t.startswith(f"{row.label} – {titled(row.target)}: τ")]
        assert f"τ = {PAGE.signed(row.tau)}, 95 % interval" in text
        assert f"n = {study.ranking.n}" in text
        assert to_hex(texts[text].get_facecolor()) == to_hex(DIVERGING((row.tau + 1) / 2))
    numbers = [t.get_text() for panel in figure.axes for t in panel.texts]
    assert [n for n in numbers if n[0] in ".−1"] != []
    assert sorted(n for n in numbers if re.fullmatch(r"−?(\.\d\d|1\.00)", n)) == sorted(
        PAGE.unsigned(tau, digits=2) for tau in shown["tau"]
    )
    labels = ["params", "flops", "paths_pool_min", "hessian_<&_x", "jacobian_norm (random)",
              "jacobian_norm (trained)"]  # fmt: skip
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == labels


def titled(target):
    return target.replace("fgsm", "FGSM").replace("apgd", "APGD-CE")


def test_cost_puts_seconds_against_the_size_of_tau(study):
    # Two seeds of half a second; one seed of two seconds.
    label = "jacobian_norm (trained)"
    assert study.seconds == {label: 1.0, "jacobian_norm (random)": 1.0, "hessian_<&_x": 2.0}
    points = hovers(cost(study.table, dict(study.seconds), ["clean", "fgsm@1"]))
    assert len(points) == 6
    row = study.table.set_index(["label", "target"]).loc[label, "fgsm@1"]
    (text,) = [
        t for t in points if t.startswith(f"{label} – FGSM@1: τ = {PAGE.signed(row['tau'])}")
    ]
    assert text.endswith("; 1 s for one network")
    assert points[text].get_offsets()[0].tolist() == pytest.approx([1.0, abs(row["tau"])])
    hollow = len(points[text].get_facecolors()) == 0
    assert hollow == (row["tau"] < 0)


def test_a_scatter_holds_every_network_and_what_is_known_of_tau(study):
    label, target = "hessian_<&_x", "fgsm@1"
    row = study.table.set_index(["label", "target"], drop=False).loc[label, target].to_dict()
    values, accuracies = study.values[label], study.accuracies.loc[study.values.index, target]
    figure = scatter(values, accuracies, row | {"ceiling": 0.93, "low": -0.5, "high": 0.25})
    points = re.findall(
        r'<use class="tip" [^>]* x="([^"]+)"[^>]*><title>(.*?)</title>', standalone(figure)
    )
    assert len(points) == 40
    texts = [
        f"network {k}: score {values[k]:.4g}, accuracy {accuracies[k]:.3f}" for k in values.index
    ]
    assert [text for _, text in points] == texts
    # Each text stands at its own point: further right, the larger the score.
    order = np.argsort([float(x) for x, _ in points], kind="stable")
    assert np.all(np.diff(values.to_numpy()[order]) >= 0)
    written = [text.get_text() for text in figure.axes[0].texts]
    assert written == [f"τ = {PAGE.signed(row['tau'])} [−.500, +.250]; ceiling +.930; n = 40"]
    with pytest.raises(ValueError, match="the same networks"):
        scatter(values, accuracies.iloc[::-1], row)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1, 5, 9], None), ([0, 0.02, 5, 900], 0.01), ([-300, -2, 1, 40], 1.0), ([0, 0], None)],
)
def test_scores_of_many_decades_are_drawn_on_a_logarithmic_axis(values, expected):
    assert linear_below(pd.Series(values, dtype=float)) == expected


def test_a_cell_shows_each_edge_and_which_are_dead():
    # Node 1 is not reached, so that edges 1→2 and 1→3 carry nothing.
    genotype = Genotype(
        ("none", "nor_conv_3x3", "nor_conv_1x1", "none", "avg_pool_3x3", "skip_connect")
    )
    edges = hovers(cell(genotype))
    assert set(edges) == {
        "0→1: none", "0→2: 3×3 conv.", "1→2: 1×1 conv., dead: it carries no signal", "0→3: none",
        "1→3: avg. pool, dead: it carries no signal", "2→3: skip",
    }  # fmt: skip
    assert all(isinstance(edge, FancyArrowPatch) for edge in edges.values())
    assert to_hex(edges["0→2: 3×3 conv."].get_edgecolor()) == style.BLUE
    solid = {text for text, edge in edges.items() if edge.get_linestyle() in ("-", "solid")}
    assert solid == {"0→2: 3×3 conv.", "2→3: skip"}


def test_svg_has_titles_and_the_pages_colours(study):
    drawn = standalone(agreement(study.agreement, ["clean", *attacks_of(study.targets)]))
    root = ElementTree.fromstring(drawn)
    titles = [e.text for e in root.iter("{http://www.w3.org/2000/svg}title")]
    assert sum("clean – FGSM@1: " in (text or "") for text in titles) == 1
    element = inline(drawn, "one", 'a "quoted" <figure>')
    assert 'aria-label="a &quot;quoted&quot; &lt;figure&gt;"' in element
    for colour in (style.INK, style.MUTED, style.GRID, "http"):
        assert colour not in element
    assert "currentColor" in element
    identifiers = re.findall(r'\bid="([^"]+)"', element)
    assert identifiers
    assert all(name.startswith("one-") for name in identifiers)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', element))
    assert used <= set(identifiers)
    again = standalone(agreement(study.agreement, ["clean", *attacks_of(study.targets)]))
    assert drawn == again


def test_ink_is_read_on_every_colour_of_the_scale():
    for tau in np.linspace(-1, 1, 41):
        light, dark = sorted(map(luminance, (ink_on(tau), DIVERGING((tau + 1) / 2))), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def luminance(colour):
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot(parts, [0.2126, 0.7152, 0.0722]))


def test_figure_5_shows_the_best_of_section_33(published):
    means = section33(published)
    best = top(means)
    assert len(best) == 20
    assert [mean for _, mean in best] == sorted(means, reverse=True)[:20]
    texts = hovers(top_cells(best, (means.min(), means.max())))
    first, mean = best[0]
    assert f"network {first.index}: {mean:.4f}" in texts
    assert sum("edge 1 (0→1)" in text for text in texts) == 20


def test_figure_3_of_the_paper_is_reproduced(published):
    names = ["clean", "fgsm@1", "pgd@1", "apgd@1"]
    pairs = pairwise_tau(published[names]).set_index(["x", "y"])["tau"]
    expected = {("clean", "fgsm@1"): 0.63, ("clean", "pgd@1"): 0.17, ("clean", "apgd@1"): -0.11,
                ("pgd@1", "apgd@1"): 0.70, ("fgsm@1", "pgd@1"): 0.51}  # fmt: skip
    for pair, tau in expected.items():
        assert pairs[pair] == pytest.approx(tau, abs=0.01)
