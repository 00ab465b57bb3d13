"""Following a training by its log."""

import shutil

import pytest
from conftest import registered

from disentangle.errors import DisentangleError
from disentangle.runs.named import load_run
from disentangle.runs.run import Run
from disentangle.training.follow import PATIENCE, follow
from disentangle.training.train import train

SMALL = {"batch_size": 8, "figures": False, "device": "cpu", "steps": 12}


@pytest.fixture(scope="module")
def once(strangers_folder, tmp_path_factory):
    options = {"score_every": 6, "metrics": ["mig"], "results": tmp_path_factory.mktemp("once")}
    with registered(strangers_folder):
        return train("beta-vae", "tiny", **options, **SMALL)


@pytest.fixture
def trained(once, strangers, tmp_path):
    return load_run(shutil.copytree(once.path, tmp_path / "followed"))


@pytest.fixture
def meanwhile(monkeypatch):
    """Give a function that does one thing at each of follow's pauses, in their order."""

    def plan(*doings):
        todo = iter(doings)
        monkeypatch.setattr("disentangle.training.follow.time.sleep", lambda _: next(todo)())

    return plan


def test_entries_are_told_once_until_the_run_is_finished(trained, meanwhile):
    record, log = trained.record, (trained.path / "log.jsonl").read_text().splitlines(True)
    trained.save_record(finished=None)
    (trained.path / "log.jsonl").write_text("".join(log[:3]) + log[3][:20])  # half a line
    told = []
    meanwhile(
        lambda: (trained.path / "log.jsonl").write_text("".join(log)),
        lambda: trained.save_record(finished=record.finished),
    )
    run = follow(load_run(trained.path), lambda *entry: told.append(entry))
    assert run.finished
    assert [step for step, _, _ in told] == [entry["step"] for entry in trained.log]
    assert {steps for _, steps, _ in told} == {12}


def test_run_that_is_not_finished_is_not_waited_for_when_asked_once(trained):
    trained.save_record(finished=None)
    told = []
    follow(trained, lambda *entry: told.append(entry), once=True)
    assert len(told) == len(trained.log)


def test_watch_says_how_far_it_is(trained, command):
    code, out, err = command("watch", trained.path, "--once")
    assert code == 0
    assert out.strip() == str(trained.path)
    assert "finished: step 12 of 12" in err
    assert "mig " in err
    trained.save_record(finished=None)
    assert "not finished: step 12 of 12" in command("watch", trained.path, "--once")[2]


def test_run_that_failed_is_not_waited_for(run, command):
    run.save_record(finished=None, failed="'kl' is not finite at step 6")
    code, _, err = command("watch", run.path)
    assert code == 0
    assert "'kl' is not finite at step 6" in err


def test_run_that_nobody_trains_is_left_alone(run, meanwhile):
    run.save_record(finished=None)
    looks = []
    meanwhile(*[lambda: looks.append(1)] * 20)
    assert not follow(run, lambda *entry: None).finished
    assert len(looks) == PATIENCE - 1


def test_run_of_somebody_else_is_waited_for_and_not_written_to(run, meanwhile, monkeypatch):
    def locked(self):
        raise DisentangleError("cannot write there")

    finished = run.record.finished
    run.save_record(finished=None)
    monkeypatch.setattr(Run, "lock", locked)
    assert not follow(run, lambda *entry: None, once=True).finished
    meanwhile(*[lambda: None] * PATIENCE, lambda: run.save_record(finished=finished))
    assert follow(run, lambda *entry: None).finished


def test_watch_of_nothing_is_refused(command, tmp_path):
    code, _, err = command("watch", tmp_path / "nothing")
    assert code == 1
    assert "not a run (it has no run.json)" in err


def test_entries_that_a_resumed_run_writes_again_are_told_again(trained, meanwhile):
    log = (trained.path / "log.jsonl").read_text().splitlines(True)
    record = trained.record
    trained.save_record(finished=None)
    (trained.path / "log.jsonl").write_text("".join(log[:8]))
    told = []
    meanwhile(
        lambda: (trained.path / "log.jsonl").write_text("".join(log[:4])),
        lambda: (trained.path / "log.jsonl").write_text("".join(log)),
        lambda: trained.save_record(finished=record.finished),
    )
    follow(load_run(trained.path), lambda step, *_: told.append(step))
    assert told == [*range(1, 9), *range(5, 13)]
