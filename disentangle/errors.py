"""Errors for people: each message says what was wrong, where, and what to do."""

import difflib
from collections.abc import Iterable


class DisentangleError(Exception):
    """A failure that the user can act on; the command line prints it and exits with 1."""

    exit_code = 1


class UsageError(DisentangleError):
    """A request that makes no sense as it was typed; the command line exits with 2."""

    exit_code = 2


class TrainingFailed(DisentangleError):
    """Training came to numbers that are not finite, and would again if it went on."""


class BrokenContract(DisentangleError):
    """A plugin returned what its contract does not allow."""


class MetricFailed(DisentangleError):
    """A metric raised, or returned what its contract does not allow."""


class ScoringFailed(DisentangleError):
    """Metrics failed, and would again; what other metrics found is kept."""


class Busy(DisentangleError):
    """Another process is training or scoring this run."""


class Unavailable(DisentangleError):
    """A metric cannot be computed here; the table then says n/a and why."""


class PluginWarning(UserWarning):
    """A plugin does what harms others, or its own results."""


class UnavailableWarning(UserWarning):
    """A metric was left out of a mapping of scores, for the reason given."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the closest known name, or list what is known."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known: {', '.join(names)}" if names else "; none is known"
