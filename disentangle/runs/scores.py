"""The scores of a run: read, and without copies."""

from collections.abc import Iterable

from disentangle._utils.files import stamp
from disentangle.runs.records import read_record
from disentangle.runs.run import Run
from disentangle.runs.score_records import Score, ScoreFile, ScoresRead


def read_scores(run: Run, *, detail: bool = True) -> tuple[Score, ...]:
    """Return the scores that a run has; the file is read again only where it is another.

    Args:
        run: the run.
        detail: whether the details behind the scores are wanted, which an index leaves out.
    """
    file = run.path / "scores.json"
    now, known = stamp(file), run.scores_read
    if now is None:
        return ()
    if known is None or known.stamp != now or (detail and not known.detailed):
        try:
            known = run.scores_read = ScoresRead(now, read_record(ScoreFile, file).scores)
        except FileNotFoundError:
            return ()
    return known.scores


def deduplicated(runs: Iterable[Run]) -> tuple[list[Run], int]:
    """Return the runs without copies, and how many were trained twice and came to other weights.

    Of the latter, which differ in device or versions, the first that is finished is kept; of copies
    the one with the most scores.
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


def current_scores(run: Run, *, detail: bool = False) -> tuple[Score, ...]:
    """Return the scores that a finished run has of the weights that it has now."""
    if not run.finished:
        return ()
    kept = read_scores(run, detail=detail)
    return tuple(s for s in kept if s.weights == run.record.weights and run.shows(s))
