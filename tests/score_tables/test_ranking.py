"""What may be called best, and what is never compared."""

import math
from types import SimpleNamespace

import pytest

from disentangle.runs.score_records import ColumnKey
from disentangle.score_tables.baseline_rows import correct
from disentangle.score_tables.cells import Cell, Row, cell_of
from disentangle.score_tables.ranking import mark_best

MIG = ColumnKey("mig", "mig", 1, (), "locatello2019", "mean", ("x",), (), "f" * 64, 0)
BOUND = MIG._replace(score="elbo/total", metric="elbo")
KL = MIG._replace(score="elbo/kl", metric="elbo")
LOW, HIGH = (0.1, 0.11, 0.12, 0.13, 0.14), (0.5, 0.51, 0.52, 0.53, 0.54)


def row(name, values, column=MIG, **about):
    return Row(name, steps=5, cells={column: Cell(values, about.pop("runs", 5))}, **about)


def best(rows, column=MIG):
    said = mark_best(rows, [column])
    return [r.model for r in rows if column in r.best], said


def test_row_that_is_told_apart_is_marked_and_the_test_named():
    marked, said = best([row("a", LOW), row("b", HIGH)])
    assert marked == ["b"]
    assert "Mann-Whitney tests, Holm-corrected" in said


def test_less_is_better_where_the_metric_says_so():
    assert best([row("a", LOW, BOUND), row("b", HIGH, BOUND)], BOUND)[0] == ["a"]


@pytest.mark.parametrize("column", [KL, MIG._replace(score="mine", metric="not-installed")])
def test_score_without_a_direction_is_not_ranked(column):
    assert best([row("a", LOW, column), row("b", HIGH, column)], column) == ([], "")


def test_rows_that_cannot_be_told_apart_are_not_marked():
    marked, said = best([row("a", LOW), row("b", HIGH), row("c", HIGH[::-1])])
    assert marked == []
    assert said.startswith("No row differs significantly")


def test_few_seeds_are_never_enough():
    assert best([row("a", (0.1,), runs=1), row("b", (0.9,), runs=1)])[0] == []
    assert best([row("a", LOW[:3], runs=3), row("b", HIGH[:3], runs=3)])[0] == []


def test_labels_make_a_class_of_their_own():
    rows = [row("a", LOW), row("b", HIGH), row("c", (0.9,) * 5, supervision="pairs")]
    assert best(rows)[0] == ["b"]


@pytest.mark.parametrize(
    "about", [{"unfinished": 1}, {"failed": 1}, {"grey": True}, {"runs": 6}], ids=str
)
def test_what_is_partial_or_chosen_by_the_score_is_not_ranked(about):
    assert best([row("a", LOW), row("b", HIGH, **about)]) == ([], "")


def test_baselines_are_not_ranked():
    oracle = Row("oracle", cells={MIG: Cell((1.0,) * 5, 5)})
    assert best([oracle, row("a", LOW)]) == ([], "")


def test_external_encoders_are_not_ranked_and_do_not_stand_in_the_way():
    mine = Row("mine", external=True, cells={MIG: Cell((0.9,) * 5, 5)})
    assert best([mine, row("a", LOW)]) == ([], "")
    assert best([mine, row("a", LOW), row("b", HIGH)])[0] == ["b"]


def test_rows_of_equal_scores_are_not_marked():
    marked, said = best([row("a", HIGH), row("b", HIGH), row("c", (0.5,) * 5)])
    assert (marked, said[:25]) == ([], "No row differs significan")


def test_row_whose_score_is_not_available_is_not_compared():
    lacking = row("c", ())
    assert best([row("a", LOW), lacking]) == ([], "")
    assert best([row("a", LOW), row("b", HIGH), lacking])[0] == ["b"]


def test_scores_that_are_not_finite_are_missing():
    cell = cell_of([score(0.5), score(math.nan), score(None), score(math.inf)], 4)
    assert cell.values == (0.5,)
    assert "the score is not finite" in cell.reasons
    assert not cell.whole


def score(value):
    return SimpleNamespace(value=value, reason="" if value is not None else "no factor")


def test_score_corrected_for_chance_is_bold_where_the_score_is():
    rows = [row("a", LOW), row("b", HIGH)]
    top, bottom = (
        Row(name, cells={MIG: Cell((v,), 1)}) for name, v in (("oracle", 1), ("noise", 0.1))
    )
    best(rows)
    corrected = MIG._replace(corrected=True)
    assert corrected in correct({MIG: "mig"}, [*rows, top, bottom], top, bottom)
    assert [corrected in one.best for one in rows] == [False, True]


@pytest.mark.parametrize("about", [{"failed": 1}, {"grey": True}, {"runs": 6}], ids=str)
def test_nothing_is_marked_where_a_row_that_is_not_compared_is_better(about):
    better = row("c", (0.9, 0.9, 0.9, 0.9, 0.9), **about)
    assert best([row("a", LOW), row("b", HIGH), better])[0] == []
    worse = row("c", (0.3, 0.3, 0.3, 0.3, 0.3), **about)
    assert best([row("a", LOW), row("b", HIGH), worse])[0] == ["b"]
