"""What papers report, to stand beside our tables and never among their rows."""

from disentangle._utils.strict import Strict, packaged_toml
from disentangle.score_tables.render import Sheet, Text


class Reported(Strict):
    """A row of a paper's table."""

    model: str
    scores: dict[str, str]
    """Score, by the paper's name -> its value, as the paper writes it."""


class Paper(Strict):
    """A table of a paper: what it measured, as far as it says so."""

    source: str
    link: str
    datasets: tuple[str, ...]
    protocol: str
    """In words, with what is not known of it."""
    rows: tuple[Reported, ...]

    def sheet(self, dataset: str) -> Sheet:
        """Return the table, marked as what it is."""
        scores = list(dict.fromkeys(name for row in self.rows for name in row.scores))
        return Sheet(
            title=f"{dataset}, as published: {self.source}",
            head=["model (published)", *scores],
            body=[
                [Text(row.model), *(Text(row.scores.get(name, "")) for name in scores)]
                for row in self.rows
            ],
            caption=f"Published, not measured here, and not to be ranked with what was. "
            f"{self.protocol} Source: {self.source}, {self.link}",
            numbers=len(scores),
        )


def papers_on(dataset: str) -> list[Paper]:
    """Return the papers' tables of a dataset."""
    return [paper for paper in known_papers() if dataset in paper.datasets]


def known_papers() -> list[Paper]:
    """Return every paper's table."""
    files = packaged_toml("disentangle.score_tables", "papers")
    return [Paper(**content) for content in files.values()]
