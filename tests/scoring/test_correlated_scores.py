"""Scores of images drawn by the correlated factors of a run's training."""

import numpy as np
import pytest

from disentangle.contracts.source import Part
from disentangle.data.loading import load_dataset
from disentangle.errors import UsageError
from disentangle.runs.score_records import Score
from disentangle.runs.scores import read_scores
from disentangle.score_tables.headings import headings
from disentangle.scoring.arrays import array_source
from disentangle.scoring.baselines import score_baselines
from disentangle.scoring.codes import RunSource
from disentangle.scoring.request import ScoringRequest
from disentangle.scoring.score_external import score_encoder
from disentangle.scoring.score_runs import score
from disentangle.training.train import train

PAIR = "side,x=0.3"
QUICK = ["mig:samples=300", "factor-vae-score:train=60,test=30,variances=60"]
SMALL = {"steps": 2, "batch_size": 8, "figures": False, "device": "cpu"}
pytestmark = pytest.mark.usefixtures("strangers")


@pytest.fixture
def correlated(tmp_path):
    """A run that was trained with correlated factors."""
    return train("vae", "tiny", correlate=[PAIR], results=tmp_path, **SMALL)


def view_of(run, **fields):
    return ScoringRequest(correlated=True, **fields).part_of_run(run) or run.dataset


def test_correlated_scores_are_kept_beside_the_others(correlated):
    alike = score(correlated, QUICK)
    weighted = score(correlated, QUICK, correlated=True)
    assert weighted.keys() == alike.keys()
    assert dict(weighted) != dict(alike)
    assert score(correlated, QUICK) == alike
    kept = read_scores(correlated)
    assert [s.view.get("correlate", ()) for s in kept] == [(), (), (PAIR,), (PAIR,)]
    named = headings(s.key for s in kept).values()
    assert sum(f"correlated {PAIR}" in heading for heading in named) == 2
    assert len(set(named)) == 4


def test_heading_names_the_correlation_where_there_are_no_other_scores(correlated):
    score(correlated, ["mig:samples=50"], correlated=True)
    (heading,) = headings(s.key for s in read_scores(correlated)).values()
    assert heading == f"mig [samples=50; correlated {PAIR}]"


def test_record_without_the_field_is_a_request_for_uncorrelated_scores():
    fields = ScoringRequest().model_dump(exclude={"correlated"})
    assert ScoringRequest(**fields).correlated is False
    assert "correlated" not in Score.model_fields


def test_images_of_a_metric_follow_the_correlation(correlated):
    view = view_of(correlated)
    source = RunSource(correlated, view)
    rng = np.random.default_rng(0)
    joint = np.zeros((3, 5))
    labels = view.every_label(np.arange(len(view)))
    sides, xs = (view.column(name) for name in ("side", "x"))
    np.add.at(joint, (labels[:, sides], labels[:, xs]), view.chances)
    for index in (
        source.draw(40_000, rng),
        np.concatenate([source.points(5, rng, distinct=True) for _ in range(8_000)]),
    ):
        drawn = labels[index]
        seen = np.zeros_like(joint)
        np.add.at(seen, (drawn[:, sides], drawn[:, xs]), 1 / len(drawn))
        assert np.abs(seen - joint).max() < 0.015
    assert joint.max() > 2 / joint.size


def test_part_of_a_source_is_drawn_by_the_chances_of_its_images(correlated):
    view = view_of(correlated)
    part = Part(RunSource(correlated, view), np.arange(0, len(view), 2))
    expected = view.chances[::2] / view.chances[::2].sum()
    np.testing.assert_allclose(part.dataset.chances, expected)


def test_held_out_images_are_weighted_too(tmp_path):
    run = train("vae", "tiny", hold_out=["0.4"], correlate=[PAIR], results=tmp_path, **SMALL)
    view = view_of(run)
    assert view.view_record["split"] == "test"
    assert view.view_record["correlate"] == (PAIR,)
    assert view.chances.max() > 1.5 / len(view)
    assert view_of(run, split="all").view_record["split"] == "all"
    score(run, ["mig:samples=50"], split="train", correlated=True)
    (kept,) = read_scores(run)
    assert (kept.view["split"], kept.view["correlate"]) == ("train", (PAIR,))


def test_run_without_correlated_factors_is_refused(run):
    with pytest.raises(UsageError, match=r"run: trained without correlated factors, so .*correlat"):
        score(run, ["mig"], correlated=True)
    assert read_scores(run) == ()


def test_default_metrics_are_those_of_dependent_factors_and_said(correlated):
    lines = []
    request = ScoringRequest(correlated=True)
    view = view_of(correlated)
    lines = [request.defaults_for(correlated.record.dataset)]
    assert lines[0].endswith(f"because images are drawn by correlated factors ({PAIR})")
    names = {one.metric.name for one in request.scores_of(correlated.record.dataset, "")}
    assert "mig" not in names
    assert view.view_record == correlated.record.dataset.view


def test_metric_that_takes_all_images_alike_is_not_available(correlated):
    found = score(correlated, ["elbo", "omes:pairs=50"], correlated=True)
    assert not found
    assert found.unavailable["elbo"].endswith(
        "all images alike, but they are drawn by correlated factors; "
        "`--metric elbo:samples=10000` draws some"
    )
    assert "all images alike" in found.unavailable["omes"]
    assert "elbo/total" in score(correlated, ["elbo:samples=20"], correlated=True)


def test_a_dataset_that_is_given_is_drawn_by_the_runs_correlation(correlated):
    data = load_dataset("tiny")
    score(correlated, ["mig:samples=50"], dataset=data, correlated=True)
    (kept,) = read_scores(correlated)
    assert kept.view == {"correlate": (PAIR,)}
    with pytest.raises(UsageError, match="already has correlated factors"):
        score(correlated, ["mig"], dataset=data.view(correlate=PAIR), correlated=True)


def test_view_with_correlated_factors_is_scored_only_if_asked_for(tmp_path):
    data = load_dataset("tiny")
    view = data.view(correlate=PAIR)

    def encode(x):
        return x.flatten(1)[:, ::500]

    (kept,) = score_encoder(encode, view, ["mig:samples=50"], correlated=True).records
    assert kept.view == {"correlate": (PAIR,)}
    with pytest.raises(UsageError, match="correlated factors, which are for training"):
        score_encoder(encode, view, ["mig"])
    with pytest.raises(UsageError, match="expected a view of tiny with correlated factors"):
        score_encoder(encode, data, ["mig"], correlated=True)
    request = ScoringRequest(metrics=("mig:samples=50",), correlated=True)
    (oracle,) = score_baselines(view, request, only=["oracle"], results=tmp_path).values()
    assert oracle.records[0].view == {"correlate": (PAIR,)}


def test_arrays_are_no_correlated_images():
    z = np.zeros((60, 2))
    assert array_source(z, z.astype(int) + np.arange(60)[:, None] % 2).every_image().tolist() == [
        *range(60)
    ]
