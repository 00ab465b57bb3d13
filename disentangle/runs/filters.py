"""Runs by what they are: `--where beta>=4`."""

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from disentangle.errors import UsageError, suggestion
from disentangle.runs.run import Run

TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
CONDITION = re.compile(r"\s*([\w-]+)\s*(<=|>=|!=|==|=|<|>)\s*(.*?)\s*")


def filterable_fields(run: Run) -> dict[str, Any]:
    """Return what a run can be chosen by: model, dataset, preset, knobs and trainer's options."""
    record = run.record
    name, part, fingerprint = record.data
    about = {
        "model": record.model,
        "dataset": name,
        "part": part or "all images",
        "fingerprint": fingerprint[:10],
        "preset": record.preset or "",
        "supervision": record.supervision or "",
    }
    return {**record.recipe, **record.knobs, **about}


def where(runs: Sequence[Run], conditions: Sequence[str]) -> list[Run]:
    """Return the runs for which every condition holds; a run without such a knob has none.

    Args:
        runs: runs.
        conditions: a name, one of = != < <= > >=, and a value.

    Raises:
        UsageError: no condition, a name that no run has, or an order among words.
    """
    found = list(runs)
    for text in conditions:
        name, sign, value = parse(text)
        known = {key for run in runs for key in filterable_fields(run)}
        if runs and name not in known:
            raise UsageError(f"--where {text}: no run has '{name}'{suggestion(name, known)}")
        found = [run for run in found if holds(filterable_fields(run).get(name), sign, value, text)]
    return found


def parse(condition: str) -> tuple[str, str, str]:
    """Return the name, the sign and the value of a condition.

    Raises:
        UsageError: it is none.
    """
    parts = CONDITION.fullmatch(condition)
    if parts is None:
        raise UsageError(
            f"--where {condition}: write a name, one of {' '.join(TESTS)}, and a value"
        )
    return parts[1].replace("-", "_"), parts[2].replace("==", "="), parts[3]


def holds(fact: Any, sign: str, text: str, condition: str) -> bool:
    """Say whether a fact stands in a relation to a value that was typed."""
    if fact is None:
        return False
    wanted: Any = text
    if isinstance(fact, bool):
        wanted = {"true": True, "false": False}.get(text.lower(), text)
    elif isinstance(fact, int | float):
        try:
            wanted = float(text)
        except ValueError:
            raise UsageError(f"--where {condition}: '{text}' is no number") from None
    elif sign not in ("=", "!="):
        raise UsageError(f"--where {condition}: words have no order; use = or !=")
    return TESTS[sign](fact, wanted)
