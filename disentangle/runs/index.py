"""A cached index of the runs under a folder: their records and scores, without the details.

The index is a copy in the user's cache that can be deleted at any time. A run whose files have
changed since, or had changed too recently to be sure, is read from its folder; so are all runs if
the index is damaged or was written by another version. If it cannot be written, there is none.
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
from disentangle.runs.layout import RECORD, SCORES
from disentangle.runs.log_tail import LogEnd
from disentangle.runs.records import Record, RunRecord
from disentangle.runs.run import Run
from disentangle.runs.score_records import Score, ScoresRead

MANY = 100
"""Minimum number of runs for an index; with fewer, reading their files is as fast."""
LACKING = 0.01
"""The share of runs that an index may lack before it is rewritten."""
SETTLED = 2_000_000_000
"""Nanoseconds after which a new change is sure to alter a file's time, on any file system."""
INDEXES = 20
"""Maximum number of indexes in the cache; the oldest are deleted."""

RunOwn: TypeAlias = tuple[str, str | None, str | None, float | None, str | None]
RUN = ("started", "finished", "failed", "seconds", "weights")
"""The fields in which runs of one configuration differ, apart from the seed."""
ScoreOwn: TypeAlias = tuple[float | None, str | None, str, float, float | None]
SCORE = ("value", "reason", "weights", "seconds", "overlap")
"""The fields in which scores of one column differ, apart from the details, which are left out."""


class IndexEntry(Record):
    """A run: stamps of its files, numbers of its shared record and scores, and its own fields.

    `log` is what the log of a finished run ends with; indexes of earlier versions lack it.
    """

    recorded: Stamp
    record: int
    seed: int
    own: RunOwn
    scored: Stamp | None
    scores: tuple[tuple[int, ScoreOwn], ...]
    log: LogEnd | None = None


class RunIndex(Record):
    """The runs under a folder by relative path, with shared records and scores stored once."""

    format: Literal[1] = 1
    version: str
    """The version of this package."""
    folder: str
    records: tuple[RunRecord, ...] = ()
    scores: tuple[Score, ...] = ()
    runs: dict[str, IndexEntry]

    def recall(self, path: Path, name: str) -> Run | None:
        """The run in a folder, if its files have not changed since it was indexed."""
        entry = self.runs.get(name)
        if entry is None or stamp(path / RECORD) != entry.recorded:
            return None
        if stamp(path / SCORES) != entry.scored:
            return None
        record = with_seed(self.records[entry.record], entry.seed)
        run = Run(path, record.model_copy(update=dict(zip(RUN, entry.own, strict=True))))
        run.recorded, run.log_end = entry.recorded, entry.log
        if entry.scored is not None:
            scores = tuple(
                self.scores[like].model_copy(update=dict(zip(SCORE, own, strict=True)))
                for like, own in entry.scores
            )
            run.scores_read = ScoresRead(entry.scored, scores, detailed=False)
        return run


def is_stable(run: Run, now: int) -> bool:
    """True if the files of a run had not changed for a while before `now`, when they were read."""
    stamps = [run.recorded] if run.scores_read is None else [run.recorded, run.scores_read.stamp]
    if run.finished and run.log_end is not None and run.log_end.stamp is not None:
        stamps.append(run.log_end.stamp)
    return all(s and max(s.modified, s.changed) < now - SETTLED for s in stamps)


def with_seed(record: RunRecord, seed: int) -> RunRecord:
    """A copy of a record with another seed."""
    setting = record.training["seed"].model_copy(update={"value": seed})
    return record.model_copy(update={"training": {**record.training, "seed": setting}})


def place_of(results: str | Path) -> tuple[Path, str]:
    """The file of a folder's index, and the absolute path of the folder."""
    folder = str(Path(results).resolve())
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return cache_folder() / "runs" / f"{digest}.json.gz", folder


def read_index(results: str | Path) -> RunIndex:
    """Read a folder's index; it is empty if there is no intact one of this version."""
    file, folder = place_of(results)
    with suppress(OSError, EOFError, zlib.error, ValueError, DisentangleError):
        index = RunIndex.model_validate_json(gzip.decompress(file.read_bytes()))
        for record in index.records:
            check_complete(Training, record.recipe, file)
        if (index.version, index.folder) == (__version__, folder):
            return index
    return RunIndex(version=__version__, folder=folder, runs={})


def write_index(results: str | Path, runs: Sequence[Run]) -> None:
    """Write a folder's index if possible; delete the oldest indexes if there are too many."""
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
            log=run.log_end if run.finished else None,
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
