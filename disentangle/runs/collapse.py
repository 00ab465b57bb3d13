"""Collapsed runs, whose codes say next to nothing: they are marked in tables and never ranked."""

from collections.abc import Mapping
from typing import Any

from disentangle._utils.files import stamp
from disentangle.runs.log_tail import LOG, LogEnd, last_entry
from disentangle.runs.run import Run
from disentangle.runs.scores import current_scores

FEW = 1
"""Up to so many active latents a run counts as collapsed: nothing is left to separate."""
PATIENCE = 1_000
"""Steps before which a training may look collapsed because it has just begun."""
ACTIVE_UNITS = "elbo/active-units"


def collapsed(run: Run) -> bool:
    """True if at most one latent of a finished run is active, or its codes are constant.

    This is known from the last entry of its log, or from its active units if they were scored.
    """
    if not run.finished:
        return False
    by_log = log_end(run).collapsed
    if by_log is not None:
        return by_log
    units = [score.value for score in current_scores(run) if score.name == ACTIVE_UNITS]
    return any(value is not None and value <= FEW for value in units)


def log_end(run: Run) -> LogEnd:
    """What the end of a run's log says; the log is reread only if it has changed."""
    now = stamp(run.path / LOG)
    if run.log_end is None or run.log_end.stamp != now:
        entry = last_entry(run.path / LOG) or {}
        run.log_end = LogEnd(now, int(entry.get("step", 0)), collapsed_by(entry))
    return run.log_end


def collapsing(entry: Mapping[str, Any], steps: int) -> bool:
    """True if an entry is of a collapsed run of `steps` steps that has not just begun."""
    return entry["step"] >= max(PATIENCE, steps // 10) and bool(collapsed_by(entry))


def collapsed_by(entry: Mapping[str, Any]) -> bool | None:
    """True if an entry of a log is of a collapsed run; None if it does not say.

    The number of active latents means something only for a model with a posterior, as the codes of
    other models have any scale.
    """
    if "kl" in entry and "active" in entry:
        return bool(entry["active"] <= FEW)
    return bool(entry["spread"] == 0) if "spread" in entry else None
