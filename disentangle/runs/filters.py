"""Filter runs by conditions on their settings: `--where beta>=4`."""

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from disentangle.errors import UsageError, suggestion, true_name
from disentangle.runs.external import External
from disentangle.runs.run import Run

Scored = TypeVar("Scored", Run, Run | External)
TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
WHOLE = "all images"
"""The part of a run that was trained on a whole dataset; `all` in a condition means the same."""
CONDITION = re.compile(r"\s*([\w-]+)\s*(<=|>=|!=|==|=|<|>)\s*(.*?)\s*")


def filterable_fields(run: Run | External) -> dict[str, Any]:
    """The fields that runs can be filtered by: model, dataset, preset, knobs, training options.

    An external encoder has few: its name is the model, and its state is `external`.
    """
    if isinstance(run, External):
        data = run.record.dataset
        fields = {"dataset": data.name, "fingerprint": data.fingerprint[:10]}
        return {"model": run.record.name, "state": "external", **fields}
    record = run.record
    name, part, fingerprint = record.data
    fields = {
        "model": record.model,
        "dataset": name,
        "part": part or WHOLE,
        "fingerprint": fingerprint[:10],
        "preset": record.preset or "",
        "supervision": record.supervision or "",
        "state": run.state,
    }
    return {**record.recipe, **record.knobs, **fields}


def where(runs: Sequence[Scored], conditions: Sequence[str]) -> list[Scored]:
    """Select the runs that meet every condition; a run without the field does not meet it.

    Args:
        runs: runs and external encoders.
        conditions: a name, one of = != < <= > >=, and a value.

    Raises:
        UsageError: an invalid condition, a name that no run has, or an order comparison of text.
    """
    selected = list(runs)
    for text in conditions:
        name, sign, value = parse(text)
        if name == "part" and value == "all":
            value = WHOLE
        fields = {key for run in runs for key in filterable_fields(run)}
        name = true_name(name, fields)
        if runs and name not in fields:
            raise UsageError(f"--where {text}: no run has '{name}'{suggestion(name, fields)}")
        selected = [
            run for run in selected if holds(filterable_fields(run).get(name), sign, value, text)
        ]
    return selected


def parse(condition: str) -> tuple[str, str, str]:
    """Parse a condition into name, sign and value.

    Raises:
        UsageError: it is not a condition.
    """
    parts = CONDITION.fullmatch(condition)
    if parts is None:
        raise UsageError(
            f"--where {condition}: expected a name, one of {' '.join(TESTS)}, and a value"
        )
    return parts[1].replace("-", "_"), parts[2].replace("==", "="), parts[3]


def holds(fact: Any, sign: str, text: str, condition: str) -> bool:
    """True if a run's value and the value of a condition are in the relation of the sign."""
    if fact is None:
        return False
    value: Any = text
    if isinstance(fact, bool):
        value = {"true": True, "false": False}.get(text.lower(), text)
    elif isinstance(fact, int | float):
        try:
            value = float(text)
        except ValueError:
            raise UsageError(f"--where {condition}: '{text}' is not a number") from None
    elif sign not in ("=", "!="):
        raise UsageError(f"--where {condition}: text has no order; use = or !=")
    elif isinstance(fact, str):
        fact, value = fact.casefold(), text.casefold()
    return TESTS[sign](fact, value)
