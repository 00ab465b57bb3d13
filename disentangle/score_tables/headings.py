"""What the columns of scores are called: the score, and what tells it from others of its name."""

from collections.abc import Callable, Mapping, Sequence

from disentangle.errors import UsageError, suggestion
from disentangle.runs.records import describe, describe_view
from disentangle.runs.score_records import Column, Score, identity


def describe_factors(factors: Sequence[str], usual: Sequence[str] = ()) -> str:
    """Return factors in words: by what is missing where these are fewer."""
    missing = [name for name in usual if name not in factors]
    known = [name for name in usual if name in factors]
    if list(factors) != known or len(missing) >= len(factors):
        return "+".join(factors)
    return f"without {'+'.join(missing)}" if missing else "all factors"


PARTS: dict[str, Callable[[Score], str]] = {
    "metric": lambda s: s.metric,
    "version": lambda s: f"v{s.version}",
    "knobs": lambda s: describe(dict(sorted(s.knobs.items()))) or "default",
    "protocol": lambda s: s.protocol,
    "representation": lambda s: s.representation,
    "factors": lambda s: describe_factors(s.factors),
    "view": lambda s: describe_view(s.view) or "all images",
    "fingerprint": lambda s: f"dataset {s.fingerprint[:10]}",
    "seed": lambda s: f"metric seed {s.seed}",
}
"""What may tell two columns of one score apart, and how to say it."""


def headings(scores: Sequence[Score], factors: tuple[str, ...] = ()) -> dict[Column, str]:
    """Return a heading for each column: the score's name, what is unusual, what tells it apart.

    Args:
        scores: of all columns.
        factors: the usual ones.
    """
    examples = {identity(score): score for score in scores}

    def in_words(score: Score) -> str:
        return describe_factors(score.factors, factors)

    parts = {**PARTS, "factors": in_words}
    several = len({score.protocol for score in scores}) > 1
    names: dict[Column, str] = {}
    for key, score in sorted(examples.items(), key=lambda item: str(item[0])):
        namesakes = [other for other in examples.values() if other.name == score.name]
        unusual = {
            "knobs": bool(score.knobs),
            "protocol": several,
            "representation": score.representation != "mean",
            "factors": bool(factors) and score.factors != factors,
            "seed": score.seed != 0,
        }
        told = [
            say(score)
            for part, say in parts.items()
            if unusual.get(part) or len({say(other) for other in namesakes}) > 1
        ]
        names[key] = score.name + (f" [{'; '.join(filter(None, told))}]" if any(told) else "")
    return names


def named(columns: Mapping[Column, str], name: str) -> list[Column]:
    """Return the columns of this score, or the one with this heading.

    Raises:
        UsageError: there is none.
    """
    found = [c for c, heading in columns.items() if name in (c[0], heading)]
    if not found:
        known = {column[0] for column in columns} | set(columns.values())
        raise UsageError(f"no run has the score '{name}'{suggestion(name, known)}")
    return found


def only(columns: Mapping[Column, str], name: str) -> Column:
    """Return the column of this name or heading.

    Raises:
        UsageError: none has it, or several do: which they are.
    """
    found = named(columns, name)
    if len(found) > 1:
        several = "', '".join(columns[column] for column in found)
        raise UsageError(f"'{name}' is several scores; name one of '{several}'")
    return found[0]
