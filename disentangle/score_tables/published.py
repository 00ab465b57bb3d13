"""Scores reported by papers, shown below our tables but never among their rows."""

from disentangle._utils.strict import Strict, packaged_toml
from disentangle.score_tables.render import Sheet, Text


class Reported(Strict):
    """A row of a paper's table."""

    model: str
    scores: dict[str, str]
    """Score, as the paper names it -> value, as the paper prints it."""


class Paper(Strict):
    """A paper's table and its protocol, as far as the paper describes it."""

    source: str
    link: str
    datasets: tuple[str, ...]
    protocol: str
    """The protocol as text, including what is not known of it."""
    rows: tuple[Reported, ...]

    def sheet(self, dataset: str) -> Sheet:
        """The table, labelled as published values."""
        scores = list(dict.fromkeys(name for row in self.rows for name in row.scores))
        return Sheet(
            title=f"{dataset}, as published: {self.source}",
            head=["model (published)", *scores],
            body=[
                [Text(row.model), *(Text(row.scores.get(name, "")) for name in scores)]
                for row in self.rows
            ],
            caption=f"Published values, not measured here: do not rank them with measured ones. "
            f"{self.protocol} Source: {self.source}, {self.link}",
            numbers=len(scores),
            brief=f"{dataset}, as published by {self.source}.",
        )


def papers_on(dataset: str) -> list[Paper]:
    """The papers' tables for a dataset."""
    return [paper for paper in known_papers() if dataset in paper.datasets]


def known_papers() -> list[Paper]:
    """All papers' tables."""
    files = packaged_toml("disentangle.score_tables", "papers")
    return [Paper(**content) for content in files.values()]
