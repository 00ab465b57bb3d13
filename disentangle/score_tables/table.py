"""The score table: one row per configuration, one column per score with a single meaning."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from disentangle._utils.html import never_failing
from disentangle.errors import UsageError
from disentangle.runs.records import Value, describe
from disentangle.runs.score_records import ColumnKey, FactorDependence
from disentangle.score_tables.baseline_rows import CORRECTED
from disentangle.score_tables.cells import Cell, Row
from disentangle.score_tables.headings import representation_text
from disentangle.score_tables.heads import Head, head_of, kind_of
from disentangle.score_tables.parts import MOST, parts
from disentangle.score_tables.published import Paper
from disentangle.score_tables.render import Sheet, Text, as_html, markdown
from disentangle.score_tables.statistics import CLAIM, FEWEST, STATISTICS, Statistic

LEFT = ("model", "settings", "chosen", "labels used", "steps", "seeds")
"""The columns of words, before the scores."""


@dataclass
class Table:
    """The configurations that were trained on one dataset."""

    dataset: str
    """The title: the dataset, its part, and its fingerprint if several datasets share these."""
    trained: tuple[str, str]
    """The dataset that was trained on, and its part as text."""
    fingerprint: str
    rows: list[Row]
    columns: dict[ColumnKey, str]
    """Key of a column -> heading."""
    protocols: tuple[str, ...] = ()
    scored: str = ""
    """The view that was scored, if it is the same in all columns but not the one trained on."""
    warnings: tuple[str, ...] = ()
    """Warnings about the numbers themselves."""
    representations: tuple[str, ...] = ("mean",)
    overlap: float = 0.0
    """The largest share, over all scores, of a metric's test images that it was also fitted on."""
    dependence: FactorDependence | None = None
    """The largest dependence, over all scores, of two scored factors on each other."""
    statistic: Statistic = "mean"
    every_seed: bool = False
    """True to show the value of each seed."""
    ranking: str = ""
    """The meaning of bold cells; empty if nothing was compared."""
    absent: tuple[str, ...] = ()
    """Models that are not shown, because no configuration has the selecting score."""
    words: tuple[str, ...] = ()
    """The columns of words to show, of `LEFT`, besides the model; empty for all."""
    papers: tuple[Paper, ...] = ()
    """Tables of papers on this dataset, never ranked with the rows."""

    @property
    def left(self) -> dict[str, Callable[[Row], str]]:
        """The columns before the scores: heading -> text of a row."""
        models = {row.model for row in self.rows}
        shared = {model: {**self.shared, **self.shared_by(model)} for model in models}
        columns: dict[str, Callable[[Row], str]] = {
            "model": lambda row: row.name,
            "settings": lambda row: row.settings_text(shared[row.model]),
            "chosen": lambda row: row.chosen,
            "labels used": lambda row: "unknown" if row.external else row.supervision,
            "steps": steps,
            "seeds": seeds,
        }
        if not any(row.supervision for row in self.rows):
            del columns["labels used"]
        if not any(row.trained for row in self.rows):
            del columns["chosen"], columns["steps"]
        shown = {"model", *(self.words or LEFT)}
        return {heading: text for heading, text in columns.items() if heading in shown}

    @property
    def shared(self) -> dict[str, Value]:
        """The settings that all trained rows share, if there are at least two."""
        return common([row.settings for row in self.rows if row.trained])

    def shared_by(self, model: str) -> dict[str, Value]:
        """The settings that all rows of a model share, if there are at least two."""
        return common([row.settings for row in self.rows if row.trained and row.model == model])

    @property
    def sheet(self) -> Sheet:
        """The whole table as text; see `sheets` for what is printed."""
        left = self.left
        return Sheet(
            title=self.dataset,
            head=[*left, *self.columns.values()],
            body=[
                [Text(text(row), grey=row.grey, aside=not row.trained) for text in left.values()]
                + [
                    Text(self.text(row, c), strong=c in row.best, grey=row.grey)
                    for c in self.columns
                ]
                for row in self.rows
            ],
            caption=self.caption,
            numbers=len(self.columns),
            names=1 + ("settings" in left),
            heads=self.heads,
        )

    @property
    def heads(self) -> tuple[Head, ...]:
        """The headings of the columns in two rows; in a wide table with the kind of scores."""
        wide = len(self.columns) > MOST
        return tuple(
            head_of(column, heading, kind_of(column) if wide else "")
            for column, heading in self.columns.items()
        )

    def text(self, row: Row, column: ColumnKey) -> str:
        """The text of a score."""
        return row.cells.get(column, Cell()).described(every=self.every_seed)

    @property
    def sheets(self) -> list[Sheet]:
        """The parts of this table and the papers' tables, ready to print; see `parts`."""
        first, *others = self.whole_sheets
        return [*parts(first), *others]

    @property
    def whole_sheets(self) -> list[Sheet]:
        """This table and the papers' tables, for a terminal, which divides them by its width."""
        return [self.sheet, *(paper.sheet(self.dataset) for paper in self.papers)]

    @property
    def caption(self) -> str:
        """The caption: dataset, protocol, notes, warnings, and reasons for missing scores."""
        said = f"Trained on: {self.dataset}"
        if not any(row.trained for row in self.rows):
            said = f"Images: {', '.join(filter(None, self.trained))}"
        notes = [f"{said} (fingerprint {self.fingerprint[:10]})."]
        if self.scored:
            notes.append(f"Scored on: {self.scored}.")
        if self.protocols:
            noun = "Protocol" if len(self.protocols) == 1 else "Protocols"
            notes.append(f"{noun}: {', '.join(self.protocols)}.")
            notes.append(f"Codes: {codes_text(self.representations)}.")
        if self.shared:
            notes.append(f"Shared settings: {describe(self.shared)}.")
        for model in dict.fromkeys(row.model for row in self.rows):
            own = {k: v for k, v in self.shared_by(model).items() if k not in self.shared}
            if own:
                notes.append(f"Shared settings of {model}: {describe(own)}.")
        notes += self.reading
        if self.overlap:
            part = f"Up to {share(self.overlap)} % of a metric's test images"
            notes.append(f"{part} were also in its training sample.")
        if self.dependence:
            first, second = self.dependence.factors
            notes.append(
                f"Factors depend on each other (Cramér's V of {first} and {second}: "
                f"{self.dependence.v:.2f}), so that even perfect codes may score below 1; the "
                "baseline `oracle` shows by how much."
            )
        controls = [row.model for row in self.rows if row.baseline]
        if controls:
            notes.append(f"Baselines: {', '.join(controls)}.")
        if any(heading.endswith(CORRECTED) for heading in self.columns.values()):
            notes.append("Corrected: (score - noise) / (oracle - noise).")
        if self.absent:
            absent = ", ".join(self.absent)
            notes.append(f"Not shown, because they lack the score that selects settings: {absent}.")
        notes += self.marks
        return " ".join([*notes, *self.warnings, *self.reasons])

    @property
    def reasons(self) -> list[str]:
        """Why scores are n/a: a sentence for each reason and baseline or external encoder."""
        headings: dict[tuple[str, str], set[str]] = {}
        for row in self.rows:
            whose = "" if row.trained else f" of {row.model}"
            for column, cell in row.cells.items():
                for reason in cell.reasons if column in self.columns else ():
                    headings.setdefault((whose, reason), set()).add(self.columns[column])
        return sorted(
            f"{', '.join(sorted(own))}{whose}: n/a: {reason}."
            for (whose, reason), own in headings.items()
        )

    @property
    def reading(self) -> list[str]:
        """Notes on how to read the numbers of a cell."""
        notes = []
        if self.sizes and self.sizes[-1] > 1:
            notes.append(f"{STATISTICS[self.statistic].title} over seeds{self.uncertainty}.")
        if self.ranking:
            notes.append(self.ranking)
        if any(row.trained and len(row.seeds) < CLAIM for row in self.rows):
            notes.append(f"Use at least {CLAIM} seeds before claiming a difference.")
        return notes

    @property
    def sizes(self) -> list[int]:
        """The numbers of values in a cell, in ascending order."""
        cells = [cell for row in self.rows for cell in row.cells.values()]
        return sorted({len(cell.values) for cell in cells if cell.values})

    @property
    def uncertainty(self) -> str:
        """What follows the statistic in a cell."""
        if self.every_seed:
            return " (value of each seed)"
        interval = " [95 % bootstrap interval]" if self.sizes[-1] >= FEWEST else ""
        return f" ± standard deviation{interval}"

    @property
    def marks(self) -> list[str]:
        """Notes on rows that are marked."""
        notes = []
        if any(row.grey for row in self.rows):
            notes.append(
                "Grey: settings chosen by the displayed score itself, so the score is an upper "
                "bound."
            )
        if any(row.collapsed for row in self.rows):
            notes.append("Collapsed: at most one latent is active; such rows are never ranked.")
        if any(row.external for row in self.rows):
            notes.append("External: not trained here; such rows are never ranked.")
        if unchecked := [row.model for row in self.rows if row.unchecked]:
            notes.append(f"Codes given, images not checked: {', '.join(unchecked)}.")
        return notes

    def records(self, headings: Mapping[ColumnKey, str] | None = None) -> list[dict[str, Any]]:
        """One record per row: its settings and the statistics of each score.

        Args:
            headings: headings of the columns [default: the table's own].
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
                "external": row.external,
                "steps": row.steps,
                "seeds": len(row.seeds),
                "unfinished": row.unfinished,
                "failed": row.failed,
                "collapsed": row.collapsed,
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
        """The records as a DataFrame.

        Raises:
            UsageError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise UsageError("pandas is not installed. Run `pip install pandas`.") from None
        return pandas.DataFrame(self.records())

    @never_failing
    def _repr_html_(self) -> str:
        """The table in a notebook, and those of papers below it."""
        return "".join(map(as_html, self.sheets))

    def markdown(self) -> str:
        """The table in Markdown, with aligned columns."""
        return "\n".join(map(markdown, self.sheets))


class Tables(list[Table]):
    """Tables of several datasets, which a notebook shows below one another."""

    @never_failing
    def _repr_html_(self) -> str:
        return "".join(as_html(sheet) for table in self for sheet in table.sheets)


def common(settings: Sequence[dict[str, Value]]) -> dict[str, Value]:
    """The settings that all mappings share; empty for fewer than two mappings."""
    if len(settings) < 2:
        return {}
    first, *others = settings
    return {k: v for k, v in first.items() if all(k in s and s[k] == v for s in others)}


def summed(cell: Cell) -> dict[str, float | int | None]:
    """The statistics of a cell by name."""
    summary = cell.summary
    if summary is None:
        return dict.fromkeys(("mean", "sd", *STATISTICS, "low", "high")) | {"n": 0}
    low, high = summary.interval or (None, None)
    first = {"mean": summary.averages["mean"], "sd": summary.sd}
    return {**first, **summary.averages, "low": low, "high": high, "n": summary.n}


def steps(row: Row) -> str:
    """The number of training steps as text, or `imported`."""
    if row.imported:
        return "imported"
    return "" if row.steps is None else f"{row.steps:,}"


def seeds(row: Row) -> str:
    """The number of seeds as text, with the numbers of unfinished and failed ones."""
    if not row.trained:
        return str(len(row.seeds)) if row.seeds else ""
    missing = [f"{n} {what}" for n, what in counts(row) if n]
    return f"{len(row.seeds)}" + (f" (+{', '.join(missing)})" if missing else "")


def counts(row: Row) -> tuple[tuple[int, str], ...]:
    """The numbers of a row's unfinished and failed runs."""
    return (row.unfinished, "unfinished"), (row.failed, "failed")


def codes_text(representations: Sequence[str]) -> str:
    """The codes that are scored: `means and samples of the posterior, some reduced by pca:10`."""
    parts = [representation_text(name).partition(", ") for name in representations]
    codes = " and ".join(f"{code}s" for code in dict.fromkeys(part[0] for part in parts))
    reductions = " and ".join(dict.fromkeys(part[2] for part in parts if part[2]))
    return f"{codes} of the posterior" + (f", some reduced by {reductions}" if reductions else "")


def share(part: float) -> str:
    """A share as a percentage without the sign; two digits if it is small."""
    return f"{100 * part:.2g}" if part < 0.095 else f"{100 * part:.0f}"
