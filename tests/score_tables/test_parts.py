"""Wide tables as several narrow ones, in every format."""

import re

import pytest
from helpers.wide_tables import numbers_in, scores_in
from hypothesis import given
from hypothesis import strategies as st

from disentangle.reports.html import tables_page
from disentangle.score_tables.build import make_tables
from disentangle.score_tables.export import as_csv, as_latex, as_markdown
from disentangle.score_tables.heads import LABELLED, OTHER, Head
from disentangle.score_tables.parts import MOST, Unit, spread
from disentangle.score_tables.render import Sheet, Text
from disentangle.score_tables.terminal import lay_out


@pytest.fixture
def table_of(variant):
    """A function that makes the table of some configurations with a number of columns."""

    def make(columns, rows=2):
        runs = [
            variant(f"b{i}", values=scores_in(columns), knobs={"beta": float(i + 1)})
            for i in range(rows)
        ]
        (table,) = make_tables(runs)
        return table

    return make


def check_markdown(table, columns, parts):
    text = as_markdown([table])
    heads = re.findall(r"^\| model .*$", text, re.MULTILINE)
    assert len(heads) == len(set(heads)) == parts
    assert all(head.count("|") - 1 - len(table.left) <= MOST for head in heads)
    assert len(re.findall(r"^\| beta-vae .*$", text, re.MULTILINE)) == 2 * parts
    assert text.count("Trained on: tiny") == 1
    for number in numbers_in(columns):
        assert text.count(number) == 2


def check_latex(table, columns, parts):
    code = as_latex([table])
    labels = re.findall(r"\\label\{(.*?)\}", code)
    assert len(labels) == len(set(labels)) == parts
    shown = "".join(line for line in code.splitlines(True) if not line.startswith("%"))
    for number in numbers_in(columns):
        assert shown.count(number) == 2
    comments = " ".join(code.replace("\n% ", " ").split())
    assert comments.count("Trained on: tiny") == parts


def check_html(table, columns, parts):
    page = tables_page([table])
    assert page.count("<table") == parts
    assert page.count('<th scope="col"') - len(table.left) * parts == columns
    for number in numbers_in(columns):
        assert page.count(f">{number}<") == 2


def check_csv(table, columns):
    head, *rows = as_csv([table]).splitlines()
    assert len([name for name in head.split(",") if name.endswith(" mean")]) == columns
    assert len(rows) == 2


@pytest.mark.parametrize(("columns", "parts"), [(3, 1), (8, 1), (9, 2), (30, 6)])
def test_layout_by_the_number_of_columns(table_of, columns, parts):
    table = table_of(columns)
    check_markdown(table, columns, parts)
    check_latex(table, columns, parts)
    check_html(table, columns, parts)
    check_csv(table, columns)


def sheet_of(columns, rows):
    """A sheet as `table_of` makes it."""
    heads = [
        Head(one["name"], one["metric"], terms=(f"metric seed {one['seed']}",), kind=kind)
        for one in sorted(scores_in(columns), key=lambda one: (one["name"], one["seed"]))
        for kind in [OTHER if one["metric"] == "elbo" else LABELLED]
    ]
    texts = [f"{head.score} [{head.terms[0]}]" for head in heads]
    body = [[Text("vae"), Text(f"beta={i}"), *map(Text, numbers_in(columns))] for i in range(rows)]
    return Sheet(
        "tiny", ["model", "settings", *texts], body, "", columns, names=2, heads=tuple(heads)
    )


@pytest.mark.parametrize("columns", [3, 8, 9, 30])
def test_terminal_shows_at_most_eight_scores_side_by_side(columns):
    sheet = sheet_of(columns, rows=12)
    for width in (100, 1000):
        lines = lay_out(sheet, width)
        assert max(len(re.findall(r"\b0\.0\d\d\b", line)) for line in lines) <= MOST
        for number in numbers_in(columns):
            assert sum(line.split().count(number) for line in lines) == 12
        kinds = "Scores that need labels" in lines, "Other scores" in lines
        assert kinds == ((True, True) if columns > MOST else (False, False))


def test_captions_name_the_family_and_what_is_in_it(table_of):
    first, second = table_of(9).sheets
    assert first.title == "tiny: scores that need labels"
    assert first.caption == (
        "Scores that need labels: dci, mig, sap. Notes: see the table of other scores."
    )
    assert second.title == "tiny: other scores"
    assert second.caption.startswith("Other scores: elbo. Trained on: tiny")


def test_metric_with_too_many_columns_is_divided_by_score_and_then_by_eights(variant):
    own = [
        {"name": f"dci/{part}", "metric": "dci", "seed": seed, "value": 0.1}
        for part, seeds in (("completeness", 5), ("disentanglement", 9))
        for seed in range(seeds)
    ]
    (table,) = make_tables([variant("a", values=own)])
    assert [sheet.numbers for sheet in table.sheets] == [5, 8, 1]
    assert "3: dci/completeness." in table.sheets[0].caption
    assert "3: dci/disentanglement." in table.sheets[2].caption


def test_captions_of_papers_have_names_without_arrows(table_of):
    code = as_latex([table_of(9)])
    assert "Scores that need labels: DCI, MIG, SAP." in code


@given(st.lists(st.integers(1, MOST), min_size=1, max_size=12))
def test_tables_are_as_few_as_possible_and_of_about_the_same_width(sizes):
    blocks = spread([Unit(str(i), list(range(size))) for i, size in enumerate(sizes)])
    assert [unit.name for block in blocks for unit in block] == list(map(str, range(len(sizes))))
    widths = [sum(len(unit.columns) for unit in block) for block in blocks]
    assert max(widths) <= MOST
    greedy, room = 1, MOST
    for size in sizes:
        greedy, room = (greedy, room - size) if size <= room else (greedy + 1, MOST - size)
    assert len(blocks) == greedy


def test_widths_are_even():
    units = [Unit(str(i), [0, 0]) for i in range(5)]
    assert [len(block) for block in spread(units)] == [3, 2]
