"""Baselines: what a score is worth, and tables that say so."""

import numpy as np
import pytest
from helpers.table_texts import texts

from disentangle.data.loading import load_dataset
from disentangle.errors import UsageError
from disentangle.runs.score_records import ScoreFile
from disentangle.runs.scores import read_scores
from disentangle.score_tables.build import make_tables
from disentangle.scoring.baselines import baselines, read_baselines
from disentangle.scoring.codes import RunSource
from disentangle.scoring.controls import CONTROLS, LATENTS, BaselineContext
from disentangle.scoring.score_runs import score

pytestmark = pytest.mark.usefixtures("strangers")
METRICS = ["mig:samples=75", "beta-vae-score:train=200,test=100,pairs=8"]
EVERY = np.arange(75)


def made(name, dataset="tiny", seed=0):
    data = load_dataset(dataset)
    return CONTROLS[name](BaselineContext(data, seed, "cpu", lambda done, total: None, False))


def test_oracle_is_the_factors_each_standardised():
    codes = made("oracle").codes(EVERY)
    assert codes.shape == (75, 3)
    assert np.allclose(codes.mean(0), 0)
    assert np.allclose(codes.std(0), 1)
    assert np.allclose(
        np.corrcoef(codes.T, load_dataset("tiny").labels(EVERY).T)[:3, 3:], np.eye(3)
    )


def test_rotation_keeps_distances_and_is_a_rotation_for_each_seed():
    oracle, turned = made("oracle").codes(EVERY), made("rotation").codes(EVERY)
    assert np.allclose(np.linalg.norm(oracle, axis=1), np.linalg.norm(turned, axis=1))
    assert not np.allclose(turned, made("rotation", seed=1).codes(EVERY))


def test_pixels_are_the_images():
    source = made("pixels")
    images = load_dataset("tiny").images(EVERY).numpy()
    assert source.latents == 4096
    assert (source.codes(EVERY) == images.reshape(75, -1) / 255).all()


def test_pca_has_uncorrelated_codes_of_falling_variance():
    covariance = np.cov(made("pca").codes(EVERY).T)
    variances = np.diag(covariance)
    assert covariance.shape == (LATENTS, LATENTS)
    assert (np.diff(variances) <= 1e-6).all()
    assert np.allclose(covariance, np.diag(variances), atol=1e-4 * variances[0])


def test_ica_has_uncorrelated_codes_of_one_variance():
    covariance = np.cov(made("ica").codes(EVERY).T)
    assert np.allclose(covariance, np.eye(LATENTS), atol=0.05)


def test_untrained_and_noise_have_ten_latents():
    for name in ("untrained", "noise"):
        source = made(name)
        assert source.latents == LATENTS
        assert source.codes(EVERY).shape == (75, LATENTS)
        assert (source.codes(EVERY) == made(name).codes(EVERY)).all()


def test_oracle_comes_first_and_noise_last(tmp_path):
    found = baselines("tiny", METRICS, results=tmp_path, device="cpu")
    assert list(found) == list(CONTROLS)
    for name in ("mig", "beta-vae-score"):
        scores = {k: v[name] for k, v in found.items() if name in v}
        assert max(scores, key=scores.get) == "oracle"
        assert scores["oracle"] > 0.75
    refused = found["pixels"].unavailable["mig"]
    assert refused == "4096 latents exceed the maximum of 2048"  # which no option reduces


def test_scored_baselines_are_not_scored_again(tmp_path, monkeypatch):
    first = baselines("tiny", METRICS[:1], only=["pca"], results=tmp_path, device="cpu")
    monkeypatch.setitem(CONTROLS, "pca", None)
    assert baselines("tiny", METRICS[:1], only=["pca"], results=tmp_path, device="cpu") == first


def test_images_without_labels_have_no_oracle(tmp_path):
    found = baselines("tiny-photos", ["total-correlation"], results=tmp_path, device="cpu")
    assert "has no labels" in found["oracle"].unavailable["total-correlation"]
    assert "total-correlation/wasserstein" in found["noise"]


def test_unknown_baseline_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no baseline 'orcale'; did you mean 'oracle'"):
        baselines("tiny", only=["orcale"], results=tmp_path)


def test_disjoint_protocol_has_baselines_too(tmp_path):
    found = baselines("tiny", METRICS[1:], only=["oracle"], protocol="disjoint", results=tmp_path)
    assert found["oracle"]["beta-vae-score"] > 0.5
    assert "have no posterior" in found["oracle"].unavailable["beta-vae-score (sample)"]


@pytest.fixture
def scored(run, tmp_path):
    score(run, METRICS)
    baselines("tiny", METRICS, results=tmp_path, device="cpu")
    return run, read_baselines(tmp_path)


def test_table_puts_the_oracle_above_the_models_and_the_others_below(scored):
    run, controls = scored
    (table,) = make_tables([run], controls)
    names = [row.model for row in table.rows]
    assert names == ["oracle", "beta-vae", "rotation", "pca", "ica", "untrained", "pixels", "noise"]
    assert "Baselines: oracle, rotation, pca, ica, untrained, pixels, noise." in table.caption
    assert [row[3] for row in texts(table)] == ["", "5", "", "", "", "", "", ""]


def test_corrected_columns_are_0_for_noise_and_1_for_the_oracle(scored):
    run, controls = scored
    (table,) = make_tables([run], controls, corrected=True)
    heads = list(table.columns.values())
    vae = "beta-vae-score [pairs=8, test=100, train=200]"
    assert heads == [vae, f"{vae}, corrected", "mig [samples=75]", "mig [samples=75], corrected"]
    by_name = {row[0].removesuffix(" (collapsed)"): row for row in texts(table)}
    assert (by_name["oracle"][-1], by_name["noise"][-1]) == ("1.000", "0.000")
    plain, noise, oracle = (float(by_name[n][-2]) for n in ("beta-vae", "noise", "oracle"))
    corrected = float(by_name["beta-vae"][-1])
    assert corrected == pytest.approx((plain - noise) / (oracle - noise), abs=0.01)


def test_score_whose_oracle_does_not_come_first_flags_itself(scored):
    run, controls = scored
    kept = [
        s.model_copy(update={"value": 2.0}) if s.metric == "mig" else s for s in read_scores(run)
    ]
    (run.path / "scores.json").write_text(ScoreFile(scores=tuple(kept)).model_dump_json())
    (table,) = make_tables([run], controls)
    assert "Caution: mig [samples=75] ranks the oracle" in table.caption
    assert "below beta-vae (2.000)" in table.caption
    assert "Caution: beta-vae-score [pairs=8, test=100, train=200] ranks the" not in table.caption


def test_score_of_which_noise_has_more_than_a_model_flags_itself(scored):
    run, controls = scored
    kept = [s.model_copy(update={"value": -1.0}) for s in read_scores(run) if s.metric == "mig"]
    (run.path / "scores.json").write_text(ScoreFile(scores=tuple(kept)).model_dump_json())
    (table,) = make_tables([run], controls)
    assert "above beta-vae (-1.000)" in table.caption


def test_baselines_of_other_protocols_stand_in_no_column(scored):
    run, controls = scored
    (run.path / "scores.json").unlink()
    score(run, ["mig:samples=60"])
    (table,) = make_tables([run], controls)
    assert [row.model for row in table.rows] == ["beta-vae"]


def test_time_is_told_before_all_metrics_are_taken(run):
    source = RunSource(run)
    assert source.seconds_to_encode() == 0  # 75 images are too few to try some
