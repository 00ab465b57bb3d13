"""`disentangle score --correlated`."""

import pytest

from disentangle.runs.scores import read_scores
from disentangle.training.train import train

SMALL = {"steps": 2, "batch_size": 8, "figures": False, "device": "cpu", "results": "results"}
WORDS = ("score", "--metric", "mig:samples=50", "--correlated", "--results", "results")


@pytest.fixture
def runs(strangers, command):
    """A run with correlated factors, and one without."""
    return [train("vae", "tiny", correlate=pairs, **SMALL) for pairs in (["side,x=0.3"], [])]


def test_runs_with_correlated_factors_are_scored(runs, command):
    code, out, err = command(*WORDS)
    assert code == 0, err
    assert "skipping runs trained without correlated factors: 1" in err
    assert "mig [samples=50; correlated side,x=0.3]" in " ".join(out.split())
    assert [s.view for s in read_scores(runs[0])] == [{"correlate": ("side,x=0.3",)}]
    assert read_scores(runs[1]) == ()


def test_run_without_correlated_factors_is_a_usage_error(runs, command):
    code, _, err = command(*WORDS, runs[0].path, runs[1].path)
    assert code == 2
    assert "trained without correlated factors" in err
    assert read_scores(runs[0]) == ()


def test_no_run_with_correlated_factors_is_a_usage_error(strangers, command):
    train("vae", "tiny", **SMALL)
    code, _, err = command(*WORDS)
    assert code == 2
    assert "none of these runs was trained with correlated factors, as by `disentangle" in err


def test_encoder_has_no_training_with_correlated_factors(command):
    code, _, err = command("score", "--codes", "codes.npz", "--correlated")
    assert code == 2
    assert "--correlated requires RUN" in err
