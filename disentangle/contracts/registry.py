"""The groups of plugins, each with the contract of its plugins."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from disentangle.contracts.entry_points import Entry, Group, every_entry
from disentangle.contracts.entry_points import networks as networks
from disentangle.errors import DisentangleError

if TYPE_CHECKING:
    from collections.abc import Callable

    from disentangle.contracts.dataset import Dataset
    from disentangle.contracts.external_encoder import ExternalEncoder
    from disentangle.contracts.metric import Metric
    from disentangle.contracts.model import Model
    from disentangle.contracts.references import Reference
    from disentangle.contracts.tracker import Tracker


models: "Group[type[Model]]" = Group("model", "disentangle:Model")
datasets: "Group[Callable[[Any], Dataset]]" = Group("dataset", "open(location) -> Dataset")
metrics: "Group[type[Metric[Any]]]" = Group("metric", "disentangle:Metric")
executors: Group[Any] = Group("executor", "disentangle.studies:Executor")
collections: "Group[Callable[[Any, Reference], Dataset]]" = Group(
    "collection", "open(location, reference) -> Dataset"
)
encoders: "Group[Callable[..., ExternalEncoder]]" = Group(
    "encoder", "load(reference, *, download) -> ExternalEncoder"
)
trackers: "Group[type[Tracker]]" = Group("tracker", "disentangle:Tracker")
groups: tuple[Group[Any], ...] = (
    *(models, datasets, metrics, networks, executors),
    *(collections, encoders, trackers),
)


def check_imports(timeout: float = 120.0) -> Iterator[tuple[Entry, str]]:
    """Import every plugin in a subprocess; yield each with an error message, "" if it imports.

    If a plugin ends or hangs the process, only that plugin fails: a new process tries the rest.
    """
    entries = every_entry()
    done = 0
    while done < len(entries):
        call = f"from disentangle.contracts.registry import _import_from; _import_from({done})"
        command = [sys.executable, "-c", call]
        try:
            result = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=timeout
            )
            output, failure = result.stdout, f"ended the process (exit code {result.returncode})"
        except subprocess.TimeoutExpired as expired:
            output, failure = expired.stdout or b"", f"did not finish in {timeout:g} s"
        for line in output.decode(errors="replace").splitlines():
            if line.startswith(f"[{done}, "):
                yield entries[done], json.loads(line)[1]
                done += 1
        if done < len(entries):
            yield entries[done], f"{entries[done].who}: importing it {failure}"
            done += 1


def _import_from(start: int) -> None:
    """Import the plugins from index `start` on; report each as a line of JSON."""
    for number, entry in list(enumerate(every_entry()))[start:]:
        try:
            group = next(group for group in groups if group.kind == entry.kind)
            group.check(entry.load(), entry.who)
            group.entry(entry.name)
            problem = ""
        except DisentangleError as error:
            problem = str(error)
        sys.stdout.write("\n" + json.dumps([number, problem]) + "\n")
        sys.stdout.flush()
