"""Collapsed runs are marked, and stand above no trained one."""

import json

import pytest

from disentangle.runs.collapse import collapsed
from disentangle.score_tables.build import make_tables
from disentangle.score_tables.export import as_json
from disentangle.score_tables.paper import paper_sheet
from disentangle.score_tables.selection import select
from disentangle.score_tables.sorting import sort_rows

UNITS = {"metric": "elbo", "name": "elbo/active-units"}


def log(run, **entry):
    """Write a log whose last entry has these values."""
    entries = [{"step": 1, "active": 9, "spread": 2.0, "kl": [1.0]}, {"step": 5, **entry}]
    (run.path / "log.jsonl").write_text("".join(json.dumps(e) + "\n" for e in entries))
    return run


@pytest.mark.parametrize(
    ("entry", "is_collapsed"),
    [
        ({"active": 0, "spread": 1e-5, "kl": [0.0]}, True),
        ({"active": 1, "spread": 1.0, "kl": [0.0]}, True),
        ({"active": 2, "spread": 1.0, "kl": [0.0]}, False),
        ({"active": 0, "spread": 1e-5}, False),  # codes without a posterior have any scale
        ({"active": 0, "spread": 0.0}, True),
    ],
    ids=str,
)
def test_log_says_whether_a_run_collapsed(variant, entry, is_collapsed):
    assert collapsed(log(variant("a"), **entry)) == is_collapsed


@pytest.mark.parametrize(("units", "is_collapsed"), [(0.0, True), (1.0, True), (2.0, False)])
def test_run_without_a_log_is_judged_by_its_active_units(variant, units, is_collapsed):
    assert collapsed(variant("a", values=[{**UNITS, "value": units}])) == is_collapsed
    assert not collapsed(variant("b"))


@pytest.fixture
def runs(variant):
    """Five seeds of three betas: the last collapsed and has the best scores, the second in part."""
    found = []
    for beta, value in ((1.0, 0.1), (4.0, 0.5), (250.0, 0.9)):
        for seed in range(5):
            values = [{"value": value + seed / 100}]
            run = variant(f"{beta}-{seed}", seed=seed, values=values, knobs={"beta": beta})
            found.append(log(run, active=0 if beta == 250 else 5, spread=1.0, kl=[0.0]))
    return found


def test_collapsed_row_says_so_and_is_not_bold_nor_in_the_way(runs):
    (table,) = make_tables(runs)
    best = {row.settings["beta"]: bool(row.best) for row in table.rows}
    assert best == {1.0: False, 4.0: True, 250.0: False}
    assert [row[0].text for row in table.sheet.body][2] == "beta-vae (collapsed)"
    assert "Collapsed: at most one latent is active; such rows are never ranked." in table.caption
    assert "β-VAE (collapsed)" in [row[0].text for row in paper_sheet(table).body]
    rows = json.loads(as_json([table]))["tables"][0]["rows"]
    assert [row["collapsed"] for row in rows] == [0, 0, 5]


def test_row_that_collapsed_in_part_is_compared_but_never_bold(runs):
    log(runs[5], active=0, spread=1.0, kl=[0.0])
    (table,) = make_tables(runs)
    assert table.rows[1].name == "beta-vae (1 of 5 collapsed)"
    assert not any(row.best for row in table.rows)
    assert "No row differs significantly" in table.caption


def test_collapsed_rows_come_last_when_sorted_by_a_score(runs):
    tables = make_tables(runs)
    sort_rows(tables, ["mig"])
    assert [row.settings["beta"] for row in tables[0].rows] == [4.0, 1.0, 250.0]


def test_collapsed_configuration_is_not_selected(runs):
    selection = select(runs, "oracle:mig")
    assert {run.record.knobs["beta"] for run in runs if selection.shows(run)} == {4.0}
    alone = select(runs[10:], "oracle:mig")
    assert all(alone.shows(run) for run in runs[10:])
