"""The local executor: what it does with processes that end well, die, wait or never end."""

import os
import signal
import subprocess
import sys
import time

import pytest

from disentangle.errors import UsageError
from disentangle.studies import group
from disentangle.studies import local_executor as supervisor
from disentangle.studies import process as child
from disentangle.studies import retries as attempts
from disentangle.studies.estimate import Estimate
from disentangle.studies.executor import width_of
from disentangle.studies.jobs import START, Job
from disentangle.studies.local_executor import Local
from disentangle.studies.plan import load_plan

pytestmark = pytest.mark.usefixtures("strangers")
FAKE = """
import json, os, pathlib, signal, sys, threading, time
order = json.loads(sys.stdin.readline())
path = pathlib.Path(order["path"])
tries = path.parent / (path.name + ".tries")
count = int(tries.read_text()) + 1 if tries.exists() else 1
tries.parent.mkdir(parents=True, exist_ok=True)
tries.write_text(str(count))
def get_on():
    path.mkdir(exist_ok=True)
    (path / "checkpoint.safetensors").write_text(str(time.time_ns()))
"""


@pytest.fixture
def job(tmp_path):
    """A job of a study."""
    file = tmp_path / "mine.toml"
    file.write_text('[[runs]]\nmodel = "vae"\ndataset = "tiny"\nbatch_size = 8\nsteps = 5\n')
    return load_plan(file, results=tmp_path / "results", device="cpu").jobs[0]


@pytest.fixture
def fake(monkeypatch):
    """A function that puts a script in the place of the worker; the times are short."""

    def put(script):
        monkeypatch.setattr(child, "COMMAND", (sys.executable, "-c", FAKE + script))
        monkeypatch.setattr(supervisor, "POLL", 0.01)
        monkeypatch.setattr(attempts, "LONGEST", 0.02)
        monkeypatch.setattr(attempts, "ELSEWHERE", 0.02)

    return put


def happened(executor, *jobs):
    return [event for event in executor.run(jobs, "cpu") if event is not None]


def tries(job):
    return int((job.path.parent / f"{job.path.name}.tries").read_text())


def test_job_that_ends_well_is_done(job, fake):
    fake("sys.exit(0)")
    assert [event.kind for event in happened(Local(), job)] == ["started", "done"]


@pytest.mark.parametrize("code", [2, 64])
def test_job_that_would_fail_again_is_not_tried_again(job, fake, code):
    fake(f"print('error: no way'); sys.exit({code})")
    events = happened(Local(), job)
    assert [(event.kind, event.why) for event in events[1:]] == [("failed", "no way")]
    assert tries(job) == 1


def test_job_that_dies_is_tried_again_and_then_given_up(job, fake):
    fake("print('Traceback'); print('MemoryError'); sys.exit(1)")
    events = happened(Local(retries=2), job)
    assert [event.kind for event in events] == [*["started", "again"] * 2, "started", "failed"]
    assert events[1].why == "MemoryError"
    assert events[-1].why == "MemoryError; crashed 3 times without progress"


def test_job_that_gets_on_each_time_is_never_given_up(job, fake):
    fake("get_on(); sys.exit(0 if count == 6 else 1)")
    assert happened(Local(retries=1), job)[-1].kind == "done"
    assert tries(job) == 6


def test_job_that_was_killed_says_by_what(job, fake):
    fake("os.kill(os.getpid(), signal.SIGKILL) if count == 1 else sys.exit(0)")
    events = happened(Local(), job)
    assert [event.kind for event in events] == ["started", "again", "started", "done"]
    assert events[1].why == "killed by SIGKILL (out of memory?)"


def test_job_that_another_process_is_at_waits_and_does_not_count_as_dead(job, fake):
    fake("sys.exit(69 if count < 4 else 0)")
    events = happened(Local(retries=0), job)
    assert [event.kind for event in events] == [*["started", "elsewhere"] * 3, "started", "done"]


def with_deadline(job, seconds):
    job.order = job.order.model_copy(update={"deadline": time.time() + seconds})
    return job


def test_job_that_stops_before_its_deadline_is_not_tried_again(job, fake):
    fake("print('error: time is up'); sys.exit(75)")
    events = happened(Local(), with_deadline(job, 60))
    assert [event.kind for event in events] == ["started", "stopped"]
    assert events[-1].why == "time is up"
    assert tries(job) == 1


def test_job_is_not_started_shortly_before_its_deadline(job, fake):
    fake("sys.exit(0)")
    assert [event.kind for event in happened(Local(), with_deadline(job, START - 1))] == ["stopped"]
    assert not job.path.parent.exists()


def test_run_that_is_locked_is_not_started(job, fake, monkeypatch):
    fake("sys.exit(0)")
    looks = iter([True, True, False])
    monkeypatch.setattr(Job, "busy", lambda self: next(looks))
    assert [event.kind for event in happened(Local(), job)] == ["elsewhere", "started", "done"]
    assert tries(job) == 1


def test_run_that_another_process_finished_is_done(job, fake, monkeypatch):
    fake("sys.exit(1)")
    monkeypatch.setattr(Job, "state", lambda self: "done")
    assert [event.kind for event in happened(Local(), job)] == ["done"]


def test_scores_written_anew_are_no_progress(job, fake):
    """A metric that fails must not be tried for ever because another is n/a each time."""
    fake("path.mkdir(exist_ok=True); (path / 'scores.json').write_text('{}'); sys.exit(1)")
    events = happened(Local(retries=1), job)
    assert events[-1].kind == "failed"
    assert tries(job) == 2


@pytest.mark.parametrize("broken", ["run.json", ".lock"])
def test_run_that_cannot_be_looked_at_fails_alone(broken, tmp_path, fake):
    file = tmp_path / "mine.toml"
    file.write_text('[[runs]]\nmodel = "vae"\ndataset = "tiny"\nseeds = 2\nbatch_size = 8\n')
    jobs = load_plan(file, results=tmp_path / "results", device="cpu").jobs
    jobs[0].path.mkdir(parents=True)
    (jobs[0].path / "run.json").write_text(jobs[0].record.model_dump_json())
    (jobs[0].path / broken).unlink(missing_ok=True)
    if broken == ".lock":
        (jobs[0].path / broken).mkdir()  # so that no lock can be had
    else:
        (jobs[0].path / broken).write_text("{")
    fake("sys.exit(0)")
    ends = {event.job.name: event for event in happened(Local(jobs=1), *jobs)}
    assert ends["vae seed=1"].kind == "done"
    assert ends["vae seed=0"].kind == "failed"
    assert str(jobs[0].path) in ends["vae seed=0"].why


def test_one_failure_costs_the_others_nothing(tmp_path, fake):
    file = tmp_path / "mine.toml"
    file.write_text('[[runs]]\nmodel = "vae"\ndataset = "tiny"\nseeds = 4\nbatch_size = 8\n')
    jobs = load_plan(file, results=tmp_path / "results", device="cpu").jobs
    fake("sys.exit(64 if order['options']['seed'] == 1 else 0)")
    ends = {e.job.name: e.kind for e in happened(Local(jobs=1), *jobs) if e.kind != "started"}
    assert ends == {
        "vae seed=0": "done",
        "vae seed=1": "failed",
        "vae seed=2": "done",
        "vae seed=3": "done",
    }


def test_each_worker_gets_its_threads(job, fake):
    fake("print(os.environ['OMP_NUM_THREADS']); sys.exit(0)")
    happened(Local(jobs=1, threads=1), job)
    assert job.log.read_text() == "1\n"


def test_more_threads_than_cores_are_refused(monkeypatch):
    monkeypatch.setattr(supervisor, "cores", lambda: 4)
    assert Local().width("cpu") == 4
    assert Local(threads=2).width("cpu") == 2
    assert Local(jobs=2).threads_each("cpu") == 2
    with pytest.raises(UsageError, match="3 trainings of 2 threads exceed the 4 cores"):
        Local(jobs=3, threads=2).places("cpu")


def test_trainings_are_spread_over_the_gpus(monkeypatch):
    monkeypatch.setattr(supervisor, "cores", lambda: 4)
    monkeypatch.setattr(supervisor.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(supervisor.torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    places = Local(per_gpu=2).places("cuda")
    assert [place["CUDA_VISIBLE_DEVICES"] for place in places] == ["0", "1", "0", "1"]
    assert {place["OMP_NUM_THREADS"] for place in places} == {"1"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    assert [p["CUDA_VISIBLE_DEVICES"] for p in Local().places("cuda:1")] == ["7"]


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.01)


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    with open(f"/proc/{pid}/stat") as file:  # a zombie is gone as well
        return file.read().rpartition(")")[2].split()[0] == "Z"


def test_closing_stops_the_workers_gently(job, fake, tmp_path):
    mark = tmp_path / "mark"
    fake(
        f"mark = pathlib.Path({str(mark)!r})\n"
        "signal.signal(signal.SIGTERM, lambda *_: (mark.write_text('saved'), sys.exit(143)))\n"
        "mark.write_text('ready')\n"
        "time.sleep(60)\n"
    )
    events = Local().run([job], "cpu")
    assert next(events).kind == "started"
    wait_for(lambda: mark.exists() and mark.read_text() == "ready")
    events.close()
    assert mark.read_text() == "saved"


def test_worker_that_does_not_stop_is_killed_with_its_children(job, fake, tmp_path, monkeypatch):
    mark = tmp_path / "mark"
    fake(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "import subprocess\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(mark)!r}).write_text(f'{{os.getpid()}} {{child.pid}} .')\n"
        "time.sleep(60)\n"
    )
    monkeypatch.setattr(child, "PATIENCE", 0.1)
    events = Local().run([job], "cpu")
    next(events)
    wait_for(lambda: mark.exists() and mark.read_text().endswith("."))
    events.close()
    for pid in mark.read_text().split()[:2]:
        wait_for(lambda pid=pid: gone(int(pid)))


def test_worker_stops_when_nobody_waits_for_it(job, tmp_path):
    code = "from disentangle.studies import worker; worker.stop_when_left()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        process.stdin.close()
        assert process.wait(60) == -signal.SIGTERM


@pytest.fixture
def gpu(monkeypatch, fake):
    """A machine with a GPU, as far as the executor can see; nothing is trained or scored there."""
    monkeypatch.setattr(Local, "places", lambda self, device: [{"CUDA_VISIBLE_DEVICES": "0"}])

    def state(job):
        names = {"scored": "done", "trained": "unscored"}
        return next((names[n] for n in names if (job.path / n).exists()), "new")

    monkeypatch.setattr(Job, "state", state)
    monkeypatch.setattr(Job, "busy", lambda job: False)
    monkeypatch.setattr(group, "COMMAND", (sys.executable, "-c", GROUP))
    fake("path.mkdir(exist_ok=True); (path / 'scored').write_text(order['device'])")


GROUP = """
import json, os, pathlib, sys
for line in sys.stdin:
    order = json.loads(line)
    path = pathlib.Path(order["path"])
    path.mkdir(parents=True, exist_ok=True)
    (path / "trained").write_text(str(os.getpid()))
    print(json.dumps({"path": order["path"], "code": order["options"]["seed"] and 1, "why": "no"}))
    sys.stdout.flush()
"""


def recorded_jobs(tmp_path, compile, seeds=3):
    return recorded_plan(tmp_path, compile, seeds).jobs


def recorded_plan(tmp_path, compile, seeds=3):
    file = tmp_path / "mine.toml"
    options = f"seeds = {seeds}\ncompile = {str(compile).lower()}\nsteps = 5\nbatch_size = 8\n"
    file.write_text(f'[[runs]]\nmodel = "vae"\ndataset = "tiny"\n{options}')
    return load_plan(file, results=tmp_path / "results", device="cpu")


def test_recorded_trainings_share_a_process_and_are_scored_in_others(tmp_path, gpu):
    jobs = recorded_jobs(tmp_path, True, seeds=1)
    (jobs[0].path / "trained").parent.mkdir(parents=True, exist_ok=True)
    kinds = [event.kind for event in happened(Local(together=2), *jobs)]
    assert kinds == ["started", "started", "done"]
    assert (jobs[0].path / "scored").read_text() == "cuda"
    assert int((jobs[0].path / "trained").read_text()) != os.getpid()


def test_recorded_training_that_crashes_without_progress_is_given_up(tmp_path, gpu):
    second = recorded_jobs(tmp_path, True, seeds=2)[1]
    events = happened(Local(together=2, retries=1), second)
    assert [event.kind for event in events] == ["started", "again", "started", "failed"]
    assert events[-1].why.startswith("no; crashed")


@pytest.mark.parametrize(
    ("compile", "together", "width"), [(True, 16, 16), (True, 0, 1), (False, 16, 1)]
)
def test_width_counts_trainings_that_share_a_gpu(tmp_path, gpu, compile, together, width):
    jobs = recorded_jobs(tmp_path, compile)
    assert width_of(Local(together=together), "cuda", jobs) == width


def test_trial_alone_is_no_faster_than_the_gpu_that_it_shares(tmp_path, gpu, monkeypatch):
    monkeypatch.setattr("disentangle.studies.estimate.time_steps", lambda run, device: 0.5)
    monkeypatch.setattr(Local, "threads_each", lambda self, device: 1)
    plan = recorded_plan(tmp_path, True)
    estimate = Estimate(plan, Local(together=4), "cpu", lambda text: None)
    assert [*estimate.step.values()] == [0.5 * 4]
    assert estimate.width == 4


@pytest.mark.parametrize(("compile", "together"), [(False, 16), (True, 0)])
def test_other_trainings_have_a_process_each(tmp_path, gpu, compile, together):
    jobs = recorded_jobs(tmp_path, compile)
    events = happened(Local(together=together), *jobs)
    assert [event.kind for event in events] == ["started", "done"] * 3
    assert not any((job.path / "trained").exists() for job in jobs)
