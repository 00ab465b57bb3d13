"""A wide table as several narrow ones: metrics stay whole, scores without labels come last."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from disentangle.score_tables.heads import ARROWS, Head
from disentangle.score_tables.render import Sheet

MOST = 8
"""The most columns of scores that a table shows side by side."""


class Unit(NamedTuple):
    """Columns that stay side by side, and what they show."""

    name: str
    columns: list[int]


def parts(sheet: Sheet, *, repeated: bool = False) -> list[Sheet]:
    """The tables that show a table's scores, at most eight columns each, all with the same rows.

    Args:
        sheet: the table.
        repeated: True to end each caption with the table's own, not only the last.
    """
    if sheet.numbers <= MOST or not sheet.heads:
        return [sheet]
    named = []
    for kind, units in units_by_kind(sheet.heads).items():
        blocks = spread(units)
        for number, block in enumerate(blocks, 1):
            name = f"{kind}, {number} of {len(blocks)}" if len(blocks) > 1 else kind
            named.append((name, block))
    last = named[-1][0]
    elsewhere = f"Notes: see the table of {last}."
    return [
        part(sheet, name, block, sheet.caption if repeated or name == last else elsewhere)
        for name, block in named
    ]


def part(sheet: Sheet, name: str, units: Sequence[Unit], notes: str) -> Sheet:
    """Some columns of a table, with a caption that says which, and ends with notes."""
    shown = [i for unit in units for i in unit.columns]
    columns = [*range(sheet.words), *(sheet.words + i for i in shown)]
    names = [unit.name.rstrip(f" {''.join(ARROWS.values())}") for unit in units]
    scores = ", ".join(dict.fromkeys(names))
    family = f"{name[0].upper()}{name[1:]}: {scores}."
    return replace(
        sheet,
        title=f"{sheet.title}: {name}",
        head=[sheet.head[i] for i in columns],
        heads=tuple(sheet.heads[i] for i in shown),
        body=[[row[i] for i in columns] for row in sheet.body],
        caption=f"{family} {notes}",
        brief=f"{sheet.brief} {family}" if sheet.brief else "",
        numbers=len(shown),
    )


def units_by_kind(heads: Sequence[Head]) -> dict[str, list[Unit]]:
    """The columns of each kind of scores, those of a metric together."""
    kinds: dict[str, list[int]] = {}
    for i, head in enumerate(heads):
        kinds.setdefault(head.kind, []).append(i)
    return {kind: list(units_of(heads, columns)) for kind, columns in kinds.items()}


def units_of(heads: Sequence[Head], columns: Sequence[int]) -> Iterable[Unit]:
    """Yield the columns of each metric; if these are too many, those of each of its scores."""
    for metric, own in groupby(columns, key=lambda i: heads[i].metric):
        group = list(own)
        if len(group) <= MOST:
            scores = {heads[i].score for i in group}
            yield Unit(scores.pop() if len(scores) == 1 else metric, group)
            continue
        for score, of in groupby(group, key=lambda i: heads[i].score):
            alike = list(of)
            for start in range(0, len(alike), MOST):
                yield Unit(score, alike[start : start + MOST])


def spread(units: Sequence[Unit]) -> list[list[Unit]]:
    """Put units into as few tables as possible, in their order, and of about the same width."""
    fewest = packed(units, MOST)
    return next(
        blocks
        for most in range(1, MOST + 1)
        if len(blocks := packed(units, most)) == len(fewest)
        and max(sum(len(unit.columns) for unit in block) for block in blocks) <= MOST
    )


def packed(units: Sequence[Unit], most: int) -> list[list[Unit]]:
    """Put units into tables of at most so many columns; a wider unit has a table of its own."""
    blocks: list[list[Unit]] = []
    width = 0
    for unit in units:
        if blocks and width + len(unit.columns) <= most:
            blocks[-1].append(unit)
            width += len(unit.columns)
        else:
            blocks.append([unit])
            width = len(unit.columns)
    return blocks
