"""Scores of several splits of a run by one command."""

import json

import pytest

from disentangle.runs.scores import read_scores
from disentangle.scoring.measure import ScoreMapping
from disentangle.training.train import train


@pytest.fixture
def held(strangers, tmp_path):
    """A run on the dataset `tiny` with a share of held-out images."""
    options = {"steps": 2, "batch_size": 8, "figures": False, "device": "cpu"}
    return train("vae", "tiny", hold_out=["0.4"], results=tmp_path / "results", **options)


def test_each_split_is_scored_and_shown_by_its_name(held, command):
    words = ["score", "--metric", "mig:samples=50", "--results", "results"]
    code, _, err = command(*words, "--split", "train,test")
    assert code == 0, err
    assert [s.view["split"] for s in read_scores(held)] == ["train", "test"]
    assert "mig [split=train] 0." in err
    assert "mig [split=test] 0." in err
    code, out, _ = command(*words, "--split", "train, test,train", "--json")
    assert code == 0
    (scores,) = json.loads(out).values()
    kept = {f"mig [split={s.view['split']}]": s.value for s in read_scores(held)}
    assert scores["scores"] == kept
    assert len(kept) == 2


def test_one_split_has_no_name(held, command):
    code, _, err = command(
        *("score", "--metric", "mig:samples=50", "--split", "train", "--results", "results")
    )
    assert code == 0, err
    assert "mig 0." in err


def test_names_hold_settings_and_splits(held, command):
    metrics = ["--metric", "mig:samples=50", "--metric", "mig:samples=50,bins=5"]
    command("score", *metrics, "--split", "train,all", "--results", "results")
    assert set(ScoreMapping(read_scores(held))) == {
        "mig [samples=50, split=train]",
        "mig [samples=50, split=all]",
        "mig [bins=5, samples=50, split=train]",
        "mig [bins=5, samples=50, split=all]",
    }


def test_several_splits_of_an_encoder_are_refused(command, tmp_path):
    (tmp_path / "codes.npy").write_bytes(b"")
    code, _, err = command("score", "--codes", "codes.npy", "--split", "train,test")
    assert (code, "several splits are for runs" in err) == (2, True), err
