"""MLflow: https://mlflow.org. A server, or a SQLite file that runs share."""

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

from disentangle import TrackedRun, Tracker, TrackerEntry, UsageError, knob

SQLITE = "sqlite:///"
MOST = 1_000
"""Number of metrics that MLflow takes at once."""
EACH = ("training/active", "training/images_per_second", "loss")
"""Metrics that every entry of a log has at least one of; their last step is the entry's."""
STATES = {"finished": "FINISHED", "failed": "FAILED", "unfinished": "KILLED"}


class MLflow(Tracker):
    """Creates a run in an experiment; a run that is resumed continues it."""

    about = "MLflow: a tracking server, or a local SQLite file"

    uri: str = knob(
        default="",
        help="address of a server, or sqlite:///FILE; empty: MLFLOW_TRACKING_URI, else mlflow.db",
    )
    experiment: str = knob(default="disentangle", help="name of the experiment")
    name: str = knob(default="", help="name of the run; empty: as `disentangle runs` shows it")

    def __post_init__(self) -> None:
        super().__post_init__()
        if re.search(r"://[^/@]+@", self.uri):
            raise UsageError(
                "tracker 'mlflow': the uri holds a user or password, which would be written to "
                "records. Run `export MLFLOW_TRACKING_URI=...` with it, and leave out uri"
            )
        if not self.uri and "MLFLOW_TRACKING_URI" not in os.environ:
            self.uri = SQLITE + "mlflow.db"
        if self.uri.startswith(SQLITE):
            file = Path(self.uri.removeprefix(SQLITE)).expanduser().absolute()
            self.uri = SQLITE + str(file)
            if not file.parent.is_dir():
                raise UsageError(f"tracker 'mlflow': the folder {file.parent} does not exist")

    def packages(self) -> Sequence[str]:
        """Return the packages that are needed."""
        return ("mlflow", "sqlalchemy", "alembic") if self.uri.startswith(SQLITE) else ("mlflow",)

    def open(self, run: TrackedRun) -> TrackerEntry:
        """Create a run with its settings, or continue it after the last step that it has."""
        from mlflow import MlflowClient

        with self.alone():
            self.client: Any = MlflowClient(tracking_uri=self.uri or None)
            experiment = self.experiment_id()
        name = self.name or run.name
        if run.entry:
            self.id = run.entry
            self.client.update_run(self.id, status="RUNNING", name=name)
        else:
            tags = {"mlflow.note.content": run.note, "study": run.study, "folder": str(run.path)}
            self.id = self.client.create_run(experiment, run_name=name, tags=tags).info.run_id
            for key, value in run.settings.items():
                self.client.log_param(self.id, key, value)
        where = f"run {self.id} of experiment '{self.experiment}'"
        return TrackerEntry(self.id, self.last_step(), f"{where} in {self.address}")

    @property
    def address(self) -> str:
        """The address of the server or file."""
        return self.uri or os.environ["MLFLOW_TRACKING_URI"]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let one process at a time create the tables and the experiment of a SQLite file."""
        if not self.uri.startswith(SQLITE):
            yield
            return
        with filelock.FileLock(self.uri.removeprefix(SQLITE) + ".lock"):
            yield

    def experiment_id(self) -> str:
        """Find the experiment, or create it, with figures beside a SQLite file."""
        from mlflow.exceptions import MlflowException

        experiment = self.client.get_experiment_by_name(self.experiment)
        if experiment is None:
            place = None
            if self.uri.startswith(SQLITE):
                file = Path(self.uri.removeprefix(SQLITE))
                place = (file.parent / "mlartifacts" / self.experiment).as_uri()
            try:
                return str(self.client.create_experiment(self.experiment, place))
            except MlflowException:  # created by another process since
                experiment = self.client.get_experiment_by_name(self.experiment)
                if experiment is None:
                    raise
        return str(experiment.experiment_id)

    def last_step(self) -> int:
        """Return the last step that the run has."""
        steps = [
            metric.step for key in EACH for metric in self.client.get_metric_history(self.id, key)
        ]
        return max(steps, default=0)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log the numbers of a step at once, so that a step is there or not."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(as_key(name), value, now, step) for name, value in values.items()]
        for start in range(0, len(metrics), MOST):
            self.client.log_batch(self.id, metrics=metrics[start : start + MOST])

    def figure(self, file: Path, step: int) -> None:
        """Log a figure as an artifact."""
        self.client.log_artifact(self.id, str(file), "figures")

    def scores(self, values: Mapping[str, float], step: int) -> None:
        """Log the final scores that the run does not have yet."""
        has = self.client.get_run(self.id).data.metrics
        self.log(step, {name: v for name, v in values.items() if has.get(as_key(name)) != v})

    def close(self, state: str) -> None:
        """Set the status of the run."""
        self.client.set_terminated(self.id, STATES[state])


def as_key(name: str) -> str:
    """A name without the characters that MLflow does not take."""
    return re.sub(r"[^\w\-. :/]", "_", name, flags=re.ASCII)
