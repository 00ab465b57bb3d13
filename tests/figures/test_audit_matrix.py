"""The figure of an audit: a row per score, a column per case, a mark for what fails."""

import pytest
from helpers.audits import BAD_ONE, GOOD, GOOD_ONE, audit_of, two_scores
from helpers.figure_checks import check_contrast, check_type, contrast

from disentangle.auditing.cases import CASES
from disentangle.errors import UsageError
from disentangle.figures.audit_matrix import FILLS, draw_audit, plot_audit


def test_scores_cases_and_counts_are_named():
    figure = plot_audit(two_scores())
    said = check_type(figure, slanted=5)
    check_contrast(figure)
    for text in (GOOD_ONE, BAD_ONE, *GOOD, "5 of 5", "2 of 5", "holds", "fails"):
        assert text in said
    assert said.count("X") == 3 + 1  # one in the legend


def test_all_cases_and_many_scores_fit_a_page():
    scores = {f"dci/{i}-informativeness": GOOD for i in range(30)}
    figure = plot_audit(audit_of(scores, cases=list(CASES)))
    check_type(figure, slanted=len(CASES))
    assert figure.get_figwidth() <= 7.5


def test_a_verdict_is_told_without_colour():
    assert contrast(FILLS["fails"], FILLS["holds"]) >= 2
    assert contrast(FILLS["fails"], FILLS["not claimed"]) >= 3


def test_file_is_written_with_its_provenance(tmp_path):
    path = draw_audit(two_scores(), tmp_path / "matrix.svg")
    text = path.read_text()
    assert "2 scores of codes with a known answer, in 5 cases, seeds 0 and 1; disentangle" in text
    with pytest.raises(UsageError, match="png"):
        draw_audit(two_scores(), tmp_path / "matrix.gif")
