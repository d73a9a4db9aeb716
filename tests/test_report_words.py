"""What the page says beside its numbers: finding, warnings, definitions, methods, sources."""

import json
import re

import pandas as pd
import pytest
from typer.testing import CliRunner

from evaluation.attacks.names import ATTACKS
from evaluation.report.__main__ import app
from evaluation.report.citations import bibtex, references
from evaluation.report.definitions import definition
from evaluation.report.page import Made
from evaluation.report.prose.doubts import doubts
from evaluation.report.prose.headline import headline
from evaluation.report.prose.measured import is_of, measurement_doubts
from evaluation.report.prose.methods import methods
from evaluation.report.prose.options import how_computed
from evaluation.report.statistics import statistics
from evaluation.report.study import study
from evaluation.report.values import MOST, values_of
from evaluation.report.write import write_report
from evaluation.truths.published import Truth
from testbed.catalogue.registry import PROXIES
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.store.robustness import stored_doubts
from tests.report_case import rows, scores, small_study, table
from tests.test_documents import ROOT
from tests.truth_folder import IDS, write_truth

NOTE = "note: 1 of 100 clean images are misclassified and count as not robust at every ε"
WEAK = "weaker than fgsm@Linf at ε = 8: leaves {}% right, that one 30.0%"


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return Truth.open(write_truth(tmp_path_factory.mktemp("words") / "truth"))


@pytest.fixture(scope="module")
def small(truth):
    return small_study(truth)


def measured(count=None):
    """Return measurements of PGD: all with a note, three with a doubt, one with another."""
    made = [
        {
            "network": str(Genotype.from_index(i)), "init": "trained", "count": 60, "level": 8.0,
            "measure": "pgd@Linf", "settings": "{}", "warnings": json.dumps([NOTE]),
            "cross_warnings": "[]",
        }
        for i in IDS[:count]
    ]  # fmt: skip
    for place in range(3):
        made[place]["cross_warnings"] = json.dumps([WEAK.format(40 + place)])
    made[3]["warnings"] = json.dumps([NOTE, "outputs are probabilities, not logits"])
    return pd.DataFrame(made)


def test_notes_are_no_doubts(small):
    facts = measured()
    assert stored_doubts(facts.iloc[5].to_dict()) == []
    assert len(stored_doubts(facts.iloc[0].to_dict())) == 1
    assert stored_doubts({"warnings": "[", "cross_warnings": '"x"'}) == ["[", "x"]
    assert "Of these results, 10% carry a warning of the measurement." in methods(small, facts)[1]
    calm = facts.assign(cross_warnings="[]", warnings=json.dumps([NOTE]))
    assert "warning" not in methods(small, calm)[1]
    assert measurement_doubts(calm) == []


def test_the_page_warns_of_the_measurement_and_of_nothing_that_is_no_worry(truth, small, tmp_path):
    said = doubts(small, measured())
    assert said[:2] == [
        "Measured by PGD on 3 of 40 networks, such as network "
        f"{IDS[0]}: weaker than fgsm@Linf at ε = 8: leaves 40% right, that one 30.0%.",
        f"Measured by PGD on network {IDS[3]}: outputs are probabilities, not logits.",
    ]
    assert not any("note" in sentence or "surely" in sentence for sentence in said)
    assert is_of(small, measured())
    assert not is_of(small, measured(39))
    bare = study(truth, None, targets=["clean"])
    assert doubts(bare) == []
    for facts, there in ((measured(), True), (measured(39), False), (pd.DataFrame(), False)):
        page = write_report(bare, tmp_path / "r", measured=facts).read_text(encoding="utf-8")
        assert ("Measured by PGD on 3 of 40" in page) == there
        assert ("measured by us" in page) == there


def test_what_is_significant_is_called_so(small):
    sure = small.table.assign(difference_params=0.2, difference_params_holm=0.01)
    captions = " ".join(s.caption for s in statistics(small))
    said = " ".join(doubts(small)) + captions
    assert "surely" not in said
    assert "* significantly above every score that ranks otherwise (p < .05, Holm" in captions
    assert (sure["difference_params_holm"] < 0.05).all()
    assert re.search(
        r"is significantly better \(p < \.05, Holm\) than the number of p.* in none", said
    )


def test_many_proxies_that_beat_nothing_are_one_sentence(truth):
    found = study(truth, table(*(rows(f"proxy{k}") for k in range(12))), targets=["clean", "fog@1"])
    said = [sentence for sentence in doubts(found) if "no better than a baseline" in sentence]
    assert len(said) <= 6


def test_the_finding_names_the_winners_with_their_intervals(truth, small):
    said = headline(small)
    assert 2 <= len(said) <= 4
    row = small.table.loc[small.table["winner"] & (small.table["target"] == "fgsm@1")].iloc[0]
    (sentence,) = [text for text in said if text.startswith("FGSM@1 is ranked best by ")]
    assert row["label"] in sentence
    assert f"{abs(row['tau']):.3f}".removeprefix("0") in sentence
    assert f"{abs(row['low']):.3f}".removeprefix("0") in sentence
    assert "significantly" in sentence
    assert "No proxy ranks any of the targets significantly better" in said[-1]
    assert headline(study(truth, None, targets=["clean"]))[0].startswith("Accuracy clean: median ")


def test_every_proxy_is_defined():
    entries = references()
    for name, spec in PROXIES.items():
        found = definition(name)
        assert (found.text, found.promise) == (spec.summary, spec.better)
        assert set(found.cites) <= set(entries)
    assert "no definition" in definition("synflop").text


def test_options_are_said_in_words():
    hessian = PROXIES["hessian_input"].options
    assert how_computed("hessian_input", hessian) == (
        "hessian_input was computed as the eigenvalue of largest magnitude, exactly where the "
        "network is piecewise linear and by Lanczos iteration elsewhere, to a relative residual of "
        "0.001, in at most 200 iterations"
    )
    assert how_computed("a and b", {"method": "own", "width": [1]}) == (
        "a and b were computed with method = own, width = [1]"
    )
    assert how_computed("a", {}) == ""
    for name, spec in PROXIES.items():
        if "tolerance" in spec.options:
            assert " with " not in how_computed(name, spec.options), name


def test_the_bibliography_is_whole(small):
    entries = references()
    for key, entry in entries.items():
        for name in ("author", "year", "title"):
            assert re.search(rf"^  {name}\s+= {{", entry, re.MULTILINE), (key, name)
        assert key == "robustness_proxies" or re.search(r"^  url\s+= {https?://", entry, re.M)
        assert entry.count("{") == entry.count("}")
    cited = {key for record in ATTACKS.values() for key in record.cites}
    assert all(record.cites for record in ATTACKS.values())
    assert cited | {key for spec in PROXIES.values() for key in spec.cites} <= set(entries)
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    toolkit = entries["robustness_proxies"]
    assert re.search(r"name: (.*)", citation)[1] in toolkit
    assert re.search(r"date-released: (\d{4})", citation)[1] in toolkit
    text = bibtex(small)
    for part in ("goodfellow2015", "croce2020reliable", "hendrycks2019", "hoffman2019", "dong2020"):
        assert part in text
    assert "madry2018" not in text  # the truth holds no PGD
    assert "VERSION" not in text


def test_the_page_says_when_how_and_what(truth, tmp_path):
    scores().to_csv(tmp_path / "s.csv", index=False)
    words = ["--truth", str(truth.root), "--scores", str(tmp_path / "s.csv"), "--targets", "clean"]
    result = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "r")])
    assert result.exit_code == 0, result.output
    text = (tmp_path / "r" / "index.html").read_text(encoding="utf-8")
    assert Made().day in text
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", Made().day)
    assert f"robustness-proxies report --truth {truth.root}" in text
    assert "--targets clean --out" in text
    assert definition("jacobian_norm").text.replace("'", "&#39;") in text
    assert "this toolkit has no definition of it" in text  # of hessian_<&_x
    assert "a lower score promises robustness" in text
    assert '<section id="headline">' in text
    networks = pd.read_csv(tmp_path / "r" / "networks.csv")
    assert networks["id"].tolist() == list(IDS)
    assert {"score: params", "accuracy: clean"} <= set(networks)
    assert "<summary>Values</summary>" in text
    assert re.search(r'<th scope="row">network \d+</th><td>score [^<]+, accuracy \d', text)


def test_the_day_may_be_set_for_pages_that_are_built_anew(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert Made().day == "1970-01-02"


def test_hover_texts_are_rows_of_a_table():
    tips = "".join(f"<title>a {k}: b: {k} &lt; 3</title>" for k in range(MOST + 5))
    found = values_of(f"<svg>{tips}<title>a 0: b: 0 &lt; 3</title></svg>")
    assert found.rows[0] == ("a 0", "b: 0 < 3")
    assert (len(found.rows), found.more) == (MOST, 5)
