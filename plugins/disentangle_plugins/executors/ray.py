"""Ray: Moritz et al. (2018), https://arxiv.org/abs/1712.05889, of which only tasks are used."""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from disentangle import DisentangleError, UsageError, knob
from disentangle.studies import (
    AGAIN,
    PATIENCE,
    POLL,
    THREADS,
    Attempt,
    Event,
    Events,
    Executor,
    Job,
    Waiting,
    attend,
    cores,
)

LEAST = 100 * 2**20
"""Bytes of Ray's object store here: nothing large goes through it."""
QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}
ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_worker_niceness": "0"}
"""Of a Ray of this machine alone: it listens to nobody else, and gives way to nobody."""


class Ray(Executor):
    """Trainings as tasks of Ray, on this machine or on a cluster whose machines share a folder.

    One that dies, or whose machine is lost, goes on from its checkpoint wherever there is room.
    """

    address: str = knob(
        default="", help="of a cluster, host:port or 'auto'; without, a Ray of this machine alone"
    )
    cpus: int = knob(default=1, min=1, help="cores, and so threads, of each training")
    gpus: float = knob(default=0.0, min=0, max=1, help="of each training; 0: one, if any is there")
    retries: int = knob(default=3, min=0, help="new starts of one that dies without getting on")

    def width(self, device: str) -> int:
        """Return how many trainings fit on the machines that are there now."""
        ray = connect(self.address)
        needs = self.needs(ray, device)
        there = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        width = sum(min(int(has.get(k, 0) / need) for k, need in needs.items()) for has in there)
        if not width and not self.address:  # a cluster may grow, this machine does not
            asked = " and ".join(f"{need:g} {kind}" for kind, need in needs.items())
            raise UsageError(f"a training of {asked} does not fit on this machine; ask for less")
        return width

    def threads_each(self, device: str) -> int:
        """Return the threads of each training."""
        return self.cpus

    def needs(self, ray: Any, device: str) -> dict[str, float]:
        """Return the resources of each training, by Ray's names."""
        gpus = 0.0
        if device in ("auto", "cuda"):
            there = device == "cuda" or "GPU" in ray.cluster_resources()
            gpus = self.gpus or (1.0 if there else 0.0)
        elif self.gpus or device.startswith("cuda"):
            raise UsageError(f"Ray gives each training its GPU: --device cuda, not {device}")
        return {"CPU": float(self.cpus), **({"GPU": gpus} if gpus else {})}

    def run(self, jobs: Sequence[Job], device: str) -> Events:
        """Run jobs to their ends; yield what happens; see `Executor.run`."""
        self.width(device)
        ray = connect(self.address)
        needs = self.needs(ray, device)
        task = ray.remote(attend).options(
            num_cpus=needs["CPU"], num_gpus=needs.get("GPU", 0), max_retries=0
        )
        ours = {name: value for name, value in os.environ.items() if name.startswith("DISENTANGLE")}
        place = {**ours, **dict.fromkeys(THREADS, str(self.cpus))}
        changes = {"device": "cuda"} if "GPU" in needs else {}
        waiting = Waiting(jobs, self.retries)
        tasks: dict[Any, Attempt] = {}
        try:
            while waiting or tasks:
                for found in waiting.due():
                    if isinstance(found, Event):
                        yield found
                    else:
                        order = found.job.order.model_copy(update=changes).model_dump_json()
                        tasks[task.remote(order, str(found.job.log), place)] = found
                ready = ray.wait([*tasks], num_returns=len(tasks), timeout=0)[0] if tasks else ()
                for said in ready:
                    try:
                        end = ray.get(next(said))
                    except ray.exceptions.RayError as error:
                        end = AGAIN, reason(error)
                    if end is None:
                        yield Event(tasks[said].job, "started")
                    else:
                        yield waiting.ended(tasks.pop(said), *end)
                yield None
                time.sleep(POLL)
        finally:
            stop(ray, [*tasks])


def connect(address: str) -> Any:
    """Return the module `ray`, quiet and connected.

    Raises:
        DisentangleError: Ray is not installed, or nothing answers there.
    """
    for name, value in (QUIET if address else {**QUIET, **ALONE}).items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        why = "Ray is missing; get it by: pip install 'disentangle-bench[ray]'"
        raise DisentangleError(why) from error
    if ray.is_initialized():
        return ray
    if address.startswith("ray://"):
        raise UsageError(f"{address}: run this on a machine of the cluster, with --address auto")
    if address and address != "auto":
        knock(address)
    with suppress(AttributeError):  # it prints a page for each lost machine; no setting stops it
        ray._private.worker.listen_error_messages = lambda worker, stopped: None
    here = {"num_cpus": cores(), "object_store_memory": LEAST, "include_dashboard": False}
    before = signal.getsignal(signal.SIGTERM)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        ray.init(address or "local", **quiet, **({} if address else here))
    except (ConnectionError, RuntimeError, ValueError) as error:
        hint = "; if the cluster asks for a token, set RAY_AUTH_MODE=token" if address else ""
        raise DisentangleError(f"no Ray {address or 'here'}: {error}{hint}") from error
    finally:  # with Ray's own handler, this process would abort within three seconds of a SIGTERM
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
    return ray


def knock(address: str) -> None:
    """Refuse an address where nobody listens: Ray itself would try for many minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except ValueError:
        raise UsageError(f"{address}: an address is host:port, or auto") from None
    except OSError as error:
        raise DisentangleError(f"{address}: no Ray answers there: {error}") from error


def stop(ray: Any, tasks: Sequence[Any]) -> None:
    """Let all tasks end, with checkpoints; kill those that take too long."""
    for task in tasks:
        ray.cancel(task)
    late = [task.completed() for task in tasks]
    try:
        if late:
            _, late = ray.wait(late, num_returns=len(late), timeout=PATIENCE + 5)
    finally:  # also when a second interrupt comes
        for task in late:
            ray.cancel(task, force=True)


def reason(error: Exception) -> str:
    """Return why a task ended that could not say so: the machine's story, or a traceback's end."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    last = type(error).__name__.startswith("RayTaskError")
    return lines[-1 if last else 0] if lines else type(error).__name__
