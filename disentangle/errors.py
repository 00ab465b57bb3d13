"""Errors with messages for users: what went wrong, where, and how to fix it."""

import difflib
import shlex
from collections.abc import Iterable


class DisentangleError(Exception):
    """A failure that the user can fix; the command line prints it and exits with 1."""

    exit_code = 1


class UsageError(DisentangleError):
    """An invalid request; the command line prints it and exits with 2."""

    exit_code = 2


class OutOfTime(DisentangleError):
    """The time limit was reached; what was completed is kept, and the same command continues."""

    exit_code = 75  # EX_TEMPFAIL: try again


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


class UnwrittenWarning(UserWarning):
    """Results were computed and returned, but could not be written to disk."""


class InputWarning(UserWarning):
    """The images, codes, factors or encoder may make a result misleading."""


class TrackingWarning(UserWarning):
    """A tracker failed; the run itself is not affected."""


class OldSpelling(FutureWarning):
    """A name that was changed; the old one works for another version."""


class UnavailableWarning(UserWarning):
    """A metric could not be computed and is missing from the returned scores."""


MOST_NAMES = 12
"""Number of names that a message lists at most, where a command lists them too."""


def true_name(name: str, known: Iterable[str]) -> str:
    """The known name that is this name, up to case; the name itself if there is none, or several.

    A name that is exactly right comes first: "MIG" is `mig`, unless something is called "MIG".
    """
    names = list(known)
    if name in names:
        return name
    alike = [other for other in names if other.casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 else name


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is nearly this name, in any case; None if there is none."""
    folded = {other.casefold(): other for other in sorted(set(known))}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def one_per_option(option: str, values: Iterable[str]) -> str:
    """What to write in place of several values in one option: the option once for each."""
    words = shlex.join(word for value in values for word in (option, value.strip()))
    return f"give one value per option: {words}"


def suggestion(
    name: str, known: Iterable[str], listing: str = "", option: str = "", page: str = ""
) -> str:
    """Suggest the closest known name, as "; did you mean 'x'?", or list the known names.

    Args:
        name: the name that is not known.
        known: the known names.
        listing: a command that lists them, to be named in place of a long list.
        option: the repeatable option that the name was given by: names that are joined by commas
            are to be given one by one.
        page: the address of a page that lists them, to be named in place of a long list.
    """
    names = sorted(set(known))
    parts = [part for part in name.split(",") if part.strip()]
    if option and len(parts) > 1:
        return f"; {one_per_option(option, parts)}"
    if near := nearest(name, names):
        return f"; did you mean '{near}'?"
    if listing and len(names) > MOST_NAMES:
        return f"; run `{listing}` to list all {len(names)}"
    if page and len(names) > MOST_NAMES:
        return f"; {page} lists them"
    return f"; known: {', '.join(names)}" if names else "; none exist"
