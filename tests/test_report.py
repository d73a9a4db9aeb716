import base64
import dataclasses
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from evaluation.ranking.printed import print_ranking
from evaluation.ranking.statistics_table import print_statistics
from evaluation.ranking.table import rank
from evaluation.report import latex
from evaluation.report.__main__ import app
from evaluation.report.explorer import SCALE, UNKNOWN, explorer
from evaluation.report.gallery import Missing, gallery
from evaluation.report.names import plain
from evaluation.report.page import page
from evaluation.report.prose.doubts import doubts
from evaluation.report.prose.methods import methods
from evaluation.report.runs import read_runs
from evaluation.report.statistics import statistics
from evaluation.report.study import study
from evaluation.report.tables import latex_tables
from evaluation.report.write import write_report
from evaluation.truths.published import Truth
from testbed.command.numbers import LATEX
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.store import Store, StoreError
from testbed.store.files import runs_beside
from testbed.tables import RANDOM_CIFAR10
from tests.report_case import RUNS, rows, scores, small_study, table
from tests.truth_folder import IDS, write_table, write_truth


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "100"})


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return Truth.open(write_truth(tmp_path_factory.mktemp("report") / "truth"))


@pytest.fixture(scope="module")
def small(truth):
    return small_study(truth)


@pytest.fixture(scope="module")
def written(truth, tmp_path_factory):
    """Return the folder of a report made by the command."""
    folder = tmp_path_factory.mktemp("written")
    path = folder / "scores.csv"
    scores().to_csv(path, index=False)
    runs_beside(path).write_text(json.dumps(RUNS), encoding="utf-8")
    out = folder / "report"
    result = run("--truth", truth.root, "--store", path, "--archs", "11", "--out", out)
    assert result.exit_code == 0, result.output
    assert str(out / "index.html") in result.stdout.replace("\n", "")
    return out


class Page(HTMLParser):
    """What a page loads, links to and shows."""

    def __init__(self, text):
        super().__init__()
        self.loaded, self.linked, self.ids, self.headings = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            elif name in ("src", "srcset", "data", "action", "poster", "href", "xlink:href"):
                (self.linked if tag == "a" else self.loaded).append(value)


def test_the_page_needs_nothing_but_itself(written):
    text = (written / "index.html").read_text(encoding="utf-8")
    page = Page(text)
    assert [link for link in page.loaded if not link.startswith(("data:", "#"))] == []
    assert not re.search(r"https?:|[\"'(]//|@import|url\((?!#)", text)
    for link in page.linked:
        assert link[1:] in page.ids if link.startswith("#") else (written / link).is_file()
    assert len(page.ids) == len(set(page.ids))


def test_the_page_shows_every_number_of_the_ranking(written, truth, small):
    text = (written / "index.html").read_text(encoding="utf-8")
    expected = rank(scores(), truth, targets=["all"])
    pd.testing.assert_frame_equal(small.ranking.table, expected.table)
    found = statistics(small)[0]
    assert [column.name for column in found.header] == [plain(name) for name in small.targets]
    assert [row.name for row in found.rows] == small.labels
    assert [row.name for row in found.facts] == ["best", "pairs tied"]
    by = small.table.set_index(["label", "target"])
    for row, label in zip(found.rows, small.labels, strict=True):
        for cell, target in zip(row.cells, small.targets, strict=True):
            assert float(cell.value) == pytest.approx(by.loc[(label, target), "tau"], rel=1e-4)
            assert f'data-value="{cell.value}"' in text
            assert abs(float(cell.text.replace("−", "-")) - float(cell.value)) <= 5e-4
            assert cell.spread == f"± {by.loc[(label, target), 'standard_error']:.3f}".replace("0.", ".")  # fmt: skip # noqa: E501
    assert "hessian_&lt;&amp;_x" in text
    assert "hessian_<&_x<" not in text


def test_tables_are_written_beside_the_page(written, small):
    tau = pd.read_csv(written / "tau.csv", keep_default_na=False)
    assert len(tau) == len(small.table)
    np.testing.assert_allclose(tau["tau"], small.table["tau"], rtol=1e-12)
    agreement = pd.read_csv(written / "agreement.csv")
    np.testing.assert_allclose(agreement["tau"], small.agreement["tau"], rtol=1e-12)
    text = (written / "tau_all.tex").read_text(encoding="utf-8")
    lines = text.splitlines()
    (head,) = [line for line in lines if line.startswith("proxy & clean & FGSM@0.5")][:1]
    place = head.split(" & ").index("FGSM@1")
    for label, name in (("params", "params"), ("hessian_<&_x", r"hessian\_\textless{}\&\_x")):
        row = small.table.set_index(["label", "target"]).loc[(label, "fgsm@1")]
        cells = next(line for line in lines if line.startswith(f"{name} & ")).split(" & ")
        assert cells[place].removesuffix(r" \\") == LATEX.signed(row["tau"], row["standard_error"])
    for name in ("proxies", "attacks", "cell-11"):
        for suffix, start in ((".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml")):
            assert (written / f"{name}{suffix}").read_bytes().startswith(start)


def test_latex_prints_text_as_it_stands():
    assert latex.escape(r"a_b & 5% \x{1}") == r"a\_b \& 5\% \textbackslash{}x\{1\}"
    assert latex.escape("τ ± [1]") == r"$\tau$ $\pm$ {[}1{]}"
    drawn = latex.table(["a", "b"], [["1", "2"]], "50 %", "tab:x")
    for line in (r"\begin{tabular}{@{}lr@{}}", r"\toprule", r"1 & 2 \\", r"\caption{50 \%}"):
        assert line in drawn.splitlines()
    with pytest.raises(ValueError, match="expected 2 cells"):
        latex.table(["a", "b"], [["1"]], "", "")


def test_figures_without_data_are_left_out_with_the_reason(written, truth):
    text = (written / "index.html").read_text(encoding="utf-8")
    assert "Not shown: the truth does not hold all of the 408 networks" in text
    clean = study(truth, None, targets=["clean"])
    missing = {item.group: item.why for item in gallery(clean) if isinstance(item, Missing)}
    assert len(missing) == 5
    assert missing["Accuracy under attack"] == "the truth holds no attack, or none was chosen"
    assert missing["Which proxy ranks which attack?"] == "there are no scores in this report"


def test_a_report_of_the_truth_alone(truth, tmp_path):
    result = run("--truth", truth.root, "--store", "none", "--out", tmp_path / "r")
    assert result.exit_code == 0, result.output
    text = (tmp_path / "r" / "index.html").read_text(encoding="utf-8")
    assert "this report is of the truth alone" in text
    assert "figure-attacks" in text
    assert not (tmp_path / "r" / "tau.csv").exists()


def test_columns_of_further_statistics_are_shown_if_the_table_has_them(small):
    extra = small.table.assign(
        low=-0.2, high=0.3, spearman=0.123, ceiling=0.9, difference_params=0.2,
        difference_params_error=0.1, difference_params_p=0.001, difference_params_holm=0.01,
    )  # fmt: skip
    found = {s.name: s for s in statistics(dataclasses.replace(small, table=extra))}
    assert [row.name for row in found["tau"].facts] == ["ceiling", "best", "pairs tied"]
    assert found["spearman"].rows[0].cells[0].text == "+.123"
    assert found["difference_params"].rows[0].cells[0].spread == "± .100"
    tip = found["tau"].rows[0].cells[0].tip
    assert "95 % interval −.200 to +.300, ceiling +.900" in tip
    assert all(cell.strong for row in found["tau"].rows for cell in row.cells)
    worse = dataclasses.replace(small, table=extra.assign(difference_params=-0.2))
    assert not any(cell.strong for row in statistics(worse)[0].rows for cell in row.cells)


def test_the_best_is_starred_only_if_it_surely_wins(small):
    for p, star in ((0.01, "*"), (0.2, "")):
        won = small.table.assign(
            winner=small.table["label"] == "flops", winner_holm=p, ceiling=float("nan")
        )
        tau = statistics(dataclasses.replace(small, table=won))[0]
        assert [row.name for row in tau.facts] == ["best", "pairs tied"]
        assert {cell.text for cell in tau.facts[0].cells} == {f"flops{star}"}


def test_warnings_say_what_to_doubt(truth, small):
    said = "\n".join(doubts(small))
    assert "The sample is of 40 networks only" in said
    assert re.search(r"More than half of all pairs .* in APGD-CE@8 \(81%\)\.", said)
    assert "hessian_<&_x: one seed of the weights only" in said
    by = small.table.assign(size=small.table["tau"].abs()).pivot(
        index="target", columns="label", values="size"
    )
    beaten = (by["hessian_<&_x"] > by[["params", "flops", "paths_pool_min"]].max(axis=1)).sum()
    assert "hessian_<&_x ranks no better than a baseline" in said
    assert f"paths_pool_min) in {13 - beaten} of 13 targets" in said
    strange = scores()
    dead = strange["proxy"].eq("jacobian_norm") & strange["network"].eq(strange["network"][0])
    strange.loc[dead, "value"] = np.nan
    strange.loc[strange.index[-1], "converged"] = False
    said = "\n".join(doubts(study(truth, strange)))
    assert "Of the scored networks, 1 lack a score of jacobian_norm (" in said
    assert "Of the scored networks, kept: 1 whose hessian_<&_x did not converge." in said
    constant = strange.assign(value=1.0)
    assert "τ is undefined, for all values are equal: " in "\n".join(doubts(study(truth, constant)))


def test_a_proxy_of_few_networks_does_not_shrink_the_sample_unasked(truth):
    some = table(
        rows("wide"), rows("rare", ids=IDS[:19]), rows("wide", init="trained", ids=IDS[:20])
    )
    found = study(truth, some)
    assert found.ranking.n == 20
    assert found.left_aside == (
        "rare (random) was computed for 19 of 40 networks: it is left out, since the sample is "
        "one for all; --proxies with its name brings it in.",
    )
    assert study(truth, some, proxies=["wide", "rare"]).ranking.n == 19
    assert study(truth, some, proxies=["wide", "rare"]).left_aside == ()


def test_methods_name_networks_images_batch_norm_seeds_and_versions(small):
    said = " ".join(methods(small))
    for part in (
        "jacobian_norm for 40 networks of NAS-Bench-201 (C = 16, N = 5) at initialisation",
        "jacobian_norm for 40 networks of NAS-Bench-201 (C = 16, N = 5) after our own training",
        "one class-balanced batch of 16 training images of cifar10 (batch seed 0, ",
        "batch norm used the statistics of this batch",
        "hessian_<&_x was computed exactly where the network is piecewise linear and by Lanczos",
        "one seed of the weights.",
        "means over 2 seeds",
        "robustness-proxies 0.1.0+g0123456789, PyTorch 2.9.1, Python 3.11.7, on cpu (some)",
        "read from a folder in the layout of Jung, Lukasik and Keuper",
        "40 of the 6,466 unique networks",
        "Holm’s correction",
    ):
        assert part in said
    # Of a run that no score of the report is from, nothing is said.
    assert "9.9.9" not in said
    assert "ceiling" not in said  # there are no twins among the 40


def test_the_explorer_has_every_network_of_the_truth(small):
    data = explorer(small)
    ids = np.frombuffer(decoded(data["ids"]), "<u2")
    assert ids.tolist() == list(IDS)
    accuracies = np.frombuffer(decoded(data["targets"]["fgsm@1"]), "<u2") / SCALE
    np.testing.assert_allclose(accuracies, small.accuracies["fgsm@1"], atol=1e-5)
    places = np.frombuffer(decoded(data["scored"]), "<u4")
    assert ids[places].tolist() == small.values.index.tolist()
    for label in small.labels:
        sent = np.frombuffer(decoded(data["scores"][label]), "u1").reshape(len(places), -1)
        values = np.pad(sent, ((0, 0), (4 - sent.shape[1], 0))).reshape(-1).view("<f4")
        whole = label in ("params", "flops", "paths_pool_min")
        np.testing.assert_allclose(values, small.values[label], rtol=1e-7 if whole else 2e-5)
    operations = np.frombuffer(decoded(data["operations"]), "u1").reshape(-1, 6)
    names = [data["operation_list"][k]["id"] for k in operations[7]]
    genotype = Genotype.from_index(IDS[7])
    assert tuple(names) == genotype.operations
    (live,) = decoded(data["live"])[7:8]
    assert tuple(edge for edge in range(6) if live >> edge & 1) == genotype.live_edges()


def test_the_page_holds_the_scores_of_the_sample_alone_and_of_as_many_as_it_has_room_for(
    truth, monkeypatch
):
    found = study(truth, table(*(rows(f"own_{k}", ids=IDS[5:25]) for k in range(9))), runs=RUNS)
    data = explorer(found)
    assert [len(decoded(text)) for text in data["scores"].values()][-1] == 3 * 20
    assert (len(data["scores"]), data["further"]) == (len(found.labels), 0)
    monkeypatch.setattr("evaluation.report.explorer.ROOM", 5 * 3 * 20)
    data = explorer(found)
    assert (len(data["scores"]), data["further"]) == (5, len(found.labels) - 5)
    assert set(data["scores"]) >= {"params", "own_0"}
    assert f"networks.csv has {data['further']} more" in page(found, [], [], [])


def decoded(text):
    return base64.b64decode(text)


def test_a_second_report_takes_the_place_of_the_first(truth, tmp_path, few_figures):
    tiny = study(truth, None, targets=["clean", "fgsm@1"])
    first = write_report(tiny, tmp_path / "r").read_bytes()
    before = {path.name for path in (tmp_path / "r").iterdir()}
    assert write_report(tiny, tmp_path / "r").read_bytes() == first
    assert {path.name for path in (tmp_path / "r").iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--truth", "nowhere"], "no folder nowhere"),
        (["--dataset", "svhn"], "no data set 'svhn'"),
        (["--store", "missing.sqlite"], "there is no"),
        (["--store", "scores.txt"], "ending in"),
        (["--targets", "fgsm@3"], "unknown target 'fgsm@3'"),
        (["--proxies", "mass"], "unknown proxies: mass"),
        (["--seeds", "x"], "seeds are whole numbers"),
        (["--archs", "99999"], "architecture id 99999"),
    ],
)
def test_errors_are_one_line_without_a_traceback(truth, tmp_path, arguments, message):
    given = ["--truth", truth.root] if "--truth" not in arguments else []
    result = run(*given, *arguments, "--out", tmp_path / "r")
    assert result.exit_code == 2
    assert message in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.output


def test_targets_of_a_truth_with_gaps(tmp_path):
    truth = Truth.open(write_truth(tmp_path / "truth"))
    write_table(truth.root, "clean", "accuracy", {str(i): 0.5 + i / 1e4 for i in IDS[3:]})
    found = study(Truth.open(truth.root), scores())
    assert (found.ranking.n, len(found.values), int(found.agreement["n"].iloc[0])) == (37, 37, 37)
    assert "Of the scored networks, 3 lack one of the targets in the truth." in doubts(found)
    ids = np.frombuffer(decoded(explorer(found)["targets"]["clean"]), "<u2")
    assert ids[:3].tolist() == [UNKNOWN] * 3


def test_runs_are_read_from_every_kind_of_file(tmp_path):
    assert [run["id"] for run in read_runs(RANDOM_CIFAR10)] == [1, 2, 3]
    with Store(tmp_path / "s.sqlite") as store:
        store.begin_run({"code_version": "1", "more": [2]})
    (run,) = read_runs(tmp_path / "s.sqlite")
    assert (run["code_version"], run["provenance"]["more"]) == ("1", [2])
    (tmp_path / "a.csv").write_text("", encoding="utf-8")
    assert read_runs(tmp_path / "a.csv") == []
    runs_beside(tmp_path / "a.csv").write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match=r"the runs of .* cannot be read"):
        read_runs(tmp_path / "a.csv")


def test_own_measurements_are_described_by_their_settings(small):
    row = {"network": "n", "init": "trained", "count": 60, "warnings": "[]", "cross_warnings": "[]"}
    levels = [("pgd@Linf", 8.0, '{"steps":40}'), ("pgd@Linf", 16.0, '{"steps":40}'),
              ("aa_square@Linf", 8.0, '{"queries":9}'), ("fog", 1.0, "{}"),
              ("clean", None, "{}")]  # fmt: skip
    names = ("measure", "level", "settings")
    table = pd.DataFrame([{**row, **dict(zip(names, level, strict=True))} for level in levels])
    table.loc[0, "warnings"] = '["zero gradients"]'
    said = methods(small, table)[1]
    assert said == (
        "Robust accuracies of 1 networks (trained weights) were measured by us on 60 images of "
        "cifar10; ε is in units of 1/255. Attacks: PGD (ε = 8, 16, steps 40); Square (ε = 8, "
        "queries 9). Corruptions: fog. Of these results, 20% carry a warning of the measurement. "
        "These are 40 of the 6,466 unique networks of NAS-Bench-201; training: normally trained."
    )
    assert "Jung" in methods(small, table.iloc[:0])[1]


def test_searches_of_a_folder_are_shown(truth, tmp_path, few_figures):
    queries = pd.DataFrame(
        [
            ("FGSM@1", name, run, query, 0.1 * query, query)
            for name in ("random", "local")
            for run in range(3)
            for query in (1, 2, 3)
        ],
        columns=["objective", "algorithm", "run", "query", "best", "seconds"],
    )
    folder = tmp_path / "searches"
    folder.mkdir()
    options = ("--truth", truth.root, "--store", "none", "--out", tmp_path / "r", "--search")
    result = run(*options, folder)
    assert result.exit_code == 2
    assert "has no trajectories.parquet nor trajectories.csv" in result.stderr
    queries.to_csv(folder / "trajectories.csv", index=False)
    assert run(*options, folder).exit_code == 0
    text = (tmp_path / "r" / "index.html").read_text(encoding="utf-8")
    assert "The best FGSM@1 found so far against seconds, mean of 3 runs" in text
    assert (tmp_path / "r" / "search-queries.svg").is_file()
    queries.drop(columns="best").to_csv(folder / "trajectories.csv", index=False)
    assert "lacks the columns best" in run(*options, folder).stderr


@pytest.mark.parametrize("unknown", [True, False])
def test_what_has_no_standard_error_is_explained_wherever_it_stands(small, unknown):
    changed = small.ranking.table.copy()
    changed.loc[changed.index[0], "standard_error"] = np.nan if unknown else 0.1
    ranking = dataclasses.replace(small.ranking, table=changed)
    found = dataclasses.replace(small, ranking=ranking, table=ranking.labelled)
    page = {one.name: one for one in statistics(found)}["tau"]
    latex_texts = dict(latex_tables(found))
    printed = Console(width=200, file=io.StringIO(), force_terminal=False)
    print_ranking(ranking, printed)
    further = Console(width=200, file=io.StringIO(), force_terminal=False)
    print_statistics(ranking, further)
    shown = {
        "page": ("± ?" in [cell.spread for row in page.rows for cell in row.cells], page.caption),
        "latex": (r"\pm ?" in latex_texts["tau_all"], latex_texts["tau_all"]),
        "terminal": ("±?" in printed.file.getvalue(), printed.file.getvalue()),
    }
    for place, (stands, said) in shown.items():
        assert stands == unknown, place
        assert ("? where it is unknown" in said) == unknown, place
    assert ("±?: the standard error" in further.file.getvalue()) == unknown
