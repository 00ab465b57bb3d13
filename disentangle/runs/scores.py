"""Read and write the scores in folders, and remove duplicate runs."""

from collections.abc import Iterable

from disentangle._utils.files import stamp, write_text
from disentangle.runs.layout import SCORES
from disentangle.runs.records import read_record
from disentangle.runs.run import Run
from disentangle.runs.score_records import Score, ScoreFile, ScoresRead
from disentangle.runs.scored_folder import ScoredFolder


def read_scores(run: ScoredFolder, *, detail: bool = True) -> tuple[Score, ...]:
    """Read a run's scores; the file is reread only if it has changed.

    Args:
        run: the run, or codes from elsewhere.
        detail: True to include the details of scores, which an index leaves out.
    """
    if run.unsaved is not None:
        return run.unsaved
    file = run.path / SCORES
    now, cached = stamp(file), run.scores_read
    if now is None:
        return ()
    if cached is None or cached.stamp != now or (detail and not cached.detailed):
        try:
            cached = run.scores_read = ScoresRead(now, read_record(ScoreFile, file).scores)
        except FileNotFoundError:
            return ()
    return cached.scores


def keep_scores(run: ScoredFolder, scores: tuple[Score, ...]) -> None:
    """Write a run's scores; if that fails, keep them in `run.unsaved`, as `run.unwritten` says."""
    file = run.path / SCORES
    try:
        text = ScoreFile(scores=scores).model_dump_json(indent=2) + "\n"
        write_text(file, text)
        run.unsaved, run.unwritten = None, ""
    except OSError as error:
        run.unsaved = scores
        run.unwritten = f"{file}: {error.strerror or error}"


def deduplicated(runs: Iterable[Run]) -> tuple[list[Run], int]:
    """The runs without duplicates, and the number of runs retrained with different weights.

    Retrained runs differ in device or versions; the first finished one is kept. Of several copies,
    the one with the most scores is kept.
    """
    kept: dict[str, Run] = {}
    others: set[tuple[str, str]] = set()
    for run in sorted(runs, key=lambda run: not run.finished):
        first = kept.setdefault(run.record.id, run)
        if run.finished and run.record.weights != first.record.weights:
            others.add((run.record.id, run.record.weights or ""))
        elif first is not run and len(current_scores(run)) > len(current_scores(first)):
            kept[run.record.id] = run
    return list(kept.values()), len(others)


def current_scores(run: ScoredFolder, *, detail: bool = False) -> tuple[Score, ...]:
    """The scores of a finished run, or of codes from elsewhere, that belong to its weights."""
    weights = run.scored_weights
    if weights is None:
        return ()
    kept = read_scores(run, detail=detail)
    return tuple(s for s in kept if s.weights == weights and run.shows(s))
