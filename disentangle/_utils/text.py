"""Text for people: durations, numbers of things, order, and names of files."""

import re


def duration(seconds: float) -> str:
    """Format a duration in seconds, minutes, hours or days, whichever fits."""
    minutes = int(seconds) // 60
    if minutes < 1:
        return f"{seconds:.0f} s"
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes / 60
    return f"{hours:.1f} h" if hours < 100 else f"{hours / 24:,.0f} days"


def counted(number: int, thing: str) -> str:
    """Format a number of things, as `1 run` or `2,000 runs`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def file_stem(*parts: str) -> str:
    """Join the parts of a file's name by hyphens, as letters, digits and hyphens alone.

    LaTeX takes such a name as it is.
    """
    return "-".join(
        filter(None, (re.sub(r"[^A-Za-z0-9]+", "-", part).strip("-") for part in parts))
    )


def natural(text: str) -> list[tuple[float, str]]:
    """A sort key of text in which numbers count as numbers: `beta=2` comes before `beta=16`."""
    parts = re.split(r"(\d+(?:\.\d+)?)", text)
    return [(float(part), "") if i % 2 else (0.0, part) for i, part in enumerate(parts)]
