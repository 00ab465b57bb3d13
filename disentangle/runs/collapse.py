"""Collapsed runs, whose codes say next to nothing: they are marked in tables and never ranked."""

from disentangle.runs.log_tail import last_entry
from disentangle.runs.run import Run
from disentangle.runs.scores import current_scores

FEW = 1
"""Up to so many active latents a run counts as collapsed: nothing is left to separate."""
ACTIVE_UNITS = "elbo/active-units"


def collapsed(run: Run) -> bool:
    """True if at most one latent of a finished run is active, or its codes are constant.

    This is known from the last entry of its log, or from its active units if they were scored. The
    number of active latents means something only for a model with a posterior, as the codes of
    other models have any scale.
    """
    if not run.finished:
        return False
    entry = last_entry(run.path / "log.jsonl") or {}
    if "kl" in entry and "active" in entry:
        return bool(entry["active"] <= FEW)
    if "spread" in entry:
        return bool(entry["spread"] == 0)
    units = [score.value for score in current_scores(run) if score.name == ACTIVE_UNITS]
    return any(value is not None and value <= FEW for value in units)
