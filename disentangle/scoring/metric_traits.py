"""What a metric declares of its scores: direction, role, whether it is supervised."""

from disentangle.contracts import registry
from disentangle.contracts.dataset import Labelled
from disentangle.contracts.metric import Direction, Role
from disentangle.errors import DisentangleError
from disentangle.runs.score_records import ColumnKey


def supervised(column: ColumnKey) -> bool:
    """Say whether a column's metric compares codes with factors, so that these are the best."""
    try:
        return issubclass(registry.metrics.load(column.metric).needs, Labelled)
    except DisentangleError:  # not installed here
        return False


def direction(column: ColumnKey) -> Direction | None:
    """Return whether more or less of a column's score is better; None if that is not known."""
    try:
        return registry.metrics.load(column.metric).better.get(column.score, "more")
    except DisentangleError:  # not installed here
        return None


def role(column: ColumnKey) -> Role | None:
    """Return what a figure of rate and distortion takes a column for, if for anything."""
    try:
        return registry.metrics.load(column.metric).roles.get(column.score)
    except DisentangleError:  # not installed here
        return None


def metrics_with(wanted: Role) -> str:
    """Return the options of `disentangle score` that give scores of a role."""
    names = registry.metrics.entries
    found = [name for name in names if wanted in registry.metrics.load(name).roles.values()]
    return " or ".join(f"--metric {name}" for name in found) or "--metric NAME"
