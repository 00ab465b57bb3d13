"""The page of an audit: self-contained, with the verdicts, the reasons and all values."""

import json
import re

from helpers.audits import BAD_ONE, GOOD, GOOD_ONE, audit_of, two_scores

from disentangle.auditing.cases import CASES
from disentangle.reports.audit_page import audit_page, data_of


def test_page_is_whole_in_itself():
    page = audit_page(two_scores())
    assert page.startswith("<!doctype html>")
    assert not re.search(r"(src|href)=\"(?!data:)", page)


def test_page_has_a_mark_for_each_verdict_without_a_script():
    page = audit_page(two_scores())
    row = page.partition(f'<tr data-score="{BAD_ONE}"')[2].partition("</tr>")[0]
    marks = re.findall(r'class="verdict (\S+)" data-case="([^"]+)">(.)<', row)
    assert marks == [
        ("holds", "oracle", "+"),
        ("holds", "scaled", "+"),
        ("fails", "copied", "X"),
        ("fails", "noise", "X"),
        ("fails", "few rows, noise", "X"),
    ]


def test_page_tells_in_words_what_does_not_hold():
    text = audit_page(two_scores()).partition("What does not hold</h2>")[2]
    failures = text.partition("<h2>")[0]
    assert CASES["noise"].about in failures
    assert "expected at most 0.1, got 0.300" in failures
    assert GOOD_ONE not in failures
    assert "Every expectation holds." in audit_page(audit_of({GOOD_ONE: GOOD}))


def test_page_has_the_expectations_of_each_case_with_their_reasons():
    cases = audit_page(two_scores()).partition("Cases and expectations</h2>")[2]
    row = cases.partition('<th scope="row">scaled</th>')[2].partition("</tr>")[0]
    text = re.sub("<[^>]*>", "", row)
    assert "Factors: a grid of 4 x 6 x 8 x 10 x 10." in text
    assert "completeness: is within 0.02 of &#39;oracle&#39;" in text
    assert "(names and units of latents mean nothing)" in text


def test_data_of_a_cell_has_its_values_by_amount_and_seed():
    cell = data_of(two_scores())["cells"][BAD_ONE]["few rows, noise"]
    assert cell["verdict"] == "fails"
    assert [amount for amount, _ in cell["values"]] == [50, 200, 1000, 10000]
    assert cell["values"][0][1] == [0.8, 0.801]


def test_data_is_in_the_page_as_json():
    page = audit_page(two_scores())
    data = page.partition('<script type="application/json" id="audit">')[2].partition("</script>")[
        0
    ]
    assert json.loads(data)["claims"][BAD_ONE] == ["completeness"]
