"""The verb `train_seeds`: the runs of several seeds from Python."""

import json

import numpy as np
import pytest

import disentangle
from disentangle.contracts.model import Model
from disentangle.errors import DisentangleError, OutOfTime, UsageError
from disentangle.runs.labels import read_label
from disentangle.studies import train_seeds as module
from disentangle.studies.executor import executor_of

pytestmark = pytest.mark.usefixtures("strangers")
OPTIONS = {"steps": 5, "batch_size": 8, "device": "cpu", "figures": False}


@pytest.fixture
def train_seeds(tmp_path, monkeypatch):
    """The verb in a folder of its own; it trains in this process, and fails after `most` runs."""
    monkeypatch.chdir(tmp_path)

    def run(*args, most=100, **options):
        inline = executor_of("inline", {"most": most})
        monkeypatch.setattr(module, "executor_for", lambda *asked: inline)
        return disentangle.train_seeds(*args, **{**OPTIONS, **options})

    return run


def test_runs_are_those_of_train_in_the_order_of_the_seeds(train_seeds):
    runs = train_seeds("beta-vae", "tiny", (3, 0), beta=2.0)
    assert [run.record.seed for run in runs] == [3, 0]
    assert all(run.finished for run in runs)
    single = disentangle.train("beta-vae", "tiny", seed=3, beta=2.0, **OPTIONS)
    assert single.path == runs[0].path
    assert not runs[0].path.is_absolute()
    assert single.record.weights == runs[0].record.weights


def test_what_is_finished_is_kept_and_a_new_seed_is_added(train_seeds):
    events = []
    first = train_seeds("vae", "tiny", "0..1")
    written = (first[0].path / "run.json").stat().st_mtime_ns
    again = train_seeds("vae", "tiny", np.arange(3), watch=events.append)
    assert [run.record.seed for run in again] == [0, 1, 2]
    assert (again[0].path / "run.json").stat().st_mtime_ns == written
    assert [event.kind for event in events] == ["started", "done"]


def test_names_are_numbered_and_the_other_arguments_of_train_reach_each_run(train_seeds):
    runs = train_seeds(
        *("vae", "tiny", range(2)),
        name="mine",
        note="small",
        study="own",
        hold_out=["0.2"],
        score_every=2,
        metrics=(name for name in ["mig"]),
    )
    assert [read_label(run.path).name for run in runs] == ["mine-seed0", "mine-seed1"]
    assert {read_label(run.path).note for run in runs} == {"small"}
    assert {run.path.parts[1] for run in runs} == {"own"}
    assert all(run.record.dataset.view["hold_out"] for run in runs)
    assert all(any("mig" in entry.get("scores", {}) for entry in run.log) for run in runs)


def test_seed_that_fails_costs_the_others_nothing(train_seeds):
    with pytest.raises(DisentangleError, match=r"1 of 2 runs failed: seed 1: .* \(log: "):
        train_seeds("vae", "tiny", (0, 1), most=1)
    assert train_seeds("vae", "tiny", [0])[0].finished


def test_place_of_each_run_at_its_tracker_is_said_once(train_seeds):
    said = []
    runs = train_seeds("vae", "tiny", (0, 1), track=["diary"], say=said.append)
    places = [text for text in said if "diary: " in text]
    assert places == [
        f"seed {run.record.seed}: diary: read {run.path.resolve() / 'diary.jsonl'}" for run in runs
    ]
    first = json.loads((runs[0].path / "diary.jsonl").read_text().splitlines()[0])
    assert first["settings"]["seed"] == 0


def test_time_limit_leaves_runs_that_the_same_call_makes(train_seeds, monkeypatch):
    def stopped(executor, jobs, *others):
        assert 60 < others[-1].left < 301
        return {jobs[0]: None}  # as if the rest was stopped

    with monkeypatch.context() as patch:
        patch.setattr(module, "run_jobs", stopped)
        with pytest.raises(OutOfTime, match="1 of 2 runs done, 1 left"):
            train_seeds("vae", "tiny", (0, 1), time_limit="5m")
    assert len(train_seeds("vae", "tiny", (0, 1), time_limit="5m")) == 2


class Mine(Model):
    """A class, which no other process can import by a name."""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("vae", "tiny", 3), r"expected several seeds, such as range\(3\); got 3"),
        (("vae", "tiny", []), "expected at least one seed"),
        (("vae", "tiny", [0, 0]), "seed 0 is given 2 times"),
        (("vae", "tiny", [0.5]), "expected whole numbers"),
        (("vae", "tiny", "0-2"), "expected a range with two dots"),
        ((Mine, "tiny", [0]), "expected the name of a model"),
        (("vae", None, [0]), "expected the name of a dataset"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_before_anything_starts(
    train_seeds, tmp_path, arguments, message
):
    with pytest.raises(UsageError, match=message):
        train_seeds(*arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [({"seed": 1}, "give only one of seed and seeds"), ({"report": print}, "no option 'report'")],
    ids=str,
)
def test_arguments_that_several_seeds_cannot_have_are_refused(train_seeds, options, message):
    with pytest.raises(UsageError, match=message):
        train_seeds("vae", "tiny", (0, 1), **options)
