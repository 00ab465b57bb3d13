"""The tracker contract: where the progress of a run is shown, such as TensorBoard or MLflow."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from disentangle.contracts.plugin import Plugin


@dataclass(frozen=True)
class TrackedRun:
    """A run as a tracker sees it.

    Attributes:
        path: the run's folder.
        id: the run's id.
        name: the name to show: the user's, else id, model, dataset and seed.
        note: the user's note; empty if none.
        study: the study of the run, a subfolder of the results.
        settings: model, dataset, hyper-parameters, training options and versions, by name.
        entry: the id of the run's entry, as `Tracker.open` returned it; empty at the first time.
    """

    path: Path
    id: str
    name: str
    note: str
    study: str
    settings: Mapping[str, bool | int | float | str]
    entry: str


class TrackerEntry(NamedTuple):
    """The entry of a run at a tracker.

    Attributes:
        id: the id by which the entry is opened again when the run is resumed.
        step: the last step that it holds; 0 if it holds none, and everything is to be sent.
        where: where the user finds it: an address, a folder or a command.
    """

    id: str
    step: int
    where: str


class Tracker(Plugin):
    """Shows the settings, the log, the scores and the figures of runs somewhere else.

    A tracker is a subclass registered under `disentangle.trackers`; its knobs are the settings of
    `disentangle train MODEL DATASET --track NAME:setting=value`. It works in a process of its own,
    which reads the run's folder: it may raise errors, print or hang, and training goes on.

    Settings are written to records and shown: a password or key comes from the environment or a
    file, never from a setting.

    Each logged step arrives once. After a stop, a new process opens the entry again, which says
    how far it came; a tracker that cannot know that begins an empty entry, and returns step 0.
    """

    def packages(self) -> Sequence[str]:
        """Return the packages that this tracker imports; a missing one is reported in time."""
        return ()

    @abstractmethod
    def open(self, run: TrackedRun) -> TrackerEntry:
        """Begin the entry of a run, or continue the entry `run.entry`."""

    @abstractmethod
    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Add an entry of the log: steps ascend, and values have names such as `weighted/kl`."""

    def figure(self, file: Path, step: int) -> None:
        """Add a figure of the finished run, a PNG or GIF file [default: it is not shown]."""

    def scores(self, values: Mapping[str, float], step: int) -> None:
        """Set the scores of the finished run, perhaps again [default: they are not shown]."""

    @abstractmethod
    def close(self, state: Literal["finished", "failed", "unfinished"]) -> None:
        """Send what is left, and end. An unfinished run may be opened again."""
