"""Scores reported by papers, shown below our tables but never among their rows."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from disentangle._utils.strict import Strict, packaged_toml
from disentangle._utils.text import joined
from disentangle.score_tables.render import Sheet, Text


class Reported(Strict):
    """A row of a paper's table."""

    model: str
    scores: dict[str, str]
    """Score, as the paper names it -> value, as the paper prints it."""
    note: str = ""
    """What is known of the row: that it is quoted, or a misprint."""


class Paper(Strict):
    """A paper's table on one dataset and its protocol, as far as the paper describes it."""

    source: str
    link: str
    datasets: tuple[str, ...]
    """The datasets here that the numbers may be of: one, unless the paper's name is in doubt."""
    named: str = ""
    """The dataset as the paper names it."""
    opened: str = ""
    """The file that the paper's code opens, if it is known."""
    protocol: str
    """The protocol as text, including what is not known of it."""
    seeds: str = ""
    spread: str = ""
    """What a value after ± is taken over."""
    rows: tuple[Reported, ...]

    @property
    def scores(self) -> list[str]:
        """The scores in the table."""
        return list(dict.fromkeys(name for row in self.rows for name in row.scores))

    def sheet(self, dataset: str) -> Sheet:
        """The table, labelled as published values."""
        scores = self.scores
        return Sheet(
            title=f"{dataset}, as published: {self.source}",
            head=["model (published)", *scores],
            body=[
                [Text(row.model), *(Text(row.scores.get(name, "")) for name in scores)]
                for row in self.rows
            ],
            caption=" ".join(self.remarks(dataset)),
            numbers=len(scores),
            brief=f"{dataset}, as published by {self.source}.",
        )

    def remarks(self, dataset: str) -> Iterator[str]:
        """The sentences of the caption: protocol, source, and what other papers say otherwise."""
        yield "Published values, not measured here: do not rank them with measured ones."
        yield self.protocol
        if self.seeds:
            yield f"{self.seeds} seeds."
        if self.spread:
            yield f"± is {self.spread}."
        if self.named:
            opens = f"; the file opened is {self.opened}" if self.opened else ""
            yield f"Dataset: '{self.named}'{opens}."
        yield from (f"{row.model}: {row.note}." for row in self.rows if row.note)
        yield from conflicts(self, dataset, known_papers())
        yield f"Source: {self.source}, {self.link}"


def papers_on(dataset: str) -> list[Paper]:
    """The papers' tables for a dataset."""
    return [paper for paper in known_papers() if dataset in paper.datasets]


def known_papers() -> list[Paper]:
    """All papers' tables, one for each dataset of a paper."""
    files = packaged_toml("disentangle.score_tables", "papers")
    return [paper for content in files.values() for paper in papers_of(content)]


def papers_of(content: Mapping[str, Any]) -> list[Paper]:
    """The tables in a paper's file."""
    shared = {name: value for name, value in content.items() if name != "tables"}
    return [Paper(**shared, **table) for table in content.get("tables", [{}])]


def conflicts(paper: Paper, dataset: str, others: Iterable[Paper]) -> Iterator[str]:
    """What other papers print for the same method: other numbers, or the same of other data."""
    for other in others:
        if other.source == paper.source:
            continue
        pairs = [(row, one) for row in paper.rows for one in other.rows if row.model == one.model]
        if dataset in other.datasets:
            for row, one in pairs:
                differing = [name for name in row.scores if differ(row, one, name)]
                if differing:
                    values = "; ".join(
                        f"{name} {row.scores[name]} here, {one.scores[name]} there"
                        for name in differing
                    )
                    yield (
                        f"Other values of {row.model} on {dataset} in '{other.source}': {values}."
                    )
        if plain(other.named) != plain(paper.named):
            same = [row.model for row, one in pairs if equal(row, one)]
            if same:
                yield (
                    f"The same values of {joined(same)} stand in '{other.source}' as those "
                    f"of '{other.named}'."
                )


def differ(row: Reported, other: Reported, score: str) -> bool:
    """True if two papers print different values of a score."""
    values = [number(each.scores.get(score, "")) for each in (row, other)]
    return None not in values and values[0] != values[1]


def equal(row: Reported, other: Reported) -> bool:
    """True if two papers print the same values of at least two scores, and no other ones."""
    shared = [
        name
        for name, text in row.scores.items()
        if number(text) is not None and number(other.scores.get(name, "")) is not None
    ]
    return len(shared) > 1 and not any(differ(row, other, name) for name in shared)


def number(text: str) -> float | None:
    """The value that a paper prints, without its spread; None for text or nothing."""
    try:
        return float(text.partition("±")[0])
    except ValueError:
        return None


def plain(name: str) -> str:
    """A dataset's name without case and punctuation."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
