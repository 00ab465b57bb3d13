"""Several trainings in one process: each is the same as alone, and none ends another."""

import os
import signal
import time

import pytest
import torch
from helpers.training_runs import logged, weights

from disentangle.runs.run import read_run
from disentangle.studies.group import Group, Member, SharedGpu
from disentangle.studies.jobs import log_of
from disentangle.studies.plan import load_plan
from disentangle.studies.process import DONE, FINAL, OUT_OF_TIME, stop
from disentangle.training.train import train

pytestmark = pytest.mark.usefixtures("strangers")
SMALL = {"dataset": "tiny", "batch_size": 8, "latents": 3}
FILE = """
pictures = false
[defaults]
dataset = "tiny"
batch_size = 8
latents = 3
[[runs]]
model = "beta-vae"
seeds = {seeds}
steps = {steps}
"""


@pytest.fixture
def make_jobs(tmp_path):
    def make(steps, seeds=3):
        file = tmp_path / "mine.toml"
        file.write_text(FILE.format(steps=steps, seeds=seeds))
        return load_plan(file, results=tmp_path / "together", device="cpu").jobs

    return make


@pytest.fixture
def group(tmp_path):
    made = Group(tmp_path / "gpu.log", {"OMP_NUM_THREADS": "1"})
    yield made
    stop([made])


def send(group, job, **options):
    order = job.order.model_copy(update={"options": {**job.order.options, **options}})
    group.send(order.model_dump_json())
    return Member(group, order.path)


def end_of(member, seconds=120.0):
    deadline = time.monotonic() + seconds
    while (end := member.ended()) is None:
        assert time.monotonic() < deadline, member.group.log.read_text()
        time.sleep(0.02)
    return end


def test_trainings_together_equal_each_alone(make_jobs, group, tmp_path):
    jobs = make_jobs(40)
    members = [send(group, job) for job in jobs]
    assert [end_of(member)[0] for member in members] == [DONE] * 3
    for seed, job in enumerate(jobs):
        alone = train(
            "beta-vae", **SMALL, steps=40, seed=seed, figures=False, results=tmp_path / "alone"
        )
        together = read_run(job.path)
        assert all(torch.equal(v, weights(together)[k]) for k, v in weights(alone).items())
        assert logged(together) == logged(alone)
        assert "loss" in log_of(job.path).read_text()


def test_training_that_fails_ends_no_other(make_jobs, group):
    good, bad, _ = make_jobs(30)
    # Not the planned run, as its learning rate is another one; only how it ends matters here.
    members = send(group, bad, lr=1e30), send(group, good)
    code, why = end_of(members[0])
    assert code == FINAL
    assert "not finite" in why
    assert end_of(members[1]) == (DONE, end_of_log(good))


def end_of_log(job):
    return log_of(job.path).read_text().strip().rpartition("\n")[2]


def test_stopped_trainings_leave_checkpoints_and_continue_to_the_same_end(
    make_jobs, group, tmp_path
):
    jobs = make_jobs(3_000, seeds=2)
    members = [send(group, job) for job in jobs]
    while not all(log_of(job.path).exists() and "loss" in end_of_log(job) for job in jobs):
        time.sleep(0.02)
    os.kill(group.process.pid, signal.SIGTERM)
    ends = [end_of(member) for member in members]
    assert [code for code, _ in ends] == [128 + signal.SIGTERM] * 2
    assert all("stopped after step" in why for _, why in ends)
    assert all(job.path.joinpath("checkpoint.safetensors").exists() for job in jobs)


@pytest.mark.slow
def test_trainings_stop_with_checkpoints_before_their_deadline(make_jobs, group):
    jobs, deadline = make_jobs(100_000, seeds=2), time.time() + 25
    for job in jobs:
        job.order = job.order.model_copy(update={"deadline": deadline})
    ends = [end_of(member) for member in [send(group, job) for job in jobs]]
    assert time.time() < deadline
    assert [code for code, _ in ends] == [OUT_OF_TIME] * 2
    assert all("stopped at the time limit, after step" in why for _, why in ends)
    assert all(read_run(job.path).load_checkpoint().step > 0 for job in jobs)


def test_process_that_dies_ends_all_its_trainings_with_the_reason(make_jobs, group):
    members = [send(group, job) for job in make_jobs(100_000, seeds=2)]
    group.process.kill()
    assert [end_of(member) for member in members] == [
        (-signal.SIGKILL, "killed by SIGKILL (out of memory?)")
    ] * 2


def test_new_process_takes_the_place_of_one_that_ended(make_jobs, tmp_path):
    shared = SharedGpu({"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"})
    first, second = make_jobs(10, seeds=2)
    try:
        shared.join(first)
        shared.groups[0].process.kill()
        shared.groups[0].process.wait()
        code, why = end_of(shared.join(second))
        assert len(shared.groups) == 2
        assert code != DONE
        assert "cuda" in why.lower()  # none is there, and no other device takes its place
    finally:
        stop(shared.groups)
