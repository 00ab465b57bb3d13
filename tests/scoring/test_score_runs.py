"""Scoring: each image encoded once, each row used once, each number with its meaning."""

import json
import warnings

import numpy as np
import pytest
import torch

from disentangle.contracts.external_encoder import ExternalEncoder
from disentangle.data.loading import load_dataset
from disentangle.errors import (
    DisentangleError,
    InputWarning,
    Unavailable,
    UnavailableWarning,
    UsageError,
)
from disentangle.runs.score_records import ScoreFile
from disentangle.runs.scores import read_scores
from disentangle.scoring.arrays import array_source
from disentangle.scoring.baselines import score_baselines
from disentangle.scoring.codes import RunSource
from disentangle.scoring.metric_spec import MetricSpec, choose, is_default
from disentangle.scoring.request import ScoringRequest
from disentangle.scoring.score_external import score_arrays, score_codes, score_function
from disentangle.scoring.score_runs import score, time_needed
from disentangle.training.train import train

DEFAULT = {"beta-vae-score", "factor-vae-score", "mig", "modularity", "sap"}
DEPENDENT = {
    *("downstream", "explicitness", "fid", "minimality", "reconstruction", "sufficiency", "tad")
}
QUICK = "beta-vae-score:train=60,test=30,pairs=4"


def factors(seed=0, n=400):
    return np.random.default_rng(seed).integers(0, (3, 4, 5), (n, 3))


def test_scores_are_returned_by_name(run):
    scores = score(run, ["mig:bins=10,samples=50", QUICK])
    assert set(scores) == {"mig", "beta-vae-score"}
    assert all(0 <= value <= 1 for value in scores.values())


def test_discrete_code_of_a_run_is_counted_from_the_cache_too(strangers, tmp_path, monkeypatch):
    run = train("qlae", "tiny", steps=1, results=tmp_path)
    first = score(run, ["infomec", "mig"])
    monkeypatch.setattr(type(run), "code", None)  # from now on every code is cached
    again = score(run, ["infomec", "infomec:codes=integer", "infomec:codes=real"], seed=1)
    columns = {r.name: r.key.knobs for r in first.records}
    assert columns["infomec/infoe"] == (("codes", "integer"),)
    assert columns["mig"] == ()
    infoe = [r for r in again.records if r.name == "infomec/infoe"]
    assert [dict(r.key.knobs)["codes"] for r in infoe] == ["integer", "integer", "real"]
    assert infoe[0].value == infoe[1].value
    assert infoe[0].settings["codes"] == "auto"


def test_score_is_kept_with_all_that_makes_it_comparable(run):
    value = score(run, ["mig:bins=10,samples=50"])["mig"]
    (kept,) = read_scores(run)
    assert (kept.name, kept.value) == ("mig", value)
    assert kept.knobs == {"bins": 10, "samples": 50}
    assert kept.protocol == "locatello2019"
    assert kept.representation == "mean"
    assert kept.factors == ("side", "x", "y")
    assert kept.fingerprint == run.dataset.fingerprint
    assert kept.weights == run.record.weights
    assert "scikit-learn" in kept.packages


def test_second_score_encodes_nothing_and_says_the_same(run, monkeypatch):
    monkeypatch.setenv("DISENTANGLE_CACHE", str(run.path / "cache"))
    calls = []
    first = score(run, ["mig", QUICK], progress=lambda *a: calls.append(a))
    assert calls
    file = (run.path / "scores.json").read_text()
    calls.clear()
    assert score(run, ["mig", QUICK], progress=lambda *a: calls.append(a)) == first
    assert (run.path / "scores.json").read_text() == file
    (run.path / "scores.json").unlink()
    assert score(run, ["mig", QUICK], progress=lambda *a: calls.append(a)) == first
    assert calls == []


def test_each_image_is_encoded_at_most_once(run, monkeypatch):
    seen = []
    images = type(run.dataset).images

    def counting(self, index):
        seen.extend(np.asarray(index).tolist())
        return images(self, index)

    monkeypatch.setattr(type(run.dataset), "images", counting)
    monkeypatch.setenv("DISENTANGLE_CACHE", str(run.path / "cache"))
    score(run, ["mig", QUICK])
    assert len(seen) == len(set(seen)) == 75


def test_damaged_code_cache_is_only_a_cache_lost(run, monkeypatch):
    monkeypatch.setenv("DISENTANGLE_CACHE", str(run.path / "cache"))
    first = score(run, ["mig"])
    for file in (run.path / "cache").rglob("*.npz"):
        file.write_bytes(file.read_bytes()[:200])
    (run.path / "scores.json").unlink()
    assert score(run, ["mig"]) == first


def test_cache_that_cannot_be_written_costs_no_score(run, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DISENTANGLE_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="cannot cache codes"):
        assert set(score(run, ["mig"])) == {"mig"}
    assert read_scores(run)


def test_other_knobs_or_seed_are_other_scores(run):
    for metrics, seed in ((["mig"], 0), (["mig:bins=5"], 0), (["mig"], 1), (["mig"], 0)):
        score(run, metrics, seed=seed)
    assert len(read_scores(run)) == 3


def test_score_of_new_weights_is_computed_anew(run):
    score(run, ["spread"])
    kept = read_scores(run)[0].model_copy(update={"weights": "0" * 64, "value": 9.0})
    file = ScoreFile(scores=(kept,))
    (run.path / "scores.json").write_text(file.model_dump_json())
    assert score(run, ["spread"])["spread"] != 9.0


def test_metric_that_needs_labels_is_unavailable_without_them(strangers, tmp_path):
    options = {"steps": 2, "batch_size": 8, "figures": False, "device": "cpu"}
    run = train("vae", "tiny-photos", results=tmp_path, **options)
    found = score(run, ["mig", "spread"])
    assert set(found) == {"spread"}
    assert found.unavailable == {
        "mig": "needs a dataset that is labelled, but 'tiny-photos' is only images"
    }
    assert {s.name: s.value for s in read_scores(run)}["mig"] is None


def test_failing_metric_is_named_and_the_others_are_kept(run):
    with pytest.raises(DisentangleError, match=r"'failing' of strangers 3\.1 failed: ZeroDivision"):
        score(run, ["failing", "spread"])
    assert [s.name for s in read_scores(run)] == ["spread"]


def test_default_metrics_are_those_that_say_so(run):
    assert {chosen.name for chosen in choose(None)} == DEFAULT


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mgi", "no metric 'mgi'; did you mean 'mig'"),
        ("mig:bin=4", "metric 'mig' has no hyper-parameter 'bin'; did you mean 'bins'"),
        ("mig:bins=1", "bins must be a whole number, at least 2; got 1"),
        ("mig:bins=few", "got 'few'"),
    ],
)
def test_bad_metric_is_refused_before_any_work(run, spec, message):
    with pytest.raises(UsageError) as caught:
        score(run, [spec])
    assert message in str(caught.value)


def test_unfinished_run_is_not_scored(run):
    run.save_record(finished=None)
    with pytest.raises(DisentangleError, match=r"Run `disentangle resume .*` first"):
        score(run, ["mig"])


def test_edited_scores_are_refused_with_the_field(run):
    score(run, ["spread"])
    file = run.path / "scores.json"
    scores = json.loads(file.read_text())
    scores["scores"][0]["value"] = "high"
    file.write_text(json.dumps(scores))
    with pytest.raises(DisentangleError, match=r"scores\.0\.value"):
        read_scores(run)


def test_posterior_is_the_models(run):
    source = RunSource(run)
    mean, scale = source.posterior(np.array([3, 3, 9]))
    code = run.code(run.dataset.images([3, 3, 9]))
    np.testing.assert_allclose(mean, code.mean, atol=1e-6)
    np.testing.assert_allclose(scale, code.scale, atol=1e-6)


def test_oracle_is_above_noise():
    v = factors()
    noise = np.random.default_rng(1).normal(size=(len(v), 6))
    oracle, chance = score_codes(v.astype(float), v), score_codes(noise, v)
    assert set(oracle) == DEFAULT
    assert all(oracle[name] > chance[name] + 0.2 for name in oracle)


def test_rows_are_used_exactly_once_when_no_more_than_asked_for():
    v = factors()
    z, y, _, _ = array_source(v.astype(float), v).train_test(10_000, 0, np.random.default_rng(0))
    assert (z == v).all()
    assert (y == v).all()


def test_rows_are_dealt_out_to_train_and_test_once_each():
    v = factors()
    numbered = np.arange(len(v), dtype=float)[:, None]
    source = array_source(numbered, v)
    z, _, test_z, _ = source.train_test(10_000, 5_000, np.random.default_rng(0))
    assert sorted([*z[:, 0], *test_z[:, 0]]) == list(range(len(v)))
    assert len(test_z) == pytest.approx(len(v) / 3, abs=1)


def test_more_rows_than_asked_for_are_sampled_without_repeats():
    v = factors()
    source = array_source(np.arange(len(v), dtype=float)[:, None], v)
    z, _, test_z, _ = source.train_test(50, 20, np.random.default_rng(0))
    assert (len(z), len(test_z)) == (50, 20)
    assert len({*z[:, 0], *test_z[:, 0]}) == 70


def test_test_arrays_are_the_test_set():
    v, w = factors(), factors(1, 30)
    source = array_source(v.astype(float), v, w.astype(float), w)
    z, _, test_z, test_y = source.train_test(10_000, 5_000, np.random.default_rng(0))
    assert (z == v).all()
    assert (test_z == w).all()
    assert (test_y == w).all()


def test_knobs_tell_scores_of_one_metric_apart():
    z, v = factors() + 0.1, factors()
    found = score_codes(z, v, metrics=["mig", "mig:bins=5", "mig:samples=50"])
    assert set(found) == {"mig", "mig [bins=5]", "mig [samples=50]"}
    assert set(score_codes(z, v, metrics=["mig:bins=5"])) == {"mig"}


def test_numpy_seed_is_the_same_seed():
    z, v = factors() + 0.1, factors()
    options = {"metrics": [QUICK]}
    assert score_codes(z, v, seed=np.int64(3), **options) == score_codes(z, v, seed=3, **options)


def test_scores_depend_on_the_seed_alone():
    v = factors()
    z = v + np.random.default_rng(2).normal(size=v.shape)
    spec = ["beta-vae-score:train=200,test=200,pairs=2"]
    np.random.seed(1)  # noqa: NPY002
    first = score_codes(z, v, metrics=spec, seed=3)
    np.random.seed(2)  # noqa: NPY002
    assert score_codes(z, v, metrics=spec, seed=3) == first
    assert score_codes(z, v, metrics=spec, seed=4) != first


class AllOfDsprites:
    """A source of as many images as dSprites has, all encoded."""

    latents = 10

    def __len__(self):
        return 737_280

    def seconds_to_encode(self):
        return 0.0


def test_long_scores_are_announced_with_what_takes_less(run, monkeypatch):
    said = []
    score(run, ["elbo", "mig"], say=said.append)
    assert not said
    monkeypatch.setattr("disentangle.scoring.score_runs.LONG", 0.01)
    score(run, ["elbo"], seed=1, say=said.append)
    assert said[0].startswith("1 metric: at most 0 s to encode the images")
    requests = ScoringRequest.of(["elbo"]).scores_of(run.record.dataset, "weights")
    assert time_needed(requests, AllOfDsprites()) == (
        "1 metric: at most 0 s to encode the images, then about 6 min on two cores; "
        "`--metric elbo:samples=10000` takes about 5 s"
    )


@pytest.mark.parametrize(
    ("n", "spec", "rows"),
    [(7, "mcc", 7), (2, "irs", 2), (400, "mcc:samples=5", 5), (60, "sap", 20)],
)
def test_few_rows_are_warned_of_by_their_number(n, spec, rows):
    v = factors(n=n)
    with pytest.warns(InputWarning, match=f"computed from only {rows} rows of codes"):
        score_codes(np.random.default_rng(1).normal(size=v.shape), v, metrics=[spec])


def test_enough_rows_are_not_warned_of():
    v = factors()
    with warnings.catch_warnings(record=True, category=InputWarning) as issued:
        warnings.simplefilter("always")
        score_codes(v + 0.5, v, metrics=["mcc", "sap"])
    assert not issued


def test_values_of_factors_may_be_any_discrete_ones():
    v = factors()
    z = v + 0.1 * np.random.default_rng(2).normal(size=v.shape)
    assert score_codes(z, v * 10.5 - 3, metrics=["mig"]) == score_codes(z, v, metrics=["mig"])


def test_constant_factor_is_left_out():
    v = factors()
    z = v.astype(float)
    with_constant = np.hstack([v, np.ones((len(v), 1), int)])
    assert score_codes(z, with_constant, metrics=["mig"]) == score_codes(z, v, metrics=["mig"])


def test_failing_metric_costs_the_others_nothing(strangers):
    v = factors()
    with pytest.warns(UnavailableWarning, match="ZeroDivisionError"):
        found = score_codes(v.astype(float), v, metrics=["failing", "mig"])
    assert set(found) == {"mig"}


def test_torch_tensors_and_arrays_of_names_are_taken():
    v = factors()
    z = torch.tensor(v, dtype=torch.float32, requires_grad=True)
    names = np.array(["a", "b", "c"])
    found = score_codes(z, torch.tensor(v), metrics=["mig"], names=names)
    assert found == score_codes(v.astype(float), v, metrics=["mig"])


def test_one_row_cannot_serve_to_fit_and_to_test():
    source = array_source(np.zeros((1, 2)), np.zeros((1, 1), int))
    with pytest.raises(Unavailable, match="1 rows are too few"):
        source.train_test(10, 5, np.random.default_rng(0))


def test_unavailable_score_is_left_out_with_a_warning_and_a_reason():
    v = factors()[:, :1]
    with pytest.warns(UnavailableWarning, match="needs at least two factors"):
        found = score_codes(v.astype(float), v, metrics=["mig", "beta-vae-score"])
    assert set(found) == {"mig"}
    assert "two factors" in found.unavailable["beta-vae-score"]


@pytest.mark.parametrize(
    ("z", "v", "message"),
    [
        (np.zeros(5), np.zeros((5, 1), int), r"codes must have shape .*, got \[5\]"),
        (np.zeros((0, 2)), np.zeros((0, 1), int), "codes must have shape"),
        (np.zeros((5, 2)), np.zeros((4, 1), int), "factors must have 5 rows, .*got 4"),
        (np.zeros((5, 2)), np.zeros(5, int), r"factors must have shape \[N, K\], got \[5\]"),
        (np.array([[0.0], [np.nan]]), np.zeros((2, 1), int), "not finite in 1 rows, .* 1"),
        (np.zeros((60, 2)), np.array([f"{i}a" for i in range(60)])[:, None], "too few rows"),
        (np.zeros((5, 2)), np.full((5, 1), np.nan), "expected finite numbers or text, got nan"),
        (np.array([["a"]]), np.zeros((1, 1), int), "codes must be numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(z, v, message):
    with pytest.raises(UsageError, match=message):
        score_codes(z, v, metrics=["mig"])


@pytest.mark.parametrize(
    "z",
    [
        np.zeros((400, 3)),
        np.ones((400, 1)),
        np.random.default_rng(0).normal(size=(400, 40)) * 1e12,
        np.repeat(np.arange(400.0)[:, None], 2, axis=1),
    ],
    ids=["constant", "one constant", "huge", "equal"],
)
def test_odd_codes_get_a_finite_score_or_a_reason(z):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnavailableWarning)
        found = score_codes(z, factors(), metrics=["mig", QUICK])
    assert set(found) | set(found.unavailable) == {"mig", "beta-vae-score"}
    assert all(np.isfinite(value) for value in found.values())


def make_dependent():
    """Return images with a split of their own and factors that depend on one another."""

    class Dependent(type(load_dataset("tiny"))):
        train_split, test_split = "train", "test"
        dependence = "side goes with x"

        @property
        def splits(self):
            every = np.arange(len(self))
            return {"all": every, "train": every[every % 3 > 0], "test": every[every % 3 == 0]}

    return Dependent()


@pytest.fixture
def dependent(strangers, tmp_path):
    options = {"steps": 2, "batch_size": 8, "figures": False, "device": "cpu"}
    return train("vae", make_dependent(), results=tmp_path, **options)


def test_dataset_with_splits_is_trained_on_one_and_scored_on_the_other(dependent):
    assert dependent.record.dataset.view == {"split": "train"}
    score(dependent, ["mig:samples=50"])
    (kept,) = read_scores(dependent)
    assert kept.view == {"split": "test"}
    score(dependent, ["mig:samples=50"], split="all")
    assert [s.view for s in read_scores(dependent)] == [{"split": "test"}, {"split": "all"}]


def test_all_images_are_trained_on_only_if_asked_for(strangers, tmp_path):
    options = {"steps": 2, "batch_size": 8, "figures": False, "device": "cpu"}
    run = train("vae", make_dependent(), split="all", results=tmp_path, **options)
    assert run.record.dataset.view == {"split": "all"}
    assert len(run.dataset) == 75
    assert len(train("vae", make_dependent(), results=tmp_path, **options).dataset) == 50


def test_metrics_of_independent_factors_say_why_not_and_run_if_named(dependent):
    with pytest.raises(Unavailable, match="assumes independent factors, but side goes with x"):
        MetricSpec("mig", named=False).scores(RunSource(dependent), 0)
    assert set(score(dependent, ["mig"])) == {"mig"}


def test_default_metrics_of_dependent_factors_are_others_and_named_in_a_line(dependent):
    lines = []
    found = score(dependent, say=lines.append)
    computed = {name.partition("/")[0] for name in [*found, *found.unavailable]}
    assert computed == DEPENDENT
    assert not DEFAULT & computed
    names = ", ".join(sorted(DEPENDENT))
    (line,) = [line for line in lines if "default" in line]
    assert line.endswith(f": the default metrics are {names}, because side goes with x")
    lines.clear()
    assert score(dependent, say=lines.append) == found
    assert lines == []
    score(dependent, ["mig"], say=lines.append)
    assert lines == []


def test_a_protocol_that_names_metrics_has_no_other_defaults(dependent, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('about = "mine"\nmetrics = ["mig"]')
    lines = []
    assert set(score(dependent, protocol=file, say=lines.append)) == {"mig"}
    assert lines == []


def test_default_metrics_of_attributes_without_a_grid_are_those_of_dependent_factors():
    v = np.random.default_rng(0).integers(0, 2, (200, 3))
    lines, request = [], ScoringRequest()
    found = score_arrays(request, v.astype(float), v, say=lines.append)
    assert {name.partition("/")[0] for name in [*found, *found.unavailable]} == DEPENDENT
    (line,) = lines
    assert line.endswith("because all factors have two values")
    assert set(score_arrays(request, v.astype(float), v + [0, 0, 1] * (v[:, :1] + 1))) == DEFAULT


def test_default_metrics_of_an_encoder_and_of_baselines_are_said_too(strangers, tmp_path):
    data, lines = make_dependent(), []
    fast = tmp_path / "fast.toml"
    fast.write_text('about = "ours"\n[knobs.downstream]\nlabels = 100\n')
    request = ScoringRequest(metrics=None, split="all", protocol=str(fast))
    score_function(
        ExternalEncoder(lambda x: x.flatten(1)[:, ::500], {"reference": "pixels"}),
        data,
        request,
        say=lines.append,
    )
    assert len([line for line in lines if "default" in line]) == 1
    lines.clear()
    score_baselines(data, request, only=["noise", "oracle"], results=tmp_path, say=lines.append)
    assert len([line for line in lines if "default" in line]) == 1


def test_another_authors_default_metric_is_left_out_only_if_it_assumes_independence():
    class Mine:
        by_default, by_default_if_dependent, assumes_independence = True, False, False

    assert is_default(Mine, dependent=True, real=False)
    assert is_default(Mine, dependent=False, real=False)
    Mine.assumes_independence = True
    assert not is_default(Mine, dependent=True, real=False)


@pytest.mark.parametrize(("assumes", "dependent"), [(True, True), (True, False), (False, True)])
def test_default_metric_for_real_numbers_is_left_out_only_if_it_assumes_independence(
    assumes, dependent
):
    class Mine:
        by_default, by_default_if_dependent, by_default_if_real = False, False, True
        assumes_independence = assumes

    assert is_default(Mine, dependent=dependent, real=True) == (not (assumes and dependent))
    assert not is_default(Mine, dependent=dependent, real=False)


def test_factors_are_chosen_and_part_of_what_a_score_is(run):
    score(run, ["mig:samples=50"], factors=["x", "y"])
    score(run, ["mig:samples=50"])
    kept = read_scores(run)
    assert [s.factors for s in kept] == [("x", "y"), ("side", "x", "y")]
    assert len({s.key for s in kept}) == 2


def test_views_share_what_was_encoded(run, monkeypatch):
    monkeypatch.setenv("DISENTANGLE_CACHE", str(run.path / "cache"))
    score(run, ["mig:samples=2000"])
    encoded = []
    hold_out = ["side=0,x=0", "side=2"]
    views = [run.dataset.view(hold_out=spec, split="test") for spec in (hold_out, hold_out[1:])]
    for view in views:
        score(run, ["mig:samples=50"], dataset=view, progress=lambda *a: encoded.append(a))
    assert encoded == []
    for view in views:
        index = np.arange(len(view))
        direct = run.encode(view.images(index)).numpy()
        assert np.allclose(RunSource(run, view).codes(index), direct, atol=1e-5)


@pytest.mark.parametrize("scale", [1e120, 1e-120])
def test_codes_that_cannot_be_squared_are_refused(scale):
    with pytest.raises(UsageError, match="rescale them"):
        score_codes((factors() + 0.1) * scale, factors(), metrics=["mig"])


def test_complex_codes_are_refused():
    with pytest.raises(UsageError, match="got complex numbers"):
        score_codes(factors() + 0.1j, factors(), metrics=["mig"])


def test_kept_score_without_a_knob_that_was_added_later_is_not_computed_again(run):
    (value,) = score(run, ["mig"]).values()
    (kept,) = read_scores(run)
    older = {name: v for name, v in kept.settings.items() if name != "factor_bins"}
    edited = kept.model_copy(update={"settings": older, "value": 0.5})
    (run.path / "scores.json").write_text(ScoreFile(scores=(edited,)).model_dump_json())
    assert score(run, ["mig"]) == {"mig": 0.5} != {"mig": value}
