"""The score table: one row a configuration, one column a score that means the same in every row."""

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from disentangle.cells import Cell, Column, Row, cell_of, identity
from disentangle.chance import CORRECTED, control_row, correct, odd
from disentangle.errors import DisentangleError, UsageError, suggestion
from disentangle.headings import headings
from disentangle.literature import Paper
from disentangle.ranking import mark_best
from disentangle.record import RunRecord, Score, Value, describe, describe_view
from disentangle.run import Run, find_runs, load_run, model_class
from disentangle.scoring import current_scores, each_once, read_scores
from disentangle.selection import EVERY, Selection, key_of
from disentangle.sheet import Sheet, Text, markdown
from disentangle.summary import CLAIM, FEWEST, Statistic


@dataclass
class Table:
    """The configurations that were trained on one dataset."""

    dataset: str
    """What it is about: the dataset and the part of it, and its fingerprint if there are others."""
    trained: tuple[str, str]
    """The dataset that was trained on, and the part of it in words."""
    fingerprint: str
    rows: list[Row]
    columns: dict[Column, str]
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
        found: dict[str, Callable[[Row], str]] = {
            "model": lambda row: row.model,
            "knobs": lambda row: row.told({**self.shared, **self.shared_by(row.model)}),
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
    def head(self) -> list[str]:
        """Return the headings."""
        return [*self.left, *self.columns.values()]

    @property
    def body(self) -> list[list[str]]:
        """Return the rows as text."""
        return [[text.text for text in line] for line in self.sheet.body]

    @property
    def sheet(self) -> Sheet:
        """Return what there is to print."""
        return Sheet(
            title=self.dataset,
            head=self.head,
            body=[
                [Text(say(row), grey=row.grey) for say in self.left.values()]
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
            notes.append(f"Up to {100 * self.overlap:.2g} % of test images were also fitted on.")
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
            notes.append(f"{named} over seeds (each of fewer than {FEWEST}).")
        if any(n >= FEWEST for n in sizes):
            notes.append(f"{named} over seeds ± standard deviation [95 % bootstrap interval].")
        if self.ranking:
            notes.append(self.ranking)
        if any(not row.baseline and len(row.seeds) < CLAIM for row in self.rows):
            notes.append(f"A claim takes {CLAIM} seeds or more.")
        return notes

    def records(self, headings: Mapping[Column, str] | None = None) -> list[dict[str, Any]]:
        """Return a record for each row: its settings, and of each score all that sums it up.

        Args:
            headings: of the columns; the table's own unless given.
        """
        return [
            {
                "dataset": self.dataset,
                "fingerprint": self.fingerprint,
                "model": row.model,
                "knobs": row.told(),
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


def make_tables(
    runs: Sequence[Run],
    baselines: Mapping[str, Sequence[Score]] = MappingProxyType({}),
    *,
    corrected: bool = False,
    statistic: Statistic = "mean",
    selection: Selection = EVERY,
    columns: Sequence[str] = (),
) -> list[Table]:
    """Return a table for each dataset, by fingerprint, that these runs were trained on.

    Args:
        runs: of any datasets.
        baselines: name -> scores, of any datasets, to stand above and below the models.
        corrected: whether to add a column, corrected for chance, for each that has both an oracle
            and noise.
        statistic: what is shown of several seeds first.
        selection: which configurations to show, and how they were chosen; see `selection.select`.
        columns: the scores to show, by name or pattern, as `dci/*`; all unless given.

    Raises:
        UsageError: a pattern that names no score.
    """
    runs, twice = each_once(runs)
    datasets: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        if selection.shows(run):
            datasets.setdefault(run.record.data, []).append(run)
    check_columns(
        columns, [s for group in datasets.values() for r in group for s in current_scores(r)]
    )
    several = [(name, part) for name, part, _ in datasets]
    found = []
    for (name, part, mark), group in sorted(datasets.items()):
        said = [name, part, mark[:10] if several.count((name, part)) > 1 else ""]
        title = ", ".join(filter(None, said))
        table = make_table(title, group, baselines, corrected, statistic, selection, columns)
        if twice:
            warning = (
                f"Runs that were trained twice, to other weights, of which one is shown: {twice}."
            )
            table.warnings = (*table.warnings, warning)
        found.append(table)
    return found


def check_columns(patterns: Sequence[str], scores: Sequence[Score]) -> None:
    """Refuse a pattern that names no score."""
    known = {score.name for score in scores}
    for pattern in patterns:
        if not fnmatch.filter(known, pattern):
            raise UsageError(f"--columns: no score '{pattern}'{suggestion(pattern, known)}")


def make_table(
    title: str,
    runs: Sequence[Run],
    baselines: Mapping[str, Sequence[Score]] = MappingProxyType({}),
    corrected: bool = False,
    statistic: Statistic = "mean",
    selection: Selection = EVERY,
    patterns: Sequence[str] = (),
) -> Table:
    """Return the table of runs on one dataset."""
    groups: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.record.seed):
        groups.setdefault(run.record.group, []).append(run)
    scores = {
        run.path: [
            s
            for s in current_scores(run)
            if not patterns or any(fnmatch.fnmatch(s.name, pattern) for pattern in patterns)
        ]
        for run in runs
    }
    every = [score for found in scores.values() for score in found]
    columns = headings(every, tuple(runs[0].record.dataset.factors))
    rows = []
    for group in groups.values():
        row = row_of(group)
        how = selection.chosen.get(key_of(group[0].record))
        row.chosen, row.grey = how or row.chosen, key_of(group[0].record) in selection.grey
        done = [run for run in group if run.finished]
        for column in columns:
            found = [s for run in done for s in scores[run.path] if identity(s) == column]
            if found:
                row.cells[column] = cell_of(found, len(done), statistic)
        rows.append(row)
    rows.sort(key=lambda row: (row.supervision, row.model, ordered(row.settings), row.steps or 0))
    say_versions(rows)
    ranking = mark_best(rows, columns, statistic)
    controls = {name: control_row(name, found, columns) for name, found in baselines.items()}
    controls = {name: row for name, row in controls.items() if row.cells}
    top, bottom = controls.get("oracle"), controls.get("noise")
    warnings = odd(columns, top, bottom, [*rows, *controls.values()])
    rows = [*filter(None, [top]), *rows, *(row for row in controls.values() if row is not top)]
    if corrected:
        columns = correct(columns, rows, top, bottom)
    views = {describe_view(score.view) for score in every}
    name, part, mark = runs[0].record.data
    trained = describe_view(runs[0].record.dataset.view)
    absent = [model for data, model in selection.absent if data == runs[0].record.data]
    return Table(
        title,
        (name, part),
        mark,
        rows,
        columns,
        protocols=tuple(sorted({score.protocol for score in every})),
        scored="".join(views) or "all images" if len(views) == 1 and views != {trained} else "",
        warnings=warnings,
        representations=tuple(sorted({score.representation for score in every})),
        overlap=max((score.overlap or 0.0 for score in every), default=0.0),
        statistic=statistic,
        ranking=ranking,
        absent=tuple(absent),
    )


def say_versions(rows: Sequence[Row]) -> None:
    """Tell the rows of a model apart by its version, and its network's, where these differ."""
    for model in {row.model for row in rows}:
        mine = [row for row in rows if row.model == model]
        if len({row.versions for row in mine}) > 1:
            for row in mine:
                row.settings = {**row.settings, "version": ".".join(map(str, row.versions))}


def row_of(group: Sequence[Run]) -> Row:
    """Return the row of a configuration's runs, without its scores."""
    record = group[0].record
    return Row(
        model=record.model,
        settings=record.told,
        every={**record.knobs, **record.recipe},
        versions=(record.model_version, record.network_version),
        source=f"from {record.imported}" if record.imported else "",
        steps=record.recipe["steps"],
        imported=record.imported is not None and record.training["steps"].origin != "given",
        seeds=sorted(run.record.seed for run in group if run.finished),
        unfinished=sum(run.state == "unfinished" for run in group),
        failed=sum(run.state == "failed" for run in group),
        supervision=supervision(record),
        chosen="; ".join(sorted({run.record.origin for run in group})),
    )


def supervision(record: RunRecord) -> str:
    """Return what training took from labels; of an older record, what the model takes now."""
    if record.supervision is not None:
        return record.supervision
    try:
        return model_class(record.model).supervision
    except DisentangleError:
        return "unknown"


def ordered(settings: Mapping[str, Value]) -> list[tuple[str, bool, float, str]]:
    """Return what settings are sorted by: numbers as such, before words."""
    return [
        (k, isinstance(v, str), 0.0 if isinstance(v, str) else float(v), str(v))
        for k, v in settings.items()
    ]


def tables(
    results: str | Path = "results", *, statistic: Statistic = "mean", baselines: bool = False
) -> list[Table]:
    """Return the tables of all runs below a folder, one for each dataset.

    Args:
        results: the folder.
        statistic: what is shown of several seeds first.
        baselines: whether to add what `disentangle baselines` scored.

    Raises:
        DisentangleError: a run that cannot be read.
    """
    from disentangle.baselines import read_baselines

    runs, problems = load_all(results)
    if problems:
        raise DisentangleError("; ".join(problems))
    shown = read_baselines(results) if baselines else {}
    return make_tables(runs, shown, statistic=statistic)


def load_all(results: str | Path) -> tuple[list[Run], list[str]]:
    """Return the runs below a folder, and of those that cannot be read, why."""
    runs, problems = [], []
    for path in find_runs(results):
        try:
            run = load_run(path)
            read_scores(run)
            runs.append(run)
        except DisentangleError as error:
            problems.append(str(error))
    return runs, problems
