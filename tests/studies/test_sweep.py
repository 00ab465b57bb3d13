"""`disentangle sweep`, through the real command and real workers."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from conftest import registered
from rich.console import Console

import disentangle
from disentangle._utils.time_limit import Deadline
from disentangle.cli.stopping import continue_command
from disentangle.cli.sweep_view import View
from disentangle.errors import OutOfTime
from disentangle.runs.named import load_run
from disentangle.runs.scores import read_scores
from disentangle.scoring.baselines import read_baselines
from disentangle.scoring.score_runs import score
from disentangle.studies.executor import Event, Executor
from disentangle.studies.plan import load_plan
from disentangle.studies.sweep import (
    CLOSING,
    complete,
    interrupt_on_signals,
    run_jobs,
    score_study_baselines,
    states_of,
)
from disentangle.studies.worker import work
from disentangle.training.train import train
from disentangle_plugins.metrics.mig import MIG

pytestmark = pytest.mark.usefixtures("strangers")
STUDY = """
pictures = false

[defaults]
dataset = "tiny"
batch_size = 8
steps = {steps}

[[runs]]
model = "vae"
seeds = {seeds}

[[runs]]
model = "beta-vae"
beta = 2

[[scores]]
metrics = ["mig"]

[[figures]]
kind = "agreement"
"""


def write_study(folder, steps=5, seeds=1, more=""):
    path = folder / "mine.toml"
    path.write_text(STUDY.format(steps=steps, seeds=seeds) + more)
    return path


@pytest.fixture
def study(tmp_path):
    """A function that writes a study's file, `mine.toml`, and returns its path."""
    return partial(write_study, tmp_path)


@pytest.fixture(scope="module")
def swept(strangers_folder, tmp_path_factory):
    """A folder with a study's file and its results, not to be changed."""
    folder = tmp_path_factory.mktemp("swept")
    with registered(strangers_folder):
        results = folder / "results"
        disentangle.sweep(write_study(folder), on="inline", results=results, device="cpu")
    return folder


@pytest.fixture
def done(swept, tmp_path):
    """The results of a study that has been run, `mine.toml` beside them: a copy."""
    shutil.copytree(swept, tmp_path, dirs_exist_ok=True)
    return tmp_path / "results" / "mine"


def written(folder):
    """Return when each record, log and score in a folder was written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.json*")}


INLINE = ("--device", "cpu", "--on", "inline")


def sweep(file, *words):
    """Start the command in a session of its own, as a terminal would."""
    command = [sys.executable, "-m", "disentangle", "sweep", str(file), "--device", "cpu", *words]
    return subprocess.Popen(
        command,
        cwd=file.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
        preexec_fn=hearing,
    )


def hearing():
    """Hear an interrupt, which a test that runs in the background is told to ignore."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def ended(process):
    out, err = process.communicate(timeout=300)
    assert "Traceback" not in err
    return process.returncode, out, err


def runs_in(folder):
    return {path.parent.name: load_run(path.parent) for path in folder.rglob("run.json")}


def wait_for(condition, seconds=120):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.02)


def workers_of(folder):
    """Return the processes that work on the runs of a folder, by the locks that they hold."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                files = [os.readlink(link) for link in (entry / "fd").iterdir()]
            except OSError:
                continue
            if any(str(folder) in name and name.endswith(".log") for name in files):
                found.append(int(entry.name))
    return found


def test_study_trains_its_runs_and_writes_tables_and_a_report(study, command, tmp_path):
    code, out, err = command("sweep", study(), *INLINE)
    assert code == 0, err
    assert "mine: 2 runs: 2 to start" in err
    folder = tmp_path / "results" / "mine"
    assert {run.state for run in runs_in(folder).values()} == {"finished"}
    names = {"scores.md", "scores.csv", "scores.tex", "report.html", "study.toml"}
    assert names <= {path.name for path in folder.iterdir()}
    assert out.splitlines()[-1] == str(folder / "report.html")
    assert "| vae " in (folder / "scores.md").read_text()


def test_study_that_is_done_is_run_no_more(done, command):
    before = written(done)
    code, _, err = command("sweep", "mine.toml", *INLINE)
    assert (code, "started" in err) == (0, False)
    assert "mine: 2 runs: 2 done" in err
    assert written(done) == before


def test_study_that_grew_begins_what_is_new(done, study, command):
    before = written(done)
    code, _, err = command("sweep", study(seeds=2), *INLINE)
    assert code == 0
    assert "mine: 3 runs: 2 done, 1 to start" in err
    assert err.count(": started") == 1
    assert before.items() <= written(done).items()


def test_tables_are_shown_if_they_cannot_be_written(done, command, monkeypatch):
    def full(path, text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("disentangle.score_tables.export.write_text", full)
    code, out, err = command("sweep", "mine.toml")
    assert code == 1
    assert "| beta-vae" in out
    assert "results/mine/scores.md: No space left on device" in err


def test_tables_show_the_scores_that_were_asked(done, command):
    for run in runs_in(done).values():
        score(run, ["mig:bins=7", "sap"])
    code, out, _ = command("sweep", "mine.toml", *INLINE)
    assert code == 0
    assert "mig" in out
    assert "sap" not in out
    assert "bins=7" not in out


def test_external_encoders_of_the_study_are_in_its_tables_by_the_scores_that_were_asked(
    done, command
):
    disentangle.score_encoder(
        lambda x: x.mean((2, 3)),
        "tiny",
        ["mig", "mig:bins=7"],
        device="cpu",
        name="mine",
        results=done.parent,
        study="mine",
    )
    code, _, err = command("sweep", "mine.toml", *INLINE)
    assert code == 0, err
    for name in ("scores.md", "scores.csv", "scores.tex", "report.html"):
        text = (done / name).read_text()
        assert "mine (external)" in text
        assert "bins=7" not in text


def test_scores_of_an_older_metric_version_stand_where_weights_are_gone(done, command, monkeypatch):
    monkeypatch.setattr(MIG, "version", 2)
    for run in runs_in(done).values():
        run.checkpoint_path.unlink()
    code, out, err = command("sweep", "mine.toml", *INLINE)
    assert code == 0
    assert "mig (version 1 of 2)" in err
    assert out.count("0.") >= 2
    assert {s.version for run in runs_in(done).values() for s in read_scores(run)} == {1}


def test_scores_of_an_older_metric_version_are_computed_again_from_weights(
    done, command, monkeypatch
):
    monkeypatch.setattr(MIG, "version", 2)
    code, out, err = command("sweep", "mine.toml", *INLINE)
    assert code == 0
    assert "version 1 of 2" not in err
    (table,) = [line for line in out.splitlines() if "mig" in line.split()]
    assert "v1" not in table
    assert all(2 in {s.version for s in read_scores(run)} for run in runs_in(done).values())


def test_study_is_run_from_python(study, tmp_path):
    tables = disentangle.sweep(study(), on="inline", results=tmp_path / "results", device="cpu")
    assert [row.model for row in tables[0].rows] == ["beta-vae", "vae"]
    with pytest.raises(disentangle.UsageError, match="no executor 'outline'"):
        disentangle.sweep(study(), on="outline")


def test_dry_run_says_all_and_writes_nothing(study, command, tmp_path):
    code, _, err = command("sweep", study(), "--dry-run", "--device", "cpu")
    assert code == 0
    assert "mine: 2 runs: 2 to start" in err
    assert "estimated time left: at most" in err
    assert "new: beta-vae" in err
    assert not (tmp_path / "results").exists()


@pytest.fixture
def failing(done, study):
    """The file of a study that is done but for a run that will fail."""
    return study(more='[[runs]]\nmodel = "exploding"\nsteps = 8\n')


def test_run_that_fails_is_said_and_costs_the_others_nothing(failing, done, command):
    code, out, err = command("sweep", failing, *INLINE)
    said = " ".join(err.split())
    assert code == 1
    assert "exploding seed=0: FAILED" in said
    assert "1 of 3 runs failed or lack scores: exploding seed=0: " in said
    assert "'kl' is not finite" in said
    assert "exploding" in out
    states = {run.record.model: run.state for run in runs_in(done).values()}
    assert states == {"vae": "finished", "beta-vae": "finished", "exploding": "failed"}


def test_run_that_failed_is_not_tried_again(failing, command):
    command("sweep", failing, *INLINE)
    code, _, err = command("sweep", failing, *INLINE)
    assert (code, "started" in err) == (1, False)
    assert "1 failed" in err


@pytest.mark.parametrize("file", ["run.json", "scores.json"])
def test_damaged_run_is_said_and_costs_the_others_nothing(done, command, file):
    whole, damaged = sorted(runs_in(done).values(), key=lambda run: run.record.model != "vae")
    (damaged.path / file).write_text("{")
    code, out, err = command("sweep", "mine.toml", *INLINE)
    said = " ".join(err.split())
    assert code == 1
    assert "mine: 2 runs: 1 done, 1 failed" in said
    named = f"beta-vae seed=0: {damaged.path / file}: invalid record"
    assert f"1 of 2 runs failed or lack scores: {named}" in said
    assert "move it elsewhere" in said
    assert "| vae " in out
    assert (damaged.path / file).read_text() == "{"
    assert load_run(whole.path).finished


def test_executor_of_somebody_else_takes_its_own_knobs(study, command, tmp_path):
    code, _, err = command("sweep", study(), "--device", "cpu", "--on", "inline:most=1")
    assert code == 1
    assert "1 of 2 runs failed or lack scores: beta-vae seed=0: it is one too many" in " ".join(
        err.split()
    )
    assert len(runs_in(tmp_path / "results")) == 1
    code, _, err = command("sweep", study(), "--on", "inline", "--jobs", "2")
    assert (code, "executor 'inline' has no option --jobs" in err) == (2, True)


def weights(run):
    return run.load_checkpoint().model


class Leaving(Executor):
    """Leaves all jobs but the first to a cluster."""

    def width(self, device):
        return 1

    def run(self, jobs, device):
        work(jobs[0].order)
        yield Event(jobs[0], "done")
        yield from (Event(job, "queued") for job in jobs[1:])

    def detached(self, jobs):
        return f"{len(jobs)} run goes on"


def test_runs_that_go_on_elsewhere_are_no_failures_and_come_before_the_baselines(study, tmp_path):
    plan = load_plan(study(), results=tmp_path, device="cpu")
    plan.study = plan.study.model_copy(update={"baselines": ("pca",)})
    swept = complete(plan, Leaving(), states_of(plan), tmp_path, "cpu", lambda text: None)
    assert (swept.detached, swept.failed, swept.without) == ("1 run goes on", {}, [])
    assert "pca" not in read_baselines(tmp_path)
    assert len(swept.tables) == 1
    swept.check(plan)


@pytest.fixture
def at_once(monkeypatch):
    """Let the deadline of workers be over from the start: each stops after its first step."""
    monkeypatch.setattr("disentangle.studies.sweep.RESERVE", 3600.0)
    monkeypatch.setattr("disentangle.cli.stopping.process_start", time.time)


def test_time_limit_leaves_runs_that_the_same_command_finishes(study, command, at_once, tmp_path):
    file = study(seeds=2)
    limited = ("sweep", file, *INLINE, "--time-limit", "50m")
    code, out, err = command(*limited)
    assert (code, out) == (75, "")
    assert (
        "error: stopped at the time limit: 0 of 2 configurations whole, 0 of 3 runs done, 3 left. "
        f"Run `disentangle sweep {file} {' '.join(INLINE)} --time-limit 50m` to continue."
    ) in " ".join(err.split())
    runs = runs_in(tmp_path / "results").values()
    assert [run.load_checkpoint().step for run in runs] == [1, 1, 1]
    assert not (tmp_path / "results" / "mine" / "report.html").exists()
    code, _, err = command("sweep", file, *INLINE)
    assert code == 0, err
    options = {"steps": 5, "batch_size": 8, "device": "cpu", "figures": False}
    whole = train("vae", "tiny", results=tmp_path / "whole", **options)
    mine = runs_in(tmp_path / "results")[whole.record.id]
    assert all(torch.equal(v, weights(mine)[k]) for k, v in weights(whole).items())


def test_state_at_the_time_limit_is_printed_as_json(study, command, at_once):
    code, out, _ = command("sweep", study(), *INLINE, "--time-limit", "50m", "--json")
    assert code == 75
    assert [run["state"] for run in json.loads(out)["runs"]] == ["unfinished"] * 2


def test_time_limit_in_python(study, at_once, tmp_path):
    with pytest.raises(OutOfTime, match="0 of 2 configurations whole"):
        disentangle.sweep(
            study(), on="inline", results=tmp_path / "r", device="cpu", time_limit=3000
        )


class Endless(Executor):
    """Ignores the deadline."""

    closed = False

    def width(self, device):
        return 1

    def run(self, jobs, device):
        try:
            while True:
                yield None
        finally:
            self.closed = True


def quiet(_):
    """Nothing is shown."""


def test_executor_that_ignores_the_deadline_is_closed_before_it(study, tmp_path):
    plan, executor = load_plan(study(), results=tmp_path, device="cpu"), Endless()
    deadline = Deadline(time.time() + CLOSING + 0.2)
    assert run_jobs(executor, plan.jobs, "cpu", quiet, quiet, deadline) == {}
    assert executor.closed
    assert 0 < deadline.left < CLOSING


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("12", "--time-limit: expected a duration such as 90s, 12m, 1h30m or 2d, got '12'"),
        ("1s", "--time-limit 1s: too short"),
    ],
)
@pytest.mark.parametrize(
    "words",
    [
        ("train", "vae", "tiny"),
        ("train", "vae", "tiny", "--seeds", "0,1"),
        ("resume", "mine"),
        ("sweep", "mine.toml"),
    ],
    ids=str,
)
def test_time_limit_that_makes_no_sense_is_refused(words, limit, message, command, monkeypatch):
    monkeypatch.setattr("disentangle.cli.stopping.process_start", time.time)
    code, out, err = command(*words, "--time-limit", limit)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())


@pytest.mark.slow
@pytest.mark.parametrize("how", ["interrupt", "kill"])
def test_study_that_was_stopped_ends_like_one_that_was_not(how, study, command, tmp_path):
    file, folder = study(steps=150), tmp_path / "results" / "mine"
    first = sweep(file, "--jobs", "2", "--threads", "1")
    wait_for(lambda: len(list(folder.rglob("checkpoint.safetensors"))) == 2)
    workers = workers_of(folder)
    if how == "kill":
        first.kill()
        os.kill(max(workers), signal.SIGKILL)
    else:
        first.send_signal(signal.SIGINT)
    began = time.monotonic()
    code, _, err = ended(first)
    if how == "interrupt":
        assert code == 130
        assert "to continue from the checkpoints" in err
        assert time.monotonic() - began < 60
    wait_for(lambda: not workers_of(folder))  # no orphan
    code, _, err = command("sweep", file, *INLINE)
    assert code == 0, err
    options = {"steps": 150, "batch_size": 8, "device": "cpu", "figures": False}
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    whole = train("vae", "tiny", results=tmp_path / "whole", **options)
    torch.set_num_threads(before)
    mine = runs_in(folder)[whole.record.id]
    assert all(torch.equal(v, weights(mine)[k]) for k, v in weights(whole).items())
    steps = [entry["step"] for entry in mine.log]
    assert steps == sorted(set(steps))


@pytest.mark.slow
def test_two_sweeps_of_one_study_do_not_collide(study, tmp_path):
    file, folder = study(), tmp_path / "results" / "mine"
    both = [sweep(file, "--jobs", "1", "--threads", "1") for _ in range(2)]
    for code, _, err in [ended(process) for process in both]:
        assert code == 0, err
    assert {run.state for run in runs_in(folder).values()} == {"finished"}
    for log in (folder / "logs").glob("*.log"):
        assert log.read_text().count("training on") == 1
    for run in runs_in(folder).values():
        steps = [entry["step"] for entry in run.log]
        assert steps == sorted(set(steps))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--on", "loca"], "no executor 'loca'; did you mean 'local'"),
        (["--address", "somewhere"], "executor 'local' has no option --address"),
        (["--no-wait"], "executor 'local' has no option --no-wait"),
        (["--on", "local:jobs=x"], "jobs must be a whole number"),
        (["--device", "tpu"], "no device 'tpu'"),
        (["--jobs", "1000", "--threads", "2"], "exceed the"),
    ],
    ids=str,
)
def test_place_that_makes_no_sense_is_refused(words, message, study, command):
    code, _, err = command("sweep", study(), *words)
    assert code == 2
    assert message in err


def test_missing_file_is_told_before_an_executor_is_asked(command):
    code, _, err = command("sweep", "missing.toml", "--on", "loca")
    assert code == 1
    assert "missing.toml" in err
    assert "loca" not in err.replace("local", "")


def test_study_on_datasets_that_are_not_here_begins_nothing(study, command, tmp_path):
    file = study(more='[[runs]]\nmodel = "vae"\ndataset = "celeba"\n')
    code, _, err = command("sweep", file, "--device", "cpu")
    assert code == 1
    assert "data prepare celeba" in err
    assert "select others by --dataset" in " ".join(err.split())
    assert not (tmp_path / "results").exists()


def test_ignored_hangup_stays_ignored():
    """As `nohup` wants it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupt_on_signals():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.slow
def test_baseline_that_fails_costs_the_tables_nothing(study, command, tmp_path):
    file = study(more='[[scores]]\nmetrics = ["failing"]\n')
    file.write_text('baselines = ["pca"]\n' + file.read_text())
    code, _, err = command("sweep", file, "--device", "cpu")
    assert code == 1
    assert "died" not in err  # it would fail again
    assert "not scored: baselines of tiny: " in err
    assert "2 of 2 runs failed or lack scores: " in " ".join(err.split())
    folder = tmp_path / "results" / "mine"
    assert "| pca " in (folder / "scores.md").read_text()
    assert (folder / "study.toml").read_text() == file.read_text()


def test_baselines_are_scored_on_what_runs_are(study, tmp_path):
    file = study()
    file.write_text(file.read_text().replace('"tiny"', '{ name = "tiny", hold_out = ["0.2"] }'))
    plan = load_plan(file, results=tmp_path, device="cpu")
    plan.study = plan.study.model_copy(update={"baselines": ("pca",)})
    assert score_study_baselines(plan, tmp_path, "cpu", lambda text: None) == []
    (found,) = read_baselines(tmp_path)["pca"]
    assert found.view == plan.jobs[0].scored[0].view
    assert found.view["split"] == "test"


def test_run_that_failed_before_is_not_counted_as_done(study, capsys):
    job = load_plan(study(), device="cpu").jobs[0]
    view = View("mine", {job: 1.0}, width=1, total=3, done=1)
    view.see(Event(job, "done"))
    assert "done (2 of 3)" in capsys.readouterr().err
    assert "2 of 3 done, 1 failed" in view.line()


def test_view_tells_of_a_collapsed_run_while_it_trains_and_when_it_is_done(study, tmp_path, capsys):
    job = load_plan(study(steps=2000), results=tmp_path, device="cpu").jobs[0]
    job.path.mkdir(parents=True)
    log = job.path / "log.jsonl"
    view = View("mine", {job: 1.0}, width=1, total=1, done=0)
    view.see(Event(job, "started"))
    for step, shown in [(900, "900 of 2,000"), (1000, "1,000 of 2,000, collapsed")]:
        log.write_text(json.dumps({"step": step, "spread": 0.0, "seconds": 1.0}) + "\n")
        view.read_logs()
        assert view.line().endswith(f": {shown}")
    capsys.readouterr()
    view.see(Event(job, "done"))
    said = " ".join(capsys.readouterr().err.split())
    assert f"warning: {job.name}: done (1 of 1), but collapsed; its log has advice:" in said


def test_view_counts_what_waits_in_a_queue(study, capsys):
    job = load_plan(study(), device="cpu").jobs[0]
    view = View("mine", {job: 1.0}, width=1, total=1, done=0)
    view.see(Event(job, "queued", "job 7"))
    assert "queued (job 7)" in capsys.readouterr().err
    assert "0 of 1 done, 1 queued" in view.line()
    view.see(Event(job, "started", "job 7 on node1"))
    assert "started (job 7 on node1)" in capsys.readouterr().err
    assert "queued" not in view.line()


def test_live_view_breaks_no_number_in_a_narrow_terminal(study, monkeypatch):
    job = load_plan(study(), device="cpu").jobs[0]
    view = View("mine", {job: 1.0}, width=1, total=3, done=1)
    steps = job.record.recipe["steps"]
    entry = {"step": 1, "loss": 1234567.5, "active": 6, "seconds": 2.0}
    view.running = {job: {**entry, "images_per_second": 123456.0}}
    for width in (30, 60, 120):
        console = Console(width=width)
        monkeypatch.setattr("disentangle.cli.sweep_view.console", console)
        with console.capture() as captured:
            console.print(view.table())
        shown = " ".join(captured.get().split())
        for whole in (f"1 of {steps:,}", "123,456", "1234567.5", "6"):
            assert whole in shown


def test_command_that_goes_on_is_the_one_that_was_given(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/bin/disentangle", "sweep", "my study.toml", "--jobs", "1"])
    assert continue_command() == "disentangle sweep 'my study.toml' --jobs 1"
