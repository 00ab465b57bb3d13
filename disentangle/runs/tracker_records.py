"""The trackers of a run: files beside its record, as they change neither its id nor its numbers."""

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Literal

from disentangle._utils.files import write_text
from disentangle.errors import DisentangleError
from disentangle.runs.records import Record, read_record

FOLDER = "trackers"
"""The subfolder of a run for the records of its trackers, and for what they print."""


class TrackerRecord(Record):
    """What is known of a run's entry at a tracker."""

    format: Literal[1] = 1
    track: str
    """The tracker, with its settings: `NAME:setting=value,...`."""
    entry: str = ""
    """The id of the entry at the tracker; empty if it was never opened."""
    where: str = ""
    """Where the user finds the entry."""
    figures: tuple[str, ...] = ()
    """The names of the figures that the entry has."""
    failed: str = ""
    """Why the tracker failed the last time; empty if it did not."""


def tracker_stem(run: Path, track: str) -> Path:
    """The path of a tracker's files in a run's folder, without their suffix."""
    digest = hashlib.sha256(track.encode()).hexdigest()[:8]
    return run / FOLDER / f"{track.partition(':')[0]}-{digest}"


def read_tracker(run: Path, track: str) -> TrackerRecord:
    """Read the record of a tracker; a new one if the run has none.

    Raises:
        DisentangleError: the record is damaged.
    """
    with suppress(FileNotFoundError):
        return read_record(TrackerRecord, tracker_stem(run, track).with_suffix(".json"))
    return TrackerRecord(track=track)


def write_tracker(run: Path, record: TrackerRecord) -> None:
    """Write the record of a tracker."""
    file = tracker_stem(run, record.track).with_suffix(".json")
    file.parent.mkdir(exist_ok=True)
    write_text(file, record.model_dump_json(indent=2) + "\n")


def trackers_of(run: Path) -> list[TrackerRecord]:
    """The records of a run's trackers; damaged ones are left out."""
    records = []
    for file in sorted((run / FOLDER).glob("*.json")):
        with suppress(DisentangleError, FileNotFoundError):
            records.append(read_record(TrackerRecord, file))
    return records
