"""Headings of score columns: the score's name, and what distinguishes it from its namesakes."""

import fnmatch
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from disentangle.errors import UsageError, suggestion, true_name
from disentangle.runs.records import describe, describe_view
from disentangle.runs.score_records import ColumnKey


class SeveralColumns(UsageError):
    """A name that is a score's in several columns of a table."""


PARTS: dict[str, Callable[[ColumnKey], str]] = {
    "metric": lambda key: key.metric,
    "version": lambda key: f"v{key.version}",
    "knobs": lambda key: describe(dict(key.knobs)) or "default",
    "protocol": lambda key: key.protocol,
    "representation": lambda key: representation_text(key.representation),
    "factors": lambda key: describe_factors(key.factors),
    "view": lambda key: describe_view(dict(key.view)) or "all images",
    "fingerprint": lambda key: f"dataset {key.fingerprint[:10]}",
    "seed": lambda key: f"metric seed {key.seed}",
}
"""Part of a column's key -> its text, for the columns of one score that differ in it."""


def representation_text(representation: str) -> str:
    """A representation in words: `mean, block norm` for `mean, norm`, a norm of each block."""
    code, _, reduction = representation.partition(", ")
    of_block = "block " if reduction in ("mean", "norm") else ""
    return f"{code}, {of_block}{reduction}" if reduction else code


def headings(columns: Iterable[ColumnKey], factors: tuple[str, ...] = ()) -> dict[ColumnKey, str]:
    """Name each column by its score, its unusual settings, and its differences from namesakes.

    Args:
        columns: all columns of a table.
        factors: the factors of the dataset, which a heading does not mention.
    """
    keys = sorted(set(columns), key=str)

    def factors_text(key: ColumnKey) -> str:
        return describe_factors(key.factors, factors)

    parts = {**PARTS, "factors": factors_text}
    several = len({key.protocol for key in keys}) > 1
    names: dict[ColumnKey, str] = {}
    for key in keys:
        namesakes = [other for other in keys if other.score == key.score]
        unusual = {
            "knobs": bool(key.knobs),
            "protocol": several,
            "representation": key.representation != "mean",
            "factors": bool(factors) and key.factors != factors,
            "view": "correlate" in dict(key.view),
            "seed": key.seed != 0,
        }
        texts = [
            text(key)
            for part, text in parts.items()
            if unusual.get(part) or len({text(other) for other in namesakes}) > 1
        ]
        names[key] = key.score + (f" [{'; '.join(filter(None, texts))}]" if any(texts) else "")
    return names


def metric_of(heading: str) -> str:
    """The metric that a heading begins with."""
    return re.split(r"[/ ,]", heading)[0]


def counted(texts: Sequence[str]) -> str:
    """How many of some headings each metric has, such as `elbo (3), mig (1)`."""
    counts = Counter(map(metric_of, texts))
    return ", ".join(f"{metric} ({number})" for metric, number in counts.items())


def describe_factors(factors: Sequence[str], usual: Sequence[str] = ()) -> str:
    """Factors as text: those that are missing, if these are fewer."""
    missing = [name for name in usual if name not in factors]
    present = [name for name in usual if name in factors]
    if list(factors) != present or len(missing) >= len(factors):
        return "+".join(factors)
    return f"without {'+'.join(missing)}" if missing else "all factors"


def named(columns: Mapping[ColumnKey, str], name: str, option: str = "") -> list[ColumnKey]:
    """The columns of a score, or the column with a heading.

    Args:
        columns: all columns.
        name: the name of a score, or a heading.
        option: the repeatable option that the name was given by, if it was.

    Raises:
        UsageError: there is none.
    """
    names = {column.score for column in columns} | set(columns.values())
    name = true_name(name, names)
    matches = [c for c, heading in columns.items() if name in (c.score, heading)]
    if not matches:
        hint = suggestion(name, names, option=option)
        raise UsageError(f"no run has the score '{name}'{hint}")
    return matches


def matching(columns: Mapping[ColumnKey, str], patterns: Sequence[str]) -> list[ColumnKey]:
    """The columns whose score matches a pattern such as `dci/*`, or whose heading is one.

    Case does not matter.
    """
    folded = [pattern.casefold() for pattern in patterns]
    return [
        column
        for column, heading in columns.items()
        if any(
            p == heading.casefold() or fnmatch.fnmatchcase(column.score.casefold(), p)
            for p in folded
        )
    ]


def only(columns: Mapping[ColumnKey, str], name: str) -> ColumnKey:
    """The one column with a score's name or a heading.

    Raises:
        SeveralColumns: there are several; the message lists them.
        UsageError: there is none.
    """
    matches = named(columns, name)
    if len(matches) > 1:
        several = "".join(f"\n  '{columns[column]}'" for column in matches)
        raise SeveralColumns(f"'{name}' matches several scores; use one of{several}")
    return matches[0]
