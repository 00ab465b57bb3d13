"""Filter runs by conditions on their settings: `--where beta>=4`."""

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from disentangle.errors import UsageError, one_per_option, suggestion, true_name
from disentangle.runs.external import External
from disentangle.runs.overview import EXTERNAL, STATES, state_of
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
GROUPS = {"finished": ("finished", "collapsed"), "unfinished": ("training", "stopped")}
"""Name for several states in a condition -> these states: a collapsed run is finished too."""
WHOLE = "all images"
"""The part of a run that was trained on a whole dataset; `all` in a condition means the same."""
CONDITION = re.compile(r"\s*([\w-]+)\s*(<=|>=|!=|==|=|<|>)\s*(.*?)\s*")

FURTHER = re.compile(r",\s*(?=[\w-]+\s*[<>=!])")
"""The comma before a further condition in one text."""


def filterable_fields(run: Run | External) -> dict[str, Any]:
    """The fields that runs can be filtered by: model, dataset, preset, knobs, training options.

    An external encoder has few: its name is the model.
    """
    if isinstance(run, External):
        data = run.record.dataset
        fields = {"dataset": data.name, "fingerprint": data.fingerprint[:10]}
        return {"model": run.record.name, **fields}
    record = run.record
    name, part, fingerprint = record.data
    fields = {
        "model": record.model,
        "dataset": name,
        "part": part or WHOLE,
        "fingerprint": fingerprint[:10],
        "preset": record.preset or "",
        "supervision": record.supervision or "",
    }
    return {**record.recipe, **record.knobs, **fields}


def states(sign: str, value: str, condition: str) -> set[str]:
    """The states of a run that meet a condition.

    Raises:
        UsageError: there is no such state, or the condition orders states.
    """
    known = (*STATES, EXTERNAL)
    name = true_name(value, [*known, *GROUPS])
    if sign not in ("=", "!="):
        raise UsageError(f"--where {condition}: states have no order; use = or !=")
    if name not in known and name not in GROUPS:
        raise UsageError(
            f"--where {condition}: no state '{value}'; expected one of {', '.join(known)} or "
            "unfinished, which is training or stopped"
        )
    meant = set(GROUPS.get(name, (name,)))
    return meant if sign == "=" else set(known) - meant


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
        if name.casefold() == "state":
            meant = states(sign, value, text)
            selected = [run for run in selected if state_of(run) in meant]
            continue
        fields = {key for run in runs for key in filterable_fields(run)} | {"state"}
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
            f"--where {condition}: expected a condition such as beta>=4, with one of the operators "
            f"{' '.join(TESTS)}"
        )
    if parts[1] != "part" and FURTHER.search(parts[3]):
        conditions = FURTHER.split(condition)
        raise UsageError(f"--where {condition}: {one_per_option('--where', conditions)}")
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
