"""A folder with scores: the base of runs, and of encoders and codes from elsewhere."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import filelock

from disentangle.errors import Busy, NotWritable
from disentangle.runs.score_records import Score

if TYPE_CHECKING:
    from disentangle.runs.score_records import ScoresRead


class ScoredFolder:
    """A folder with a record and scores.

    Attributes:
        path: the folder.
        shows: a filter of the scores that go into tables and figures [default: all].
        unsaved: the scores, if they could not be written to the folder; else None.
        unwritten: what could not be written to the folder, and why; empty if all was.
        record_name: the name of the record's file; a folder that has one is of this kind.
        activity: what other processes may be doing with the folder, for messages.
    """

    record_name: ClassVar[str]
    activity: ClassVar[str]

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shows: Callable[[Score], bool] = lambda score: True
        self.scores_read: ScoresRead | None = None
        self.unsaved: tuple[Score, ...] | None = None
        self.unwritten = ""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path}>"

    @property
    def scored_weights(self) -> str | None:
        """The `weights` that scores of the present codes name; None if there can be no scores."""
        raise NotImplementedError

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the folder for this process: training, resuming and scoring exclude one another."""
        lock = filelock.FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0.5, poll_interval=0.05)  # `busy` holds the lock only briefly
        except filelock.Timeout:
            raise Busy(
                f"{self.path}: another process is {self.activity}; wait until it ends"
            ) from None
        except OSError as error:
            raise NotWritable(
                f"{self.path}: cannot write to this folder ({error.strerror or error})"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def busy(self) -> bool:
        """True if another process holds the lock."""
        try:
            with self.lock():
                return False
        except Busy:
            return True


@contextlib.contextmanager
def locked_if_writable(run: ScoredFolder) -> Iterator[None]:
    """Lock a run while it is read or scored, unless its folder cannot be written to."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(NotWritable):
            stack.enter_context(run.lock())
        yield
