"""Slurm's executor, on a real Slurm of one node on this machine where it is installed."""

import os
import signal
import subprocess
import sys
import time

import pytest
from helpers.slurm_cluster import missing_programs, slurm

from disentangle.errors import DisentangleError, UsageError
from disentangle.runs.scores import read_scores
from disentangle.studies import process
from disentangle.studies.executor import executor_of
from disentangle.studies.jobs import Order
from disentangle.studies.plan import load_plan
from disentangle.studies.retries import Attempt
from disentangle.training.train import train
from disentangle_plugins.executors.slurm import executor as slurm_executor
from disentangle_plugins.executors.slurm import queue as slurm_queue
from disentangle_plugins.executors.slurm import task as slurm_task
from disentangle_plugins.executors.slurm.commands import minutes_of, outside_of_a_job, refusal
from disentangle_plugins.executors.slurm.executor import Slurm
from disentangle_plugins.executors.slurm.queue import CANCELLED, Queue

pytestmark = pytest.mark.usefixtures("strangers")
submitit = pytest.importorskip("submitit")
LIMIT = 120.0
"""Seconds that anything may take; far more than it does."""
MISSING = missing_programs()
real = pytest.mark.skipif(
    bool(MISSING),
    reason=f"needs a Slurm: {', '.join(MISSING)} not installed (`apt-get install slurm-wlm munge`)",
)
STUDY = """
pictures = false
[defaults]
dataset = "tiny"
batch_size = 8
network = "burgess"
[[scores]]
metrics = ["spread"]
[[runs]]
model = "vae"
"""


@pytest.fixture(scope="module")
def cluster():
    """The variables of a Slurm, started for the tests of this file."""
    with slurm() as environment:
        yield environment


@pytest.fixture
def here(cluster, monkeypatch):
    """A Slurm that the tests and the executor find."""
    for name, value in cluster.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(slurm_executor, "LOOK", 0.3)


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """A function that puts a script in the place of a command of Slurm."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)

    def put(name, script):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    for name in ("sbatch", "squeue", "sacct"):
        put(name, "exit 0")
    return put


@pytest.fixture
def signals():
    """Restore the handlers of signals that a task sets."""
    numbers = signal.SIGUSR2, signal.SIGTERM
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def plan(tmp_path, runs):
    file = tmp_path / "study.toml"
    file.write_text(STUDY + runs)
    return load_plan(file, results=tmp_path / "results", device="cpu").jobs


@pytest.fixture
def job(tmp_path):
    """A job of a study."""
    return plan(tmp_path, "steps = 5")[0]


def until(condition, events):
    """Follow events until a condition holds, or to their end; return those that came."""
    seen, end = [], time.monotonic() + LIMIT
    for event in events:
        if event is not None:
            seen.append(event)
        if condition():
            break
        assert time.monotonic() < end, seen
    return seen


def never():
    return False


def kinds_of(job, events):
    return [event.kind for event in events if event.job is job]


def has_trained(job):
    """True if a run has steps of training behind it that a checkpoint can keep."""
    return (job.path / "log.jsonl").exists()


def same_as_uninterrupted(job, folder):
    """True if a run's weights are those of a training in this process."""
    options = {**job.order.options, "results": folder}
    whole = train("vae", "tiny", device="cpu", figures=False, **options)
    return whole.record.weights == job.run().record.weights


@real
@pytest.mark.slow
def test_requeued_and_cancelled_jobs_end_with_the_same_bits(here, tmp_path):
    jobs = first, second = plan(tmp_path, "steps = 300\nseeds = 2")
    leaving = Slurm(wait=False)
    events = until(never, leaving.run(jobs, "cpu"))
    assert [event.kind for event in events] == ["queued", "queued"]
    numbers = Queue(jobs).numbers
    assert "2 runs go on in Slurm" in leaving.detached(jobs)
    until(never, leaving.run(jobs, "cpu"))
    assert Queue(jobs).numbers == numbers  # none was submitted again

    following = Slurm().run(jobs, "cpu")
    signals = {
        first: ["--signal=USR2", numbers[first.record.id]],  # as before its time limit
        second: [numbers[second.record.id]],
    }

    def interrupted():
        for job in filter(has_trained, list(signals)):
            subprocess.run(["scancel", *signals.pop(job)], check=True)
        return not signals

    seen = until(interrupted, following) + until(never, following)
    assert kinds_of(first, seen)[-3:] == ["queued", "started", "done"]
    assert kinds_of(second, seen)[-1] == "failed"
    (why,) = [event.why for event in seen if event.kind == "failed"]
    assert "was cancelled; run the same command to resume it" in why
    assert second.run().load_checkpoint().step > 0

    assert kinds_of(second, until(never, Slurm().run([second], "cpu")))[-1] == "done"
    for job in jobs:
        assert job.log.read_text().count("training on") == 2
        assert [score.metric for score in read_scores(job.run())] == ["spread"]
        assert same_as_uninterrupted(job, tmp_path / "whole")
    assert Slurm().detached(jobs) == ""


@real
@pytest.mark.slow
def test_results_folder_that_nodes_do_not_see(here, job, tmp_path):
    script = tmp_path / "options.sh"
    script.write_text("#!/bin/bash\n#SBATCH --output=/nowhere/log\n")
    (event,) = [e for e in until(never, Slurm(script=str(script)).run([job], "cpu"))][-1:]
    assert event.kind == "failed"
    assert f"results folder {tmp_path / 'results'} must be at the same path" in event.why


@real
@pytest.mark.slow
@pytest.mark.parametrize(
    ("on", "message"),
    [
        ("partition=nope", "Invalid partition name specified; `sinfo -s` lists the partitions"),
        ("gpus=1", "Invalid generic resource (gres) specification; `sinfo -o '%P %G'` lists"),
        ("constraint=a100", "Invalid feature specification; `sinfo -o '%P %f'` lists"),
    ],
)
def test_refused_jobs_leave_nothing(here, command, tmp_path, on, message):
    (tmp_path / "study.toml").write_text(STUDY)
    code, _, err = command("sweep", "study.toml", "--on", f"slurm:{on}")
    assert (code, message in err, err.count("\n")) == (2, True, 1)
    assert not (tmp_path / "results").exists()


@real
@pytest.mark.slow
def test_jobs_that_fit_on_no_node_leave_nothing(here, job, tmp_path):
    with pytest.raises(UsageError, match="node configuration is not available; `sinfo -o"):
        until(never, Slurm(memory="900G").run([job], "cpu"))
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
def test_task_requeued_by_submitit_on_this_machine_ends_with_the_same_bits(tmp_path):
    (job,) = plan(tmp_path, "steps = 100")
    executor = submitit.LocalExecutor(tmp_path / "jobs", max_num_timeout=9)
    executor.update_parameters(timeout_min=60)
    submitted = executor.submit(slurm_task.task_of(job, "cpu", 1, 3))
    end = time.monotonic() + LIMIT
    while not has_trained(job):
        assert time.monotonic() < end
        time.sleep(0.05)
    (task,) = subprocess.check_output(["pgrep", "-P", submitted.job_id], text=True).split()
    os.kill(int(task), signal.SIGUSR2)
    assert submitted.result()[0] == process.DONE
    assert job.log.read_text().count("training on") == 2
    assert same_as_uninterrupted(job, tmp_path / "whole")


def test_task_restarts_a_crashed_worker_until_it_makes_no_progress(job, monkeypatch, signals):
    count = "import pathlib, sys; sys.stdin.readline(); print('out of memory'); sys.exit(1)"
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-c", count))
    monkeypatch.setattr(process, "POLL", 0.01)
    monkeypatch.setattr(slurm_task, "delay", lambda crashes: 0)
    task = slurm_task.task_of(job, "cpu", 1, retries=2)
    assert task() == (process.FINAL, "out of memory; crashed 3 times without progress")
    assert job.log.read_text().count("out of memory") == 3


def test_task_without_progress_in_its_time_is_not_requeued_for_ever(job, monkeypatch, signals):
    stop = "import os, signal, time; os.kill(os.getppid(), signal.SIGUSR2); time.sleep(60)"
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-c", stop))
    signal.signal(signal.SIGUSR2, lambda *_: pytest.fail("requeued"))
    code, why = slurm_task.task_of(job, "cpu", 1, retries=0)()
    assert (code, why) == (process.FINAL, "no progress within the time limit; request more `time`")


def test_task_that_gets_a_warning_requeues(job, monkeypatch, signals):
    stop = "import os, signal, time; os.kill(os.getppid(), signal.SIGUSR2); time.sleep(60)"
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-c", stop))
    signal.signal(signal.SIGUSR2, lambda *_: sys.exit("requeued"))
    task = slurm_task.task_of(job, "cpu", 1, retries=1)
    with pytest.raises(SystemExit, match="requeued"):
        task()
    assert task.checkpoint().function.idle == 1


@pytest.mark.parametrize(
    ("row", "code", "words"),
    [
        ("7|RUNNING|n1|None", None, ""),
        ("7|PENDING||Priority", None, ""),
        ("7|COMPLETED|n1|None", None, ""),  # its result may be late
        ("7|CANCELLED|n1|None", CANCELLED, "was cancelled"),
        ("7|OUT_OF_MEMORY|n1|None", process.AGAIN, "OUT_OF_MEMORY; request more `memory`"),
        ("7|NODE_FAIL|n1|None", process.AGAIN, "ended as NODE_FAIL"),
        ("7|FAILED|n1|JobLaunchFailure", process.FINAL, "must be at the same path"),
        ("", process.AGAIN, "ended as TIMEOUT"),  # as sacct says
    ],
)
def test_ends_of_jobs(job, fake, row, code, words):
    fake("squeue", f"echo '{row}'" if row else "")
    fake("sacct", "echo TIMEOUT")
    end = Queue([job]).end("7")
    assert (end and end[0]) == code
    assert words in (end[1] if end else "")


@pytest.mark.parametrize(
    ("row", "kind", "why"),
    [
        ("7|RUNNING|n1|None", "started", "Slurm job 7 on n1"),
        ("7|PENDING||Priority", "queued", "Slurm job 7"),
        ("7|PENDING||PartitionTimeLimit", "queued", "Slurm job 7: PartitionTimeLimit"),
        (
            "7|PENDING||JobHeldAdmin",
            "queued",
            "Slurm job 7: JobHeldAdmin; `scontrol release 7` lets it start",
        ),
    ],
)
def test_events_of_jobs_say_where_they_are(job, fake, row, kind, why):
    fake("squeue", f"echo '{row}'")
    event = Queue([job]).event(job, "7")
    assert (event.kind, event.why) == (kind, why)


def test_failures_of_jobs_that_nobody_waited_for_are_reported_once(job, fake):
    fake("sbatch", "echo Submitted batch job 8")
    queue = Queue([job])
    queue.folder.mkdir(parents=True)
    queue.add([job], ["7"])
    submitit.core.utils.cloudpickle_dump(("success", (process.FINAL, "no way")), queue.result("7"))
    events = [event for event in Slurm(wait=False).run([job], "cpu") if event]
    assert [(event.kind, event.why) for event in events] == [("failed", "no way")]
    events = [event for event in Slurm(wait=False).run([job], "cpu") if event]
    assert [(event.kind, event.why) for event in events] == [("queued", "Slurm job 8")]


def test_job_that_another_sweep_submitted_meanwhile_is_not_submitted_again(job, fake, tmp_path):
    fake("sbatch", f"echo x >> {tmp_path / 'calls'}; echo Submitted batch job 7")
    fake("squeue", "echo '7|PENDING||Priority'")
    queue, other = Queue([job]), Queue([job])
    for each in (queue, other):
        attempt = Attempt(job)
        assert Slurm().submit([attempt], each, "cpu") == {"7": attempt}
    assert (tmp_path / "calls").read_text() == "x\n"


def test_slurm_that_stops_answering_ends_the_wait_after_a_while(job, fake, monkeypatch):
    queue = Queue([job])
    fake("squeue", "echo 'slurm_load_jobs error: Protocol authentication error' >&2; exit 1")
    queue.look()
    monkeypatch.setattr(slurm_queue, "SILENCE", -1.0)
    with pytest.raises(DisentangleError, match=r"does not answer: Protocol authentication error"):
        queue.look()


@pytest.mark.parametrize(
    ("output", "kind", "message"),
    [
        (
            "sbatch: error: Batch job submission failed: Invalid account or account/partition "
            "combination specified\n",
            UsageError,
            "refuses these jobs: Invalid account or account/partition combination specified; "
            "`sacctmgr show associations user=$USER`",
        ),
        (
            "sbatch: error: invalid partition specified: nope\n"
            "allocation failure: Invalid partition name specified\n",
            UsageError,
            "refuses these jobs: Invalid partition name specified; `sinfo -s`",
        ),
        (
            "sbatch: error: If munged is up, restart with --num-threads=10\n"
            "allocation failure: Protocol authentication error\n",
            DisentangleError,
            "does not answer: Protocol authentication error. If `sinfo` fails too, log in again",
        ),
        (
            "allocation failure: Unable to contact slurm controller (connect failure)\n",
            DisentangleError,
            "does not answer: Unable to contact slurm controller",
        ),
        ("", UsageError, "refuses these jobs: no reason given"),
    ],
)
def test_refusals_say_what_to_do(output, kind, message):
    error = refusal(output)
    assert (type(error), message in str(error)) == (kind, True)


def test_full_queue_is_no_reason_not_to_come_back(fake):
    full = "allocation failure: Job violates accounting/QOS policy (job submit limit)"
    fake("sbatch", f"echo '{full}' >&2; exit 1")
    assert Slurm().check("auto") == "cpu"
    fake("sbatch", "echo 'allocation failure: Invalid qos specification' >&2; exit 1")
    with pytest.raises(UsageError, match="Invalid qos specification; `sacctmgr"):
        Slurm(qos="high").check("auto")


def test_deadline_of_the_sweep_is_not_that_of_its_jobs(job):
    job.order = job.order.model_copy(update={"deadline": time.time()})
    order = Order.model_validate_json(slurm_task.task_of(job, "cpu", 1, retries=1).order)
    assert order.deadline is None


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("90", 90),
        ("90m", 90),
        ("4h", 240),
        ("1.5h", 90),
        ("1h30m", 90),
        ("2d", 2880),
        ("1-12:30:00", 2190),
    ],
)
def test_time_limits(text, minutes):
    assert minutes_of(text) == minutes


@pytest.mark.parametrize(
    ("text", "message"),
    [("soon", "expected a time such as 90m"), ("2m", "expected a time of at least 5m")],
)
def test_time_limits_that_are_refused(fake, text, message):
    with pytest.raises(UsageError, match=message):
        Slurm(time=text).width("auto")


def test_device_is_what_the_job_requests(fake, tmp_path):
    script = tmp_path / "script.sh"
    script.write_text("#SBATCH --gres=gpu:a100:1\n")
    assert Slurm().check("auto") == "cpu"
    assert Slurm(gpus=1).check("auto") == "cuda"
    assert Slurm(script=str(script)).check("auto") == "auto"
    assert Slurm(script=str(script)).check("cpu") == "cpu"
    for executor, device in ((Slurm(), "cuda"), (Slurm(gpus=1), "cpu")):
        with pytest.raises(UsageError, match=f"assigns the GPUs.* --device {device}"):
            executor.check(device)


def test_slurm_checks_the_options_of_the_script(fake, tmp_path):
    seen = tmp_path / "seen"
    fake("sbatch", f'echo "$@" > {seen}; cat >> {seen}')
    script = tmp_path / "script.sh"
    script.write_text("#!/bin/sh\n#SBATCH --nice=5\nmodule load cuda\n")
    given = {"script": str(script), "retries": 1}
    executor = executor_of("slurm:partition=gpu,time=2h,cpus=4,gpus=1,memory=8G", given)
    assert executor.width("auto") == slurm_executor.ARRAY
    assert seen.read_text().splitlines() == [
        "--test-only --partition=gpu --time=120 --cpus-per-task=4 --gpus-per-node=1 --mem=8G",
        *("#!/bin/bash", "#SBATCH --nice=5", "module load cuda", "true"),
    ]


def test_script_that_is_not_there(fake):
    with pytest.raises(UsageError, match="expected a readable file, got script=nowhere"):
        Slurm(script="nowhere").width("auto")


def test_message_without_submitit(monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(DisentangleError, match=r"pip install 'disentangle-bench\[slurm\]'"):
        Slurm().width("cpu")


def test_message_without_slurm(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DisentangleError, match="no Slurm on this machine"):
        Slurm().width("cpu")


def test_new_jobs_do_not_inherit_the_variables_of_this_one(monkeypatch):
    for name in ("SLURM_JOB_ID", "SLURM_CONF", "SBATCH_ACCOUNT"):
        monkeypatch.setenv(name, "x")
    with outside_of_a_job():
        assert "SLURM_JOB_ID" not in os.environ
        assert {"SLURM_CONF", "SBATCH_ACCOUNT"} <= set(os.environ)
    assert "SLURM_JOB_ID" in os.environ


def test_leaving_the_sweep_says_what_goes_on_and_how_to_cancel_it(fake, job, command, tmp_path):
    fake("sbatch", "echo Submitted batch job 7")
    fake("squeue", "echo '7|PENDING||Priority'")
    code, out, err = command("sweep", "study.toml", "--on", "slurm", "--no-wait", "--device", "cpu")
    assert (code, out) == (0, "")
    assert "vae seed=0: queued (Slurm job 7)" in err
    assert "0 of 1 done, 1 queued" in err
    assert (
        "1 run goes on in Slurm (0 running, 1 queued); `scancel 7` stops with a checkpoint." in err
    )
    assert "Run `disentangle sweep study.toml --on slurm --no-wait" in err


def test_interrupted_sweep_says_that_its_jobs_go_on(fake, job, command, monkeypatch):
    fake("sbatch", "echo Submitted batch job 7")
    fake("squeue", "echo '7|RUNNING|n1|None'")

    def interrupt(seconds):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(slurm_executor, "pause", interrupt)
    code, _, err = command("sweep", "study.toml", "--on", "slurm", "--device", "cpu")
    assert code == 130
    assert "1 run goes on in Slurm (1 running, 0 queued); `scancel 7` stops" in err
    assert "stopped. Run" not in err
