"""Bring a tracker up to date with a run's folder: a process of its own, see `tracking`.

`python -m disentangle.training.mirror RUN TRACKER` follows the log of a run until standard input
has a line, then sends figures and scores and ends. What it sends follows from the log and from the
last step that the tracker holds, so no stop leaves a gap or a repetition. It reports on standard
output, in lines of JSON, where the entry is found or why the tracker failed.
"""

import json
import os
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock

from disentangle._utils.files import stamp
from disentangle.contracts.tracker import TrackedRun, Tracker
from disentangle.errors import DisentangleError
from disentangle.runs.labels import read_label
from disentangle.runs.layout import RECORD
from disentangle.runs.overview import plainest
from disentangle.runs.run import Run, read_run
from disentangle.runs.scores import current_scores
from disentangle.runs.tracker_records import (
    TrackerRecord,
    read_tracker,
    tracker_stem,
    write_tracker,
)
from disentangle.runs.training_log import quantities
from disentangle.training.tracking import CLOSE, tracker_of

POLL = 0.5
"""Seconds between looks at the log."""
GRACE = 2 * CLOSE
"""Seconds to end if the process that started this one is gone."""
PICTURES = (".png", ".gif")


class Mirror:
    """The entry of a run at a tracker, as far as it was sent.

    Attributes:
        tracker: the tracker.
        path: the run's folder.
        record: what is known of the entry.
        step: the last step that was sent.
    """

    def __init__(self, tracker: Tracker, path: Path, track: str) -> None:
        self.tracker, self.path = tracker, path
        self.record = read_tracker(path, track)
        write_tracker(path, self.record)  # resuming the run tries again, even if opening fails
        entry = tracker.open(tracked_run(read_run(path), self.record.entry))
        self.step = entry.step
        figures = self.record.figures if entry.step else ()
        self.keep(entry=entry.id, where=masked(entry.where), figures=figures, failed="")
        self.seen: object = None

    def keep(self, **changes: Any) -> None:
        """Write the record with changes."""
        fields = {**self.record.model_dump(), **changes}
        self.record = TrackerRecord(**fields)
        write_tracker(self.path, self.record)

    def update(self) -> None:
        """Send the entries of the log that the tracker lacks."""
        now = stamp(self.path / "log.jsonl")
        if now == self.seen:
            return
        self.seen = now
        for entry in read_run(self.path).log:
            if entry["step"] > self.step:
                self.tracker.log(entry["step"], scalars(entry))
                self.step = entry["step"]

    def finish(self) -> None:
        """Send the figures and scores of a finished run, and close the tracker."""
        run = read_run(self.path)
        self.update()
        if run.finished:
            sent = self.record.figures
            for file in sorted(run.figures.glob("*")):
                if file.suffix in PICTURES and file.name not in sent:
                    self.tracker.figure(file, self.step)
                    sent = (*sent, file.name)
            if scores := final_scores(run):
                self.tracker.scores(scores, self.step)
            self.keep(figures=sent)
        self.tracker.close(run.state)


def tracked_run(run: Run, entry: str) -> TrackedRun:
    """A run as its trackers see it."""
    record, label = run.record, read_label(run.path)
    dataset, part, _ = record.data
    title = f"{record.id} {record.model} {dataset} seed {record.seed}"
    settings = {
        "model": record.model,
        "dataset": f"{dataset} ({part})" if part else dataset,
        **({} if record.preset is None else {"preset": record.preset}),
        **record.knobs,
        **record.recipe,
        "run": record.id,
        "device": record.device,
        **{f"version/{name}": version for name, version in record.packages.items()},
    }
    return TrackedRun(
        path=run.path,
        id=record.id,
        name=label.name or title,
        note=label.note,
        study=run.path.absolute().parents[2].name,
        settings=settings,
        entry=entry,
    )


def scalars(entry: dict[str, Any]) -> dict[str, float]:
    """The numbers of a log entry, with the names by which trackers group them."""
    values = {"loss": entry["loss"]} if "loss" in entry else {}
    values |= {f"values/{name}": value for name, value in quantities(entry).items()}
    values |= {f"weighted/{name}": value for name, value in entry.get("terms", {}).items()}
    values |= {f"kl/z{d}": value for d, value in enumerate(entry.get("kl", []))}
    values |= {
        f"scores/{name}": value
        for name, value in entry.get("scores", {}).items()
        if value is not None
    }
    rest = ("active", "spread", "images_per_second")
    return values | {f"training/{name}": entry[name] for name in rest if name in entry}


def final_scores(run: Run) -> dict[str, float]:
    """The scores of a finished run, with the names by which trackers group them."""
    return {f"final/{name}": value for name, value in plainest(current_scores(run)).items()}


def mirror(path: Path, track: str, ended: threading.Event, say: Callable[..., None]) -> None:
    """Send a run to a tracker until `ended` is set, then send the rest."""
    while not (path / RECORD).exists():
        if ended.wait(POLL):
            return  # the run could not be started
    stem = tracker_stem(path, track)
    stem.parent.mkdir(exist_ok=True)
    print_to(stem.with_suffix(".log"))
    lock = filelock.FileLock(stem.with_name(f".{stem.name}.lock"), timeout=GRACE)
    try:
        lock.acquire()  # an earlier process may still be sending what is left
    except filelock.Timeout:
        raise DisentangleError("another process sends this run to the same tracker") from None
    one = Mirror(tracker_of(track), path, track)
    say(where=one.record.where)
    while not ended.wait(POLL):
        one.update()
    one.finish()


def masked(text: str) -> str:
    """A text in which addresses show no user and password: it goes into records and logs."""
    return re.sub(r"(?<=://)[^\s/@]+@", "***@", text)


def print_to(file: Path) -> None:
    """Let everything that this process prints go to a file."""
    log = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for stream in (1, 2):
        os.dup2(log, stream)


def wait_for_end(ended: threading.Event) -> None:
    """Set `ended` at a line of standard input, or at its end; then end this process in time."""
    while os.read(0, 1):
        ended.set()
    ended.set()  # the process that started this one is gone
    time.sleep(GRACE)
    os._exit(1)


def main() -> int:
    """Send a run to a tracker; return the exit code."""
    path, track = sys.argv[1:]
    output = os.dup(1)

    def say(**message: str) -> None:
        try:
            os.write(output, json.dumps(message).encode() + b"\n")
        except OSError:  # nobody listens any more
            return

    ended = threading.Event()
    threading.Thread(target=wait_for_end, args=(ended,), daemon=True).start()
    try:
        mirror(Path(path), track, ended, say)
    except (Exception, SystemExit) as error:  # a tracker may raise anything
        text = masked(" ".join(str(error).split()))
        named = text if isinstance(error, DisentangleError) else f"{type(error).__name__}: {text}"
        say(failed=named.rstrip(". "))
        sys.stderr.write(masked(traceback.format_exc()))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
