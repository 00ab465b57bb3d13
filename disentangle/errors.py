"""Errors with messages for users: what went wrong, where, and how to fix it."""

import difflib
from collections.abc import Iterable


class DisentangleError(Exception):
    """A failure that the user can fix; the command line prints it and exits with 1."""

    exit_code = 1


class UsageError(DisentangleError):
    """An invalid request; the command line prints it and exits with 2."""

    exit_code = 2


class TrainingFailed(DisentangleError):
    """Training reached non-finite values, and would again if resumed."""


class BrokenContract(DisentangleError):
    """A plugin returned a value that its contract does not allow."""


class MetricFailed(DisentangleError):
    """A metric raised an exception, or returned a value that its contract does not allow."""


class ScoringFailed(DisentangleError):
    """Some metrics failed, and would again; the scores of the other metrics are kept."""


class Busy(DisentangleError):
    """Another process is training or scoring this run."""


class NotWritable(DisentangleError):
    """A run's folder cannot be written to."""


class Unavailable(DisentangleError):
    """A metric cannot be computed here; tables show n/a and the reason."""


class PluginWarning(UserWarning):
    """A plugin's behaviour may affect other plugins or its own results."""


class DatasetWarning(UserWarning):
    """A dataset's images may not be what they are meant to be."""


class UnwrittenWarning(UserWarning):
    """Results were computed and returned, but could not be written to disk."""


class UnavailableWarning(UserWarning):
    """A metric could not be computed and is missing from the returned scores."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Suggest the closest known name, as "; did you mean 'x'?", or list the known names."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known: {', '.join(names)}" if names else "; none exist"
