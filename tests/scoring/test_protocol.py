"""Protocols: data files that say how scores are taken, kept apart in every record and table."""

import warnings

import numpy as np
import pytest
from helpers.golden_metrics import Coded, identity

from disentangle.contracts.source import Part, Sampled
from disentangle.errors import DisentangleError, UnavailableWarning, UsageError
from disentangle.runs.scores import read_scores
from disentangle.score_tables.build import make_tables
from disentangle.scoring.metric_spec import choose
from disentangle.scoring.protocol import known_protocols, load_protocol
from disentangle.scoring.score_external import score_codes
from disentangle.scoring.score_runs import score
from disentangle.training.train import train

OPTIONS = {"steps": 3, "batch_size": 8, "figures": False, "device": "cpu"}
QUICK = ["mig:samples=50", "sap:train=40,test=20"]


def test_built_in_protocols_are_the_references_and_the_strict_one():
    known = known_protocols()
    assert set(known) == {"disjoint", "locatello2019"}
    assert not known["locatello2019"].disjoint
    assert known["disjoint"].representations == ("mean", "sample")
    assert load_protocol() == known["locatello2019"]


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('about = "ours"\nmetrics = ["mig"]\n[knobs.mig]\nbins = 7\nsamples = 40\n')
    return path


def test_protocol_of_ones_own_chooses_metrics_and_knobs(run, mine):
    score(run, protocol=mine)
    (kept,) = read_scores(run)
    assert kept.settings == {"bins": 7, "samples": 40, "factor_bins": 20, "information": "bins"}
    assert kept.protocol.startswith("mine@")
    score(run, ["mig:bins=9"], protocol=mine)
    assert read_scores(run)[1].settings == {
        "bins": 9,
        "samples": 40,
        "factor_bins": 20,
        "information": "bins",
    }


def test_protocol_may_begin_with_a_byte_order_mark(mine):
    mine.write_text(mine.read_text(), encoding="utf-8-sig")
    assert load_protocol(str(mine)).about == "ours"


def test_edited_protocol_is_another_column(run, mine):
    score(run, protocol=mine)
    mine.write_text(mine.read_text().replace("ours", "ours again"))
    score(run, protocol=mine)
    score(run, ["mig:bins=7,samples=40"])
    (table,) = make_tables([run])
    assert len(table.columns) == 3
    assert all("mine@" in h or "locatello2019" in h for h in table.columns.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("about = ", "invalid protocol"),
        ('about = "a"\npoints = "some"', "points"),
        ('about = "a"\nseed = 3', "seed"),
        ('name = "b"\nabout = "a"', "invalid protocol"),
        ('about = "a"\n[knobs.migg]\nbins = 3', "no metric 'migg'; did you mean 'mig'"),
        ('about = "a"\n[knobs.mig]\nbuns = 3', "no hyper-parameter 'buns'"),
    ],
)
def test_wrong_protocol_is_named(tmp_path, text, message):
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(DisentangleError, match=message):
        choose(None, load_protocol(path))


def test_unknown_protocol_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="no protocol 'disjont'; did you mean 'disjoint'"):
        load_protocol("disjont")
    with pytest.raises(DisentangleError, match="No such file"):
        load_protocol("absent.toml")


def test_disjoint_points_share_no_image():
    source = Coded(identity, {"a": 4, "b": 5, "c": 6})
    source.disjoint = True
    fit, test = source.fit_test(2, 1, np.random.default_rng(0))
    assert (len(fit), len(test)) == (80, 40)
    assert not set(fit.index) & set(test.index)
    assert set(fit.index) | set(test.index) == set(range(120))
    z, y, z2, y2 = source.train_test(60, 30, np.random.default_rng(0))
    rows = [tuple(row) for row in np.vstack([y, y2])]
    assert len(rows) == len(set(rows)) == 90
    assert source.overlap == 0
    assert (z.shape, z2.shape) == ((60, 3), (30, 3))


def test_part_knows_its_own_labels_codes_and_neighbours():
    source = Coded(identity, {"a": 4, "b": 5, "c": 6})
    index = np.arange(0, 120, 7)
    part = Part(source, index)
    place = np.arange(len(index))
    assert (part.codes(place) == source.codes(index)).all()
    assert (part.labels(place) == source.labels(index)).all()
    shared = part.sharing("a", place, np.random.default_rng(0))
    assert (part.labels(shared)[:, 0] == part.labels(place)[:, 0]).all()


def test_parts_score_the_same_factors_even_where_one_does_not_vary():
    labels = np.random.default_rng(0).integers(0, (2, 3, 4), (300, 3))
    labels[:, 0] = 0
    labels[:2, 0] = 1  # so that one part at least has a single value
    z = labels + 0.01 * np.random.default_rng(1).normal(size=labels.shape)
    for seed in range(6):
        metrics = ["beta-vae-score:train=60,test=40", "factor-vae-score:train=60,test=40", "sap"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnavailableWarning)  # arrays have no posterior
            found = score_codes(z, labels, protocol="disjoint", metrics=metrics, seed=seed)
        assert {"factor-vae-score", "sap"} <= set(found)
        assert all(0 <= value <= 1 for value in found.values())
        assert "failed" not in str(found.unavailable)


def test_reference_protocol_tells_how_many_test_images_were_fitted_on():
    source = Coded(identity, {"a": 4, "b": 5, "c": 6})
    source.train_test(120, 5000, np.random.default_rng(0))
    assert source.overlap == pytest.approx(1 - np.exp(-1), abs=0.08)


def test_disjoint_needs_images_that_were_not_trained_on(run):
    found = score(run, QUICK, protocol="disjoint")
    assert not found
    assert "for example --hold-out 0.2" in found.unavailable["mig"]


def test_disjoint_scores_what_was_held_out_by_means_and_by_samples(strangers, tmp_path):
    run = train("beta-vae", "tiny", hold_out=["0.4"], results=tmp_path, **OPTIONS)
    found = score(run, [*QUICK, "reconstruction:samples=9"], protocol="disjoint")
    both = {"mig", "sap"}
    assert {name for name in found if not name.startswith("reconstruction/")} == both | {
        f"{name} (sample)" for name in both
    }
    assert len([name for name in found if name.startswith("reconstruction/")]) == 3
    assert {s.representation for s in read_scores(run)} == {"mean", "sample"}
    assert score(run, QUICK, protocol="disjoint", split="train").unavailable


def test_sampled_codes_are_the_posteriors_and_always_the_same(run):
    from disentangle.scoring.codes import RunSource

    base = RunSource(run)
    index = np.arange(len(run.dataset))
    z = Sampled(base, 3).codes(index)
    mean, scale = base.posterior(index)
    assert (z == Sampled(base, 3).codes(index)).all()
    assert (z != Sampled(base, 4).codes(index)).any()
    standard = (z - mean) / scale
    assert abs(standard.mean()) < 0.15
    assert standard.std() == pytest.approx(1, abs=0.1)
    assert (Sampled(base, 3).codes(index[5:8]) == z[5:8]).all()


def test_all_metrics_are_tried_and_each_gives_a_score_or_a_reason(strangers):
    chosen = {metric.name: metric for metric in choose(["mig:bins=5", "all"])}
    assert {"mig", "sap", "elbo", "spread"} <= set(chosen)
    assert chosen["mig"].named
    assert not chosen["sap"].named
    assert chosen["mig"].settings["bins"] == 5
