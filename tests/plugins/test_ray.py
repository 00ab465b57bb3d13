"""Ray's executor, on a real cluster of two nodes on this machine."""

import socket
import sys
import time
from types import SimpleNamespace

import pytest

from disentangle.errors import DisentangleError, UsageError
from disentangle.runs.scores import read_scores
from disentangle.studies.executor import executor_of
from disentangle.studies.plan import load_plan
from disentangle.training.train import train
from disentangle_plugins.executors.ray import ALONE, QUIET, Ray, reason

LIMIT = 120.0
"""Seconds that anything may take; far more than it does."""
STUDY = """
pictures = false
[defaults]
dataset = "tiny"
batch_size = 8
network = "burgess"
[[scores]]
metrics = ["spread"]
"""


@pytest.fixture
def cluster(strangers, monkeypatch):
    """A cluster without nodes yet, which listen to this machine alone, and know the strangers."""
    for name, value in {**QUIET, **ALONE}.items():
        monkeypatch.setenv(name, value)
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    made = Cluster()
    try:
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


def plan(tmp_path, runs):
    file = tmp_path / "study.toml"
    file.write_text(STUDY + runs)
    return load_plan(file, results=tmp_path / "results", device="cpu").jobs


def until(condition, events):
    """Follow events until a condition holds, or to their end; return those that came."""
    seen, end = [], time.monotonic() + LIMIT
    for event in events:
        if event is not None:
            seen.append((event.job.record.model, event.kind, event.why))
        if condition():
            break
        assert time.monotonic() < end, seen
    return seen


def never():
    return False


@pytest.mark.slow
def test_lost_node_costs_no_run_and_no_bit(cluster, tmp_path):
    runs = '[[runs]]\nmodel = "exploding"\nsteps = 9\n[[runs]]\nmodel = "vae"\nsteps = 300\n'
    bad, job = plan(tmp_path, runs)
    cluster.add_node(num_cpus=0)
    second = cluster.add_node(num_cpus=1)
    events = Ray(address=cluster.address).run([bad, job], "cpu")
    seen = until((job.path / "checkpoint.safetensors").exists, events)
    cluster.remove_node(second, allow_graceful=False)
    cluster.add_node(num_cpus=1)
    seen += until(never, events)
    (failed,) = [why for model, kind, why in seen if (model, kind) == ("exploding", "failed")]
    assert "not finite" in failed
    kinds = [kind for model, kind, why in seen if model == "vae"]
    assert kinds == ["started", "again", "started", "done"]
    assert [score.metric for score in read_scores(job.run())] == ["spread"]
    words = job.log.read_text().split("training on")[2].split()
    assert int(words[words.index("step") + 1]) > 30  # it began at the checkpoint, not before
    options = {**job.order.options, "results": tmp_path / "whole"}
    whole = train("vae", "tiny", device="cpu", figures=False, **options)
    assert whole.record.weights == job.run().record.weights


@pytest.mark.slow
def test_closing_it_stops_all_with_checkpoints(cluster, tmp_path):
    import ray

    cluster.add_node(num_cpus=1)
    cluster.add_node(num_cpus=1)
    jobs = plan(tmp_path, '[[runs]]\nmodel = "vae"\nsteps = 1_000_000\nseeds = 3')
    events = Ray(address=cluster.address).run(jobs, "cpu")
    until(lambda: sum((job.path / "log.jsonl").exists() for job in jobs) == 2, events)
    began = time.monotonic()
    events.close()
    assert time.monotonic() - began < 30
    assert sorted(job.state() for job in jobs) == ["new", "unfinished", "unfinished"]
    assert not any(job.busy() for job in jobs)
    for run in filter(None, [job.run() for job in jobs]):
        assert run.load_checkpoint().step > 0
    while ray.available_resources().get("CPU") != 2:
        assert time.monotonic() - began < LIMIT
        time.sleep(0.1)


def fake(*nodes):
    """Return what stands in for the module of Ray, with machines of these resources."""
    total = {kind: 1.0 for node in nodes for kind in node}
    alive = [{"Alive": True, "Resources": node} for node in nodes]
    return SimpleNamespace(
        is_initialized=lambda: True, nodes=lambda: alive, cluster_resources=lambda: total
    )


def test_as_many_at_a_time_as_fit_on_the_machines(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", fake({"CPU": 8.0, "GPU": 1.0}, {"CPU": 5.0}))
    assert Ray().width("auto") == 1  # the one GPU
    assert Ray(gpus=0.25).width("auto") == 4
    assert Ray(gpus=0.25, cpus=4).width("cuda") == 2
    assert Ray(cpus=2).width("cpu") == 6
    with pytest.raises(UsageError, match="with 9 CPU does not fit"):
        Ray(cpus=9).width("cpu")
    assert Ray(cpus=9, address="a:1").width("cpu") == 0  # it may grow
    with pytest.raises(UsageError, match="--device cuda, got cuda:1"):
        Ray().width("cuda:1")
    with pytest.raises(UsageError, match="--device cuda, got cpu"):
        Ray(gpus=0.5).width("cpu")


def test_message_without_ray(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DisentangleError, match=r"pip install 'disentangle-bench\[ray\]'"):
        executor_of("ray:gpus=0.5", {"address": "auto"}).width("cpu")


def test_addresses_where_no_cluster_can_be_are_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: False))
    with pytest.raises(UsageError, match="--address auto"):
        Ray(address="ray://here:10001").width("cpu")
    with pytest.raises(UsageError, match="host:port"):
        Ray(address="here").width("cpu")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        with pytest.raises(DisentangleError, match="no Ray cluster answers at"):
            Ray(address=f"127.0.0.1:{taken.getsockname()[1]}").width("cpu")


def test_reason_is_the_machines_story_or_the_end_of_a_traceback():
    assert reason(RuntimeError("The node died.\nIts IP is 1.2.3.4.")) == "The node died."
    kind = type("RayTaskError(OSError)", (Exception,), {})
    assert reason(kind("Traceback:\n  line 3\nOSError: read-only\n")) == "OSError: read-only"
    assert reason(RuntimeError()) == "RuntimeError"
