"""Traits that metrics declare for their scores: direction, role, supervision."""

from disentangle.contracts import registry
from disentangle.contracts.dataset import Labelled
from disentangle.contracts.metric import Direction, Role
from disentangle.errors import DisentangleError
from disentangle.runs.score_records import ColumnKey


def supervised(column: ColumnKey) -> bool:
    """True if a column's metric compares codes with factors, so that the oracle is the optimum."""
    try:
        return issubclass(registry.metrics.load(column.metric).needs, Labelled)
    except DisentangleError:  # not installed here
        return False


def direction(column: ColumnKey) -> Direction | None:
    """Whether more or less of a column's score is better; None if unknown."""
    try:
        return registry.metrics.load(column.metric).better.get(column.score, "more")
    except DisentangleError:  # not installed here
        return None


def counts(score: str) -> bool:
    """True if a score, `metric` or `metric/part`, is a count."""
    try:
        return score in registry.metrics.load(score.partition("/")[0]).counts
    except DisentangleError:  # not installed here
        return False


def role(column: ColumnKey) -> Role | None:
    """A column's role in a rate-distortion figure, if any."""
    try:
        return registry.metrics.load(column.metric).roles.get(column.score)
    except DisentangleError:  # not installed here
        return None


def metrics_with(wanted: Role) -> str:
    """The options of `disentangle score` that compute scores of a role."""
    entries = registry.metrics.entries
    names = [name for name in entries if wanted in registry.metrics.load(name).roles.values()]
    return " or ".join(f"--metric {name}" for name in names) or "--metric NAME"
