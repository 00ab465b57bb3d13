"""Headings in two rows: the metric, and below it what sets each of its columns apart."""

import pytest
from helpers.wide_tables import scores_in

from disentangle.score_tables.build import make_tables
from disentangle.score_tables.heads import LABELLED, OTHER, Head, Label, head_of, head_rows, spans


@pytest.fixture
def column(variant):
    (table,) = make_tables([variant("a", values=[{"value": 0.1}])])
    (key,) = table.columns
    return key


@pytest.mark.parametrize(
    ("score", "heading", "part", "terms"),
    [
        ("mig", "mig", "", ()),
        ("mig", "mig [bins=10; mean]", "", ("bins=10", "mean")),
        ("dci/completeness", "dci/completeness [a]", "completeness", ("a",)),
        ("mig", "mig [factor ]; odd]", "", ("factor ]", "odd")),
        ("dci/a/b", "dci/a/b", "a/b", ()),
    ],
)
def test_heading_is_divided(column, score, heading, part, terms):
    head = head_of(column._replace(score=score), heading)
    assert (head.metric, head.part, head.terms) == (score.partition("/")[0], part, terms)


def test_corrected_column_says_so_in_its_terms(column):
    head = head_of(column._replace(corrected=True), "mig [bins=10], corrected")
    assert head.terms == ("bins=10", "corrected")
    assert head_of(column._replace(corrected=True), "mig, corrected").terms == ("corrected",)


def test_columns_of_one_score_share_its_name_and_those_of_several_the_metric():
    heads = [
        Head("dci/c", "dci", "c", ("a",)),
        Head("dci/c", "dci", "c", ("b",)),
        Head("elbo/kl", "elbo", "kl"),
        Head("elbo/total", "elbo", "total", ("x", "y")),
        Head("sap", "sap"),
    ]
    dci, elbo, sap = spans(heads)
    assert (dci.name, dci.labels) == ("dci/c", [Label("", ("a",)), Label("", ("b",))])
    assert (elbo.name, [str(label) for label in elbo.labels]) == ("elbo", ["kl", "total [x; y]"])
    assert sap.plain
    assert [(span.start, span.end) for span in (dci, elbo, sap)] == [(0, 2), (2, 4), (4, 5)]


def test_label_is_never_empty_beside_another():
    (span,) = spans([Head("mig", "mig"), Head("mig", "mig", terms=("corrected",))])
    assert [str(label) for label in span.labels] == ["mig", "corrected"]


def test_head_has_one_row_if_nothing_is_below_a_metric():
    (row,) = head_rows(["model"], [Head("mig", "mig"), Head("sap", "sap")])
    assert [(cell.text, cell.rows, cell.column) for cell in row] == [
        ("model", 1, 0),
        ("mig", 1, 1),
        ("sap", 1, 2),
    ]


@pytest.mark.parametrize("columns", [3, 8, 9, 30])
def test_every_column_has_one_heading_in_two_rows(variant, columns):
    (table,) = make_tables([variant("a", values=scores_in(columns))])
    rows = table.sheet.head_rows
    cells = [cell for row in rows for cell in row]
    placed = sorted(cell.column for cell in cells if not cell.group)
    assert placed == list(range(len(table.sheet.head)))
    assert sum(cell.columns for cell in rows[0]) == len(placed)
    below = len(placed) - sum(cell.rows == 2 for cell in rows[0])
    assert len(rows[1]) == below


def test_kinds_are_named_in_wide_tables_only(variant):
    (narrow,) = make_tables([variant("a", values=scores_in(8))])
    (wide,) = make_tables([variant("b", values=scores_in(9))])
    assert {head.kind for head in narrow.heads} == {""}
    kinds = {head.metric: head.kind for head in wide.heads}
    assert kinds == {"dci": LABELLED, "mig": LABELLED, "sap": LABELLED, "elbo": OTHER}


def test_notebook_has_both_rows(variant):
    own = [{"value": 0.2, "knobs": {"bins": bins}} for bins in (10, 40)]
    (table,) = make_tables([variant("a", values=own)])
    shown = table._repr_html_()
    assert 'colspan="2" rowspan="1">mig</th></tr><tr><th' in shown
    assert 'rowspan="2">model</th>' in shown
    assert ">bins=40</th></tr></thead>" in shown
