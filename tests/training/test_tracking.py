"""Trackers beside a training: it never waits for them, and never fails with them."""

import json
import sys

import pytest
from helpers.training_runs import stop_at, weights

from disentangle.errors import DisentangleError, TrackingWarning, UsageError
from disentangle.runs.named import load_run
from disentangle.runs.tracker_records import read_tracker, tracker_stem, trackers_of
from disentangle.training import tracking
from disentangle.training.tracking import tracker_of
from disentangle.training.train import resume, train

SMALL = {"batch_size": 8, "figures": False, "device": "cpu", "steps": 12}
STUDY = """
track = ["diary"]
pictures = false
[defaults]
dataset = "tiny"
steps = 4
batch_size = 8
[[runs]]
model = "beta-vae"
[[scores]]
metrics = ["mig"]
"""


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    monkeypatch.setattr(tracking, "STOP", 60.0)  # a busy machine starts a process late


@pytest.fixture
def tracked(strangers, tmp_path):
    """Train a run with a tracker."""

    def start(track, **options):
        return train("beta-vae", "tiny", results=tmp_path, track=track, **{**SMALL, **options})

    return start


def lines(run, key):
    text = (run.path / "diary.jsonl").read_text().splitlines()
    return [line[key] for line in map(json.loads, text) if key in line]


def steps(run):
    return [entry["step"] for entry in run.log]


def test_every_logged_step_is_sent_once(tracked):
    said = []
    run = tracked(["diary"], say=said.append)
    assert lines(run, "step") == steps(run)
    assert lines(run, "state") == ["finished"]
    assert f"diary: read {run.path / 'diary.jsonl'}" in said


def test_what_a_tracker_prints_goes_to_a_file(tracked, capfd):
    run = tracked(["diary"])
    log = tracker_stem(run.path, "diary").with_suffix(".log")
    assert log.read_text() == "the diary prints\n"
    assert "diary prints" not in "".join(capfd.readouterr())


def test_a_stopped_run_goes_on_without_gaps_or_repetitions(tracked):
    with pytest.raises(DisentangleError, match="stopped after step 7"):
        tracked(["diary"], report=stop_at(7))
    run = tracked(None)  # with the tracker of its start
    assert run.finished
    assert lines(run, "step") == steps(run)
    assert lines(run, "state") == ["unfinished", "finished"]
    assert lines(run, "entry") == ["", "page 1"]


def test_a_tracker_changes_neither_the_id_nor_the_record(tracked, tmp_path):
    run = tracked(["diary"])
    other = train("beta-vae", "tiny", results=tmp_path / "other", **SMALL)
    assert run.record.id == other.record.id
    assert set(run.record.model_dump()) == set(other.record.model_dump())
    mine, theirs = weights(run), weights(other)
    assert all((mine[name] == theirs[name]).all() for name in theirs)


@pytest.mark.parametrize("moment", ["open", "log", "close"])
def test_a_tracker_that_fails_costs_nothing(tracked, moment):
    track = f"diary:fails={moment}"
    with pytest.warns(TrackingWarning) as warned:
        run = tracked([track])
    assert run.finished
    assert len(warned) == 1
    text = str(warned[0].message)
    assert "diary failed: ConnectionError: no network. The run is not affected" in text
    assert f"`disentangle watch {run.path} --once --track {track}`" in text
    assert read_tracker(run.path, track).failed == "ConnectionError: no network"


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["open", "close"])
def test_a_tracker_that_hangs_is_not_waited_for(tracked, moment, monkeypatch):
    monkeypatch.setattr(tracking, "CLOSE", 1.0)
    with pytest.warns(TrackingWarning, match="diary failed: it did not end within 1 s"):
        run = tracked([f"diary:hangs={moment}"], report=lambda *entry: None)
    assert run.finished


@pytest.mark.slow
def test_a_tracker_whose_process_is_killed_is_named(tracked, monkeypatch):
    command = (sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    monkeypatch.setattr(tracking, "COMMAND", command)
    with pytest.warns(TrackingWarning, match=r"diary failed: its process ended \(SIGKILL\)"):
        assert tracked(["diary"]).finished


def test_what_python_prints_at_its_start_costs_nothing(tracked, monkeypatch):
    noisy = "import sys; print('hello'); from disentangle.training.mirror import main; main()"
    monkeypatch.setattr(tracking, "COMMAND", (sys.executable, "-c", noisy))
    run = tracked(["diary"])
    assert run.finished
    assert lines(run, "step") == steps(run)


def test_a_run_that_fails_is_closed_as_failed(strangers, tmp_path):
    with pytest.raises(DisentangleError, match="not finite"):
        train("exploding", "tiny", results=tmp_path, track=["diary"], **SMALL)
    (path,) = tmp_path.rglob("diary.jsonl")
    assert lines(load_run(path.parent), "state") == ["failed"]


@pytest.mark.parametrize(
    ("track", "message"),
    [
        ("dairy", "no tracker 'dairy'; did you mean 'diary'"),
        ("diary:fial=log", "tracker 'diary' has no setting 'fial'; did you mean 'fails'"),
        ("diary:fails=maybe", "fails must be one of never, open, log, close; got 'maybe'"),
        ("wandb:mode", "expected a name, or NAME:SETTING=VALUE"),
        ("mlflow:uri=https://me:secret@host.org", "uri holds a user or password"),
        ("mlflow:uri=sqlite:///no/such/folder/m.db", "no/such/folder does not exist"),
    ],
)
def test_a_mistake_is_refused_before_training(tracked, track, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        tracked([track])
    assert not (tmp_path / "default").exists()


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_a_missing_package_is_refused_before_training(command, name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    code, _, err = command("train", "beta-vae", "dsprites", "--track", name)
    assert code == 2
    install = f"Run `pip install 'disentangle-bench[{name}]'`."
    assert err == f"error: tracker '{name}' needs the package {name}. {install}\n"


@pytest.mark.slow
def test_a_run_is_resumed_where_the_package_of_its_tracker_is_missing(tracked, monkeypatch):
    with pytest.raises(DisentangleError, match="stopped after step 7"):
        tracked(["tensorboard"], report=stop_at(7))
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.warns(TrackingWarning, match="not tracked: tracker 'tensorboard' needs the"):
        assert tracked(None).finished


def test_a_tracker_is_made_with_its_settings(strangers):
    assert tracker_of("Diary:fails=log").fails == "log"


@pytest.mark.slow
def test_a_finished_run_is_sent_if_a_tracker_is_named(tracked):
    tracked(None)
    run = tracked(["diary"])
    assert lines(run, "step") == steps(run)
    assert not (tracked(None).path / "diary.jsonl").read_text().count("unfinished")


@pytest.mark.slow
def test_a_tracker_that_is_named_when_resuming_gets_the_whole_run(tracked):
    with pytest.raises(DisentangleError, match="stopped after step 7") as stopped:
        tracked(None, report=stop_at(7))
    path = str(stopped.value).split("disentangle resume ")[1].split("`")[0]
    run = resume(path, device="cpu", track=["diary"])
    assert lines(run, "step") == steps(run)


def test_watch_sends_a_run_and_fails_with_its_tracker(run, command):
    code, out, err = command("watch", run.path, "--once", "--track", "diary:fails=close")
    assert code == 1
    assert out.strip() == str(run.path)
    assert "not tracked: diary: ConnectionError: no network" in err
    assert lines(run, "step") == steps(run)


@pytest.mark.slow
@pytest.mark.filterwarnings("default::disentangle.errors.TrackingWarning")
def test_jobs_of_a_study_are_tracked_with_their_scores(strangers, command, tmp_path):
    (tmp_path / "mine.toml").write_text(STUDY)
    sweep = ["sweep", "mine.toml", "--device", "cpu", "--on", "inline"]
    code, _, err = command(*sweep, "--track", "diary:fails=open")
    assert code == 0
    assert "warning: diary failed: ConnectionError: no network. The run is not affected" in err
    assert "warning: diary:fails=open failed for 1 of 1 run: ConnectionError: no network" in err
    (path,) = tmp_path.rglob("diary.jsonl")
    run = load_run(path.parent)
    assert lines(run, "step") == steps(run)
    assert [set(scores) for scores in lines(run, "scores")] == [{"final/mig"}]
    assert {record.track for record in trackers_of(run.path)} == {"diary", "diary:fails=open"}


def test_a_tracker_that_a_study_misspells_is_refused(strangers, command, tmp_path):
    (tmp_path / "mine.toml").write_text(STUDY.replace("diary", "dairy"))
    code, _, err = command("sweep", "mine.toml", "--device", "cpu", "--on", "inline")
    assert code == 2
    assert "mine.toml: no tracker 'dairy'" in err
