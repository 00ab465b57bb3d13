"""A cached index of the runs below a folder: their records and scores, without the details.

The index is a copy in the user's cache, and nothing rests on it. A run whose files are not those
that were copied, or had changed too lately to tell, is read from its folder; so is every run where
the index is damaged or another version's. Where it cannot be written, there is none.
"""

import gzip
import hashlib
import os
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeAlias

from disentangle._utils.files import Stamp, atomic, cache_folder, drop_oldest, stamp
from disentangle._utils.versions import __version__
from disentangle.contracts.common_options import Training
from disentangle.contracts.settings import check_complete
from disentangle.errors import DisentangleError
from disentangle.runs.layout import RECORD
from disentangle.runs.records import Record, RunRecord
from disentangle.runs.run import Run
from disentangle.runs.score_records import Score, ScoresRead

MANY = 100
"""Runs below which reading their own files is as fast."""
LACKING = 0.01
"""The share of runs that an index may lack before it is written again."""
SETTLED = 2_000_000_000
"""Nanoseconds after which another change gives a file another time, whatever the file system."""
INDEXES = 20
"""Of so many folders; the oldest go."""

RunOwn: TypeAlias = tuple[str, str | None, str | None, float | None, str | None]
RUN = ("started", "finished", "failed", "seconds", "weights")
"""What runs of one configuration do not share, but for the seed."""
ScoreOwn: TypeAlias = tuple[float | None, str | None, str, float, float | None]
SCORE = ("value", "reason", "weights", "seconds", "overlap")
"""What scores of one column do not share, but for the details, which an index leaves out."""


class IndexEntry(Record):
    """A run: the stamps of its files, which record and scores it is like, and what is its own."""

    recorded: Stamp
    record: int
    seed: int
    own: RunOwn
    scored: Stamp | None
    scores: tuple[tuple[int, ScoreOwn], ...]


class RunIndex(Record):
    """The runs below a folder by their paths from there, and once what many of them share."""

    format: Literal[1] = 1
    version: str
    """Of this package."""
    folder: str
    records: tuple[RunRecord, ...] = ()
    scores: tuple[Score, ...] = ()
    runs: dict[str, IndexEntry]

    def recall(self, path: Path, name: str) -> Run | None:
        """Return the run in a folder, if it is still what is known by this name."""
        entry = self.runs.get(name)
        if entry is None or stamp(path / RECORD) != entry.recorded:
            return None
        if stamp(path / "scores.json") != entry.scored:
            return None
        record = with_seed(self.records[entry.record], entry.seed)
        run = Run(path, record.model_copy(update=dict(zip(RUN, entry.own, strict=True))))
        run.recorded = entry.recorded
        if entry.scored is not None:
            scores = tuple(
                self.scores[like].model_copy(update=dict(zip(SCORE, own, strict=True)))
                for like, own in entry.scores
            )
            run.scores_read = ScoresRead(entry.scored, scores, detailed=False)
        return run


def is_stable(run: Run, now: int) -> bool:
    """Say whether the files of a run, read at a time or later, had not changed for long."""
    stamps = [run.recorded] if run.scores_read is None else [run.recorded, run.scores_read.stamp]
    return all(s and max(s.modified, s.changed) < now - SETTLED for s in stamps)


def with_seed(record: RunRecord, seed: int) -> RunRecord:
    """Return a record with another seed."""
    setting = record.training["seed"].model_copy(update={"value": seed})
    return record.model_copy(update={"training": {**record.training, "seed": setting}})


def place_of(results: str | Path) -> tuple[Path, str]:
    """Return the file of a folder's index, and the folder as the index names it."""
    folder = str(Path(results).resolve())
    mark = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return cache_folder() / "runs" / f"{mark}.json.gz", folder


def read_index(results: str | Path) -> RunIndex:
    """Return a folder's index; an empty one where there is no whole one of this version."""
    file, folder = place_of(results)
    with suppress(OSError, EOFError, zlib.error, ValueError, DisentangleError):
        found = RunIndex.model_validate_json(gzip.decompress(file.read_bytes()))
        for record in found.records:
            check_complete(Training, record.recipe, file)
        if (found.version, found.folder) == (__version__, folder):
            return found
    return RunIndex(version=__version__, folder=folder, runs={})


def write_index(results: str | Path, runs: Sequence[Run]) -> None:
    """Write a folder's index, if that can be done; of too many, remove the oldest."""
    file, folder = place_of(results)
    records: dict[str, int] = {}
    scores: dict[str, int] = {}
    blank = dict.fromkeys(RUN) | {"started": ""}
    bare = dict.fromkeys(SCORE) | {"weights": "", "seconds": 0.0, "detail": {}}
    entries = {}
    for run in runs:
        like = with_seed(run.record, 0).model_copy(update=blank).model_dump_json()
        kept, of_scores = run.scores_read, []
        for score in kept.scores if kept else ():
            common = score.model_copy(update=bare).model_dump_json()
            own = tuple(getattr(score, name) for name in SCORE)
            of_scores.append((scores.setdefault(common, len(scores)), own))
        entries[str(run.path.relative_to(results))] = IndexEntry.model_construct(
            recorded=run.recorded,
            record=records.setdefault(like, len(records)),
            seed=run.record.seed,
            own=tuple(getattr(run.record, name) for name in RUN),
            scored=kept and kept.stamp,
            scores=tuple(of_scores),
        )
    with suppress(OSError, ValueError):
        index = RunIndex.model_construct(
            version=__version__,
            folder=folder,
            records=tuple(map(RunRecord.model_validate_json, records)),
            scores=tuple(map(Score.model_validate_json, scores)),
            runs=entries,
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic(file) as temporary:
            temporary.write_bytes(gzip.compress(index.model_dump_json().encode(), 1))
        drop_oldest(file, "*.json.gz", number=INDEXES)
