"""Text for people: durations, counts, lines broken between words alone, and names of files."""

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any

from disentangle._utils.columns import paragraph

WARNING = "warning: "
"""Prefix of the lines that warn: `--quiet` keeps them, and terminals colour it."""


def count(number: int, noun: str) -> str:
    """Format a number of things, as in "1 thread" and "2 threads"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def joined(names: Sequence[str]) -> str:
    """Join names: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def have(names: Collection[str]) -> str:
    """The verb for these names: "has" for one, else "have"."""
    return "has" if len(names) == 1 else "have"


def as_whole(text: str) -> int | None:
    """The whole number that a text stands for, such as 100000 or 1e5; None if there is none."""
    for read in (int, float):
        with suppress(ValueError):
            number = whole(read(text))
            return number if isinstance(number, int) else None
    return None


def whole(value: Any) -> Any:
    """A float that is a whole number, such as 1e5, as an int; other values as they are."""
    return int(value) if type(value) is float and value.is_integer() else value


def duration(seconds: float) -> str:
    """Format a duration in seconds, minutes, hours or days, whichever fits."""
    minutes = int(seconds) // 60
    if minutes < 1:
        return f"{seconds:.0f} s"
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes / 60
    return f"{hours:.1f} h" if hours < 100 else f"{hours / 24:,.0f} days"


def file_stem(*parts: str) -> str:
    """Join the parts of a file's name by hyphens, as letters, digits and hyphens alone.

    LaTeX takes such a name as it is.
    """
    return "-".join(
        filter(None, (re.sub(r"[^A-Za-z0-9]+", "-", part).strip("-") for part in parts))
    )


def natural_key(text: str) -> list[tuple[float, str]]:
    """A sort key of text in which numbers count as numbers: `beta=2` comes before `beta=16`."""
    parts = re.split(r"(\d+(?:\.\d+)?)", text)
    return [(float(part), "") if i % 2 else (0.0, part) for i, part in enumerate(parts)]


def wrap(text: str, width: int | None) -> str:
    """Break the lines of a text between words, so that they fit a width; None breaks none.

    A word or number longer than the width keeps a line of its own. Continued lines are indented as
    their first line is.
    """
    if width is None:
        return text
    return "\n".join("\n".join(_broken(line, width)) for line in text.split("\n"))


def reflow(text: str, width: int | None) -> str:
    """Join the lines of each paragraph and break them anew; lines that are indented stay apart."""
    if width is None:
        return text
    lines: list[str] = []
    for line in text.split("\n"):
        above = lines[-1] if lines else ""
        if line and above and not (line.startswith(" ") or above.startswith(" ")):
            lines[-1] += f" {line}"
        else:
            lines.append(line)
    return wrap("\n".join(lines), width)


def beside(name: str, text: str, column: int, width: int | None) -> list[str]:
    """The lines of a name and, from a column on, of its text; below the name if that is longer."""
    if width is None:
        return [f"{name:{column}}{text}".rstrip()]
    lines = _broken(text, max(width - column, 16)) or [""]
    if len(name) > column - 2:
        return [name, *(" " * column + line for line in lines)] if text else [name]
    return [f"{name:{column}}{lines[0]}".rstrip(), *(" " * column + line for line in lines[1:])]


def _broken(line: str, width: int) -> list[str]:
    """The parts of a line that fit the width."""
    indent = line[: len(line) - len(line.lstrip())]
    if len(line) <= width or not line.strip():
        return [line]
    return [indent + part for part in paragraph(line.strip(), width - len(indent))]
