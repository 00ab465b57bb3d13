"""An audit as text: the matrix, the failures in words, Markdown, CSV and JSON."""

import csv
import io
import json
import math

import pytest
from helpers.audits import BAD_ONE, GOOD, GOOD_ONE, audit_of, two_scores

from disentangle.auditing.cases import CASES
from disentangle.auditing.reliability import Reliability
from disentangle.auditing.tables import (
    LETTERS,
    as_csv,
    as_dict,
    as_markdown,
    factors_of,
    matrix_rows,
    ratio_text,
    reliability_texts,
)


def test_every_case_has_a_letter():
    assert len(CASES) <= len(LETTERS)


def test_matrix_has_a_mark_for_each_verdict():
    audit = audit_of({GOOD_ONE: {**GOOD, "scaled": 0.7, "copied": None}, "irs": {"noise": 0.0}})
    head, mig, irs = matrix_rows(audit)
    assert head == ("", ["abcde"])  # oracle, scaled, copied, noise, few rows
    assert mig == (GOOD_ONE, ["+X/++"])
    assert irs[1][0][3] in "+."


def test_columns_are_in_groups_of_five():
    audit = audit_of({GOOD_ONE: GOOD}, cases=list(CASES)[:7])
    assert matrix_rows(audit)[0][1] == ["abcde", "fg"]


def test_markdown_names_what_fails_and_why():
    text = as_markdown(two_scores())
    assert (
        "| dci-lgbm/completeness | completeness | copied, noise and few rows, noise | 2 of 5 |"
        in squeezed(text)
    )
    assert "| dci/completeness | completeness | | 5 of 5 |" in squeezed(text)
    assert "### `dci-lgbm/completeness` (claims completeness)" in text
    assert "- **noise**: expected at most 0.1, got 0.300" in text
    assert "### `dci/completeness`" not in text
    assert "- `elbo`: no" in text


def squeezed(text):
    return " ".join(text.split())


def test_markdown_of_an_audit_without_failures_says_so():
    assert "Every expectation holds." in as_markdown(audit_of({GOOD_ONE: GOOD}))


def test_csv_has_a_row_per_amount_with_the_values_of_all_seeds():
    rows = list(csv.DictReader(io.StringIO(as_csv(two_scores()))))
    few = [r for r in rows if r["score"] == BAD_ONE and r["case"] == "few rows, noise"]
    assert [r["amount"] for r in few] == ["50", "200", "1000", "10000"]
    assert few[0]["values"] == "0.8 0.801"
    assert float(few[0]["mean"]) == pytest.approx(0.8005)
    assert {r["verdict"] for r in few} == {"fails"}
    (noise,) = (r for r in rows if r["score"] == BAD_ONE and r["case"] == "noise")
    assert (noise["amount"], noise["unit"]) == ("", "")
    assert noise["expected"] == "completeness: at most 0.1"


def test_csv_keeps_cells_without_a_value():
    rows = list(csv.DictReader(io.StringIO(as_csv(audit_of({GOOD_ONE: {**GOOD, "copied": None}})))))
    (copied,) = (r for r in rows if r["case"] == "copied")
    assert (copied["mean"], copied["verdict"], copied["why"]) == ("", "n/a", "it has no value here")


def test_json_has_cases_scores_and_cells_with_reasons():
    content = json.loads(json.dumps(as_dict(two_scores()), allow_nan=False))
    assert list(content["cases"]) == ["oracle", "scaled", "copied", "noise", "few rows, noise"]
    assert content["seeds"] == [0, 1]
    score = content["scores"][BAD_ONE]
    assert (score["claims"], score["fails"], score["judged"]) == (["completeness"], 3, 5)
    assert score["chance"]["50"] == pytest.approx(0.8005)
    (noise,) = (c for c in content["cells"] if (c["score"], c["case"]) == (BAD_ONE, "noise"))
    assert noise["verdict"] == "fails"
    assert noise["values"] == [{"amount": 0.0, "scores": [0.3, 0.301]}]
    (expected,) = noise["expected"]
    assert (expected["property"], expected["must"]) == ("completeness", "at most 0.1")
    assert expected["reason"]
    assert content["skipped"] == {"elbo": "no"}


def test_sentences_of_codes_name_all_amounts():
    assert CASES["rotated"].about.endswith("by an angle of 0, 10, 20, 30 or 45 degrees.")
    assert CASES["noisy at 0.3"].about.endswith("a standard deviation of 0.3.")


@pytest.mark.parametrize(
    ("case", "factors"),
    [
        ("oracle", "a grid of 4 x 6 x 8 x 10 x 10"),
        ("few rows, noise", "50 rows to 10,000 rows"),
        (
            "correlated factors",
            "10,000 rows; at the last amount every pair of factors is correlated with 0.9",
        ),
    ],
)
def test_factors_of_a_case_are_told(case, factors):
    assert factors_of(case) == factors


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(None, ""), (math.inf, "exact"), (31.66, "31.7"), (391.2, "391"), (4000.0, "over 1,000")],
)
def test_ratio_of_signal_to_noise_as_text(ratio, text):
    assert ratio_text(ratio) == text


def test_reliability_of_one_seed_and_without_noise_is_blank():
    assert reliability_texts(Reliability("mig", None, 0.5, {}, 0.125)) == ["", "", "0.12"]


def test_notebook_shows_scores_and_failures():
    page = two_scores()._repr_html_()
    assert "<table>" in page
    assert "expected at most 0.1, got 0.300" in page


def test_an_audit_is_printed_in_a_line():
    text = repr(two_scores())
    assert text.startswith(f"<Audit of {GOOD_ONE}, {BAD_ONE}; fails: {BAD_ONE} in 'copied', ")
    assert "\n" not in text
