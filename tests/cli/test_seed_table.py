"""The table of the seeds of a configuration."""

import json

import pytest

from disentangle.cli.seed_table import seed_table

ENTRY = {
    "step": 5,
    "loss": 110.0,
    "terms": {"reconstruction": 100.0, "kl": 10.0},
    "values": {"reconstruction": 100.0, "kl": 5.0},
    "active": 6,
}


@pytest.fixture
def runs(variant):
    """Three runs by seed, whose logs end with numbers that are easy to average."""
    by_seed = {}
    for seed, more in enumerate((0.0, 2.0, 4.0)):
        run = by_seed[seed] = variant(f"seed{seed}", seed=seed, record={"seconds": 60.0 + more})
        entry = {**ENTRY, "loss": 110 + more, "active": 6 + seed}
        (run.path / "log.jsonl").write_text(json.dumps(entry) + "\n")
    return by_seed


def test_table_has_terms_without_weights_and_means_over_seeds(runs):
    head, first, *_, mean, deviation = [line.split() for line in seed_table(runs, 200)]
    assert head == ["seed", "run", "loss", "reconstruction", "kl", "active", "time"]
    identity = runs[0].record.id
    assert first == ["0", identity, "110.00", "100.00", "5.00", "6", "1", "min"]
    assert mean == ["mean", "112.00", "100.00", "5.00", "7.00", "1", "min"]
    assert deviation == ["±", "sd", "2.00", "0.00", "0.00", "1.00", "2", "s"]


def test_one_run_has_no_mean(runs):
    assert [line.split()[0] for line in seed_table({0: runs[0]}, 200)] == ["seed", "0"]


def test_run_without_a_log_leaves_its_cells_empty(runs):
    (runs[1].path / "log.jsonl").unlink()
    lines = seed_table(runs, 200)
    assert lines[2].split() == ["1", runs[1].record.id, "1", "min"]
    assert lines[4].split()[:2] == ["mean", "112.00"]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_columns_that_do_not_fit_go_below_and_no_number_is_broken(runs, width):
    lines = seed_table(runs, width)
    assert max(map(len, lines)) <= width
    said = " ".join(lines)
    assert all(text in said for text in ("112.00", "100.00", "7.00", runs[2].record.id))
