"""Ray: Moritz et al. (2018), https://arxiv.org/abs/1712.05889. Only its tasks are used."""

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
"""Bytes of a local Ray's object store, as nothing large goes through it."""
QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}
ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_worker_niceness": "0"}
"""Settings of a local Ray: it accepts no other machines and runs at normal priority."""


class Ray(Executor):
    """Trainings as Ray tasks, on this machine or on a cluster whose machines share a folder.

    A training that crashes or loses its machine resumes from its checkpoint on any free machine.
    """

    about = "Trainings as Ray tasks, on one machine or a cluster"

    address: str = knob(
        default="", help="address of a Ray cluster, host:port or 'auto'; empty: this machine only"
    )
    cpus: int = knob(default=1, min=1, help="CPU cores, and threads, for each training")
    gpus: float = knob(
        default=0.0, min=0, max=1, help="GPUs for each training; 0: one if available"
    )
    retries: int = knob(
        default=3, min=0, help="restarts allowed when a training crashes without progress"
    )

    def width(self, device: str) -> int:
        """Return the number of trainings that fit on the machines available now."""
        ray = connect(self.address)
        needs = self.needs(ray, device)
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        width = sum(min(int(has.get(k, 0) / need) for k, need in needs.items()) for has in machines)
        if not width and not self.address:  # a cluster may grow, this machine does not
            resources = " and ".join(f"{need:g} {name}" for name, need in needs.items())
            raise UsageError(f"a training with {resources} does not fit on this machine; use fewer")
        return width

    def threads_each(self, device: str) -> int:
        """Return the number of threads of each training."""
        return self.cpus

    def needs(self, ray: Any, device: str) -> dict[str, float]:
        """Return the resources of each training, by Ray's names."""
        gpus = 0.0
        if device in ("auto", "cuda"):
            available = device == "cuda" or "GPU" in ray.cluster_resources()
            gpus = self.gpus or (1.0 if available else 0.0)
        elif self.gpus or device.startswith("cuda"):
            raise UsageError(f"Ray assigns the GPUs: expected --device cuda, got {device}")
        return {"CPU": float(self.cpus), **({"GPU": gpus} if gpus else {})}

    def run(self, jobs: Sequence[Job], device: str) -> Events:
        """Run all jobs and yield events; see `Executor.run`."""
        self.width(device)
        ray = connect(self.address)
        needs = self.needs(ray, device)
        task = ray.remote(attend).options(
            num_cpus=needs["CPU"], num_gpus=needs.get("GPU", 0), max_retries=0
        )
        ours = {name: value for name, value in os.environ.items() if name.startswith("DISENTANGLE")}
        environment = {**ours, **dict.fromkeys(THREADS, str(self.cpus))}
        changes = {"device": "cuda"} if "GPU" in needs else {}
        waiting = Waiting(jobs, self.retries)
        tasks: dict[Any, Attempt] = {}
        try:
            while waiting or tasks:
                for attempt in waiting.due():
                    if isinstance(attempt, Event):
                        yield attempt
                    else:
                        order = attempt.job.order.model_copy(update=changes).model_dump_json()
                        tasks[task.remote(order, str(attempt.job.log), environment)] = attempt
                ready = ray.wait([*tasks], num_returns=len(tasks), timeout=0)[0] if tasks else ()
                for task_events in ready:
                    try:
                        end = ray.get(next(task_events))
                    except ray.exceptions.RayError as error:
                        end = AGAIN, reason(error)
                    if end is None:
                        yield Event(tasks[task_events].job, "started")
                    else:
                        yield waiting.ended(tasks.pop(task_events), *end)
                yield None
                time.sleep(POLL)
        finally:
            stop(ray, [*tasks])


def connect(address: str) -> Any:
    """Return the module `ray`, quiet and connected.

    Raises:
        DisentangleError: Ray is not installed, or no cluster answers at the address.
    """
    for name, value in (QUIET if address else {**QUIET, **ALONE}).items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        message = "Ray is not installed. Run `pip install 'disentangle-bench[ray]'`."
        raise DisentangleError(message) from error
    if ray.is_initialized():
        return ray
    if address.startswith("ray://"):
        raise UsageError(f"{address}: run this on a machine of the cluster with --address auto")
    if address and address != "auto":
        knock(address)
    with suppress(AttributeError):  # Ray prints a page per lost machine, and no setting stops it
        ray._private.worker.listen_error_messages = lambda worker, stopped: None
    here = {"num_cpus": cores(), "object_store_memory": LEAST, "include_dashboard": False}
    before = signal.getsignal(signal.SIGTERM)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        ray.init(address or "local", **quiet, **({} if address else here))
    except (ConnectionError, RuntimeError, ValueError) as error:
        hint = "; if the cluster needs a token, set RAY_AUTH_MODE=token" if address else ""
        where = f"connect to Ray at {address}" if address else "start Ray on this machine"
        raise DisentangleError(f"cannot {where}: {error}{hint}") from error
    finally:  # Ray's own handler would abort this process within three seconds of a SIGTERM
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
    return ray


def knock(address: str) -> None:
    """Raise if nothing listens at an address, as Ray itself would retry for many minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except ValueError:
        raise UsageError(f"expected an address host:port or auto, got {address}") from None
    except OSError as error:
        raise DisentangleError(f"no Ray cluster answers at {address}: {error}") from error


def stop(ray: Any, tasks: Sequence[Any]) -> None:
    """Ask all tasks to stop with a checkpoint; kill those that take too long."""
    for task in tasks:
        ray.cancel(task)
    late = [task.completed() for task in tasks]
    try:
        if late:
            _, late = ray.wait(late, num_returns=len(late), timeout=PATIENCE + 5)
    finally:  # also on a second interrupt
        for task in late:
            ray.cancel(task, force=True)


def reason(error: Exception) -> str:
    """Summarise why a task failed: the first line about the machine, or a traceback's last line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    last = type(error).__name__.startswith("RayTaskError")
    return lines[-1 if last else 0] if lines else type(error).__name__
