"""Scores of the checkpoints of a training."""

import pytest
import torch
from scipy.stats import spearmanr

import disentangle
from disentangle import UsageError, audit_run, train
from disentangle.auditing.training_order import TrainingOrder, network_at, rank_correlation
from disentangle.contracts import registry


@pytest.fixture
def kept(strangers, tmp_path):
    """A run of six steps of which each second was kept."""
    options = {"steps": 6, "batch_size": 8, "figures": False, "device": "cpu"}
    return train("beta-vae", "tiny", keep="every:2", results=tmp_path / "results", **options)


def test_a_run_is_scored_from_the_untrained_network_to_the_trained_one(kept):
    calls = []
    result = audit_run(
        kept, ["mig", "mcc"], device="cpu", progress=lambda done, n: calls.append((done, n))
    )
    assert [order.score for order in result.orders] == ["mig", "mcc"]
    assert all(list(order.values) == [0, 2, 4, 6] for order in result.orders)
    assert calls == [(n, 5) for n in range(1, 6)]
    trained = disentangle.score(kept, ["mig", "mcc"], device="cpu")
    assert {order.score: order.values[6] for order in result.orders} == pytest.approx(dict(trained))
    assert len(set(result.orders[1].values.values())) == 4
    assert result.as_dict()["scores"][0]["values"][0]["step"] == 0


def test_noise_is_the_baseline_of_that_name(kept):
    (order,) = audit_run(kept, ["mcc"], device="cpu").orders
    options = {"only": ["noise"], "results": kept.path.parent, "device": "cpu"}
    baselines = disentangle.baselines("tiny", ["mcc"], **options)
    assert order.noise == pytest.approx(baselines["noise"]["mcc"])


def test_the_untrained_network_is_the_one_that_training_began_with(kept):
    first, second = network_at(kept, 0, 6), kept.build()
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)
    )
    assert not any(
        torch.equal(a, b)
        for a, b in zip(first.encoder.parameters(), kept.model.encoder.parameters(), strict=True)
    )


def test_a_metric_without_a_score_says_why(kept, monkeypatch):
    monkeypatch.setattr(registry.metrics.load("mcc"), "most_latents", 1)
    result = audit_run(kept, ["mig", "mcc"], device="cpu")
    assert [order.score for order in result.orders] == ["mig"]
    assert "exceed the maximum of 1" in result.missing["mcc"]


def test_a_run_without_checkpoints_says_how_to_keep_them(run):
    with pytest.raises(UsageError, match="no checkpoints were kept; train with `--keep every:"):
        audit_run(run)


@pytest.mark.parametrize(
    ("better", "values", "noise", "fault"),
    [
        ("more", (0.1, 0.2, 0.5), 0.05, ""),
        ("more", (0.1, 0.7, 0.05), 0.0, "expected to rise by training, goes from 0.100 to 0.050"),
        ("more", (0.1, 0.2, 0.5), 0.6, "expected to be better than noise, 0.600, got 0.500"),
        ("less", (0.5, 0.2, 0.1), 0.6, ""),
        ("less", (0.1, 0.2, 0.5), None, "expected to fall by training, goes from 0.100 to 0.500"),
        ("more", (0.1, 0.2, 0.5), None, ""),
        ("neither", (0.5, 0.2, 0.1), 0.6, ""),
    ],
)
def test_training_has_to_improve_a_score_and_past_noise(better, values, noise, fault):
    order = TrainingOrder("s", better, dict(zip((0, 10, 20), values, strict=True)), noise)
    assert order.fault == fault


@pytest.mark.parametrize("y", [(1, 2, 3, 4), (4, 3, 2, 1), (1, 1, 2, 0), (3, 1, 1, 5)])
def test_rank_correlation_is_that_of_scipy(y):
    expected = spearmanr((0, 10, 20, 30), y).statistic
    assert rank_correlation((0, 10, 20, 30), y) == pytest.approx(expected)


def test_rank_correlation_of_a_score_that_never_changes_is_0():
    assert rank_correlation((0, 1, 2), (0.5, 0.5, 0.5)) == 0.0
