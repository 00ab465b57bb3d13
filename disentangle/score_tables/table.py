"""The score table: one row a configuration, one column a score that means the same in every row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from disentangle.errors import UsageError
from disentangle.runs.records import Value, describe
from disentangle.runs.score_records import ColumnKey
from disentangle.score_tables.baseline_rows import CORRECTED
from disentangle.score_tables.cells import Cell, Row
from disentangle.score_tables.published import Paper
from disentangle.score_tables.render import Sheet, Text, markdown
from disentangle.score_tables.statistics import CLAIM, FEWEST, Statistic


@dataclass
class Table:
    """The configurations that were trained on one dataset."""

    dataset: str
    """What it is about: the dataset and the part of it, and its fingerprint if there are others."""
    trained: tuple[str, str]
    """The dataset that was trained on, and the part of it in words."""
    fingerprint: str
    rows: list[Row]
    columns: dict[ColumnKey, str]
    """Identity of a score -> heading."""
    protocols: tuple[str, ...] = ()
    scored: str = ""
    """What was scored, where it is not what was trained on, and one thing in all columns."""
    warnings: tuple[str, ...] = ()
    """What is odd about the numbers themselves."""
    representations: tuple[str, ...] = ("mean",)
    overlap: float = 0.0
    """The largest share of test images, of any score, that were also fitted on."""
    statistic: Statistic = "mean"
    ranking: str = ""
    """What a marked cell means; empty where nothing was compared."""
    absent: tuple[str, ...] = ()
    """Models that are not shown, for they have not what a setting was chosen by."""
    papers: tuple[Paper, ...] = ()
    """What papers report of this dataset, never to be ranked with the rows."""

    @property
    def left(self) -> dict[str, Callable[[Row], str]]:
        """Return the headings before the scores, and what each says of a row."""
        models = {row.model for row in self.rows}
        shared = {model: {**self.shared, **self.shared_by(model)} for model in models}
        found: dict[str, Callable[[Row], str]] = {
            "model": lambda row: row.model,
            "knobs": lambda row: row.settings_text(shared[row.model]),
            "chosen": lambda row: row.chosen,
            "labels used": lambda row: row.supervision,
            "steps": steps,
            "seeds": seeds,
        }
        if not any(row.supervision for row in self.rows):
            del found["labels used"]
        return found

    @property
    def shared(self) -> dict[str, Value]:
        """Return the settings that every row has, of two trained ones or more."""
        return common([row.settings for row in self.rows if not row.baseline])

    def shared_by(self, model: str) -> dict[str, Value]:
        """Return the settings that every row of a model has, of two rows or more."""
        return common([row.settings for row in self.rows if row.model == model])

    @property
    def sheet(self) -> Sheet:
        """Return what there is to print."""
        left = self.left
        return Sheet(
            title=self.dataset,
            head=[*left, *self.columns.values()],
            body=[
                [Text(say(row), grey=row.grey) for say in left.values()]
                + [
                    Text(row.cells.get(c, Cell()).text, strong=c in row.best, grey=row.grey)
                    for c in self.columns
                ]
                for row in self.rows
            ],
            caption=self.caption,
            numbers=len(self.columns),
        )

    @property
    def sheets(self) -> list[Sheet]:
        """Return what there is to print: of what was trained here, and below it of papers."""
        return [self.sheet, *(paper.sheet(self.dataset) for paper in self.papers)]

    @property
    def caption(self) -> str:
        """Return what a reader must know: the dataset, the protocol, and why a score is missing."""
        notes = [f"Dataset {self.dataset}, fingerprint {self.fingerprint[:10]}."]
        if self.protocols:
            codes = " and ".join(f"{r}s" for r in self.representations)
            notes.append(f"Protocol {', '.join(self.protocols)}; {codes} of the posterior.")
        if self.scored:
            notes.append(f"Scored: {self.scored}.")
        if self.shared:
            notes.append(f"All models: {describe(self.shared)}.")
        for model in dict.fromkeys(row.model for row in self.rows):
            own = {k: v for k, v in self.shared_by(model).items() if k not in self.shared}
            if own:
                notes.append(f"All {model}: {describe(own)}.")
        notes += self.reading
        if self.overlap:
            notes.append(f"Up to {share(self.overlap)} % of test images were also fitted on.")
        if any(row.baseline for row in self.rows):
            notes.append("Rows without steps are baselines.")
        if any(heading.endswith(CORRECTED) for heading in self.columns.values()):
            notes.append("Corrected: (score - noise) / (oracle - noise).")
        if self.absent:
            notes.append(f"Not shown, as none of theirs has it: {', '.join(self.absent)}.")
        if any(row.grey for row in self.rows):
            notes.append("Grey: chosen by the score shown, so what is possible at best.")
        reasons = {
            f"{self.columns[column]}{f' of {row.model}' if row.baseline else ''}: n/a: {reason}."
            for row in self.rows
            for column, cell in row.cells.items()
            if column in self.columns
            for reason in cell.reasons
        }
        return " ".join([*notes, *self.warnings, *sorted(reasons)])

    @property
    def reading(self) -> list[str]:
        """Return how the numbers of a cell are to be read."""
        cells = [c for row in self.rows for c in row.cells.values() if c.summary is not None]
        sizes = {cell.summary.n for cell in cells if cell.summary} - {1}
        named = {"mean": "Mean", "median": "Median", "iqm": "Inter-quartile mean"}[self.statistic]
        notes = []
        if any(n < FEWEST for n in sizes):
            notes.append(f"{named} over seeds (each seed's, where they are fewer than {FEWEST}).")
        if any(n >= FEWEST for n in sizes):
            notes.append(f"{named} over seeds ± standard deviation [95 % bootstrap interval].")
        if self.ranking:
            notes.append(self.ranking)
        if any(not row.baseline and len(row.seeds) < CLAIM for row in self.rows):
            notes.append(f"A claim takes {CLAIM} seeds or more.")
        return notes

    def records(self, headings: Mapping[ColumnKey, str] | None = None) -> list[dict[str, Any]]:
        """Return a record for each row: its settings, and of each score all that sums it up.

        Args:
            headings: of the columns; the table's own unless given.
        """
        return [
            {
                "dataset": self.dataset,
                "fingerprint": self.fingerprint,
                "model": row.model,
                "knobs": row.settings_text(),
                **{f"knob {k}": v for k, v in row.settings.items()},
                "chosen": row.chosen,
                "labels used": row.supervision,
                "steps": row.steps,
                "seeds": len(row.seeds),
                "unfinished": row.unfinished,
                "failed": row.failed,
                "statistic": self.statistic,
                **{
                    f"{heading} {name}": value
                    for column, heading in (headings or self.columns).items()
                    for name, value in summed(row.cells.get(column, Cell())).items()
                },
            }
            for row in self.rows
        ]

    def to_pandas(self) -> Any:
        """Return the records as a DataFrame.

        Raises:
            UsageError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise UsageError("pandas is missing; get it by: pip install pandas") from None
        return pandas.DataFrame(self.records())

    def markdown(self) -> str:
        """Return the table in Markdown, columns aligned."""
        return "\n".join(map(markdown, self.sheets))


def common(settings: Sequence[dict[str, Value]]) -> dict[str, Value]:
    """Return what settings have in common; nothing, of fewer than two."""
    if len(settings) < 2:
        return {}
    first, *others = settings
    return {k: v for k, v in first.items() if all(k in s and s[k] == v for s in others)}


def summed(cell: Cell) -> dict[str, float | int | None]:
    """Return all that sums up a cell, by name."""
    found = cell.summary
    if found is None:
        return dict.fromkeys(("mean", "sd", "median", "iqm", "low", "high")) | {"n": 0}
    low, high = found.interval or (None, None)
    numbers = {"mean": found.mean, "sd": found.sd, "median": found.median, "iqm": found.iqm}
    return {**numbers, "low": low, "high": high, "n": found.n}


def steps(row: Row) -> str:
    """Return the steps of training, as far as they are known."""
    if row.imported:
        return "imported"
    return "" if row.steps is None else f"{row.steps:,}"


def seeds(row: Row) -> str:
    """Return the number of seeds, and of those that are still training or came to no end."""
    if row.baseline:
        return ""
    missing = [f"{n} {what}" for n, what in counts(row) if n]
    return f"{len(row.seeds)}" + (f" (+{', '.join(missing)})" if missing else "")


def counts(row: Row) -> tuple[tuple[int, str], ...]:
    """Return how many runs of a row are missing, and why."""
    return (row.unfinished, "unfinished"), (row.failed, "failed")


def share(part: float) -> str:
    """Return a part of 1 as a percentage, with two digits where it is small."""
    return f"{100 * part:.2g}" if part < 0.095 else f"{100 * part:.0f}"
