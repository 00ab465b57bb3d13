"""The score table: one row a configuration, one column a score that means the same in every row."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from disentangle.cells import Cell, Column, Row, cell_of, identity
from disentangle.chance import CORRECTED, control_row, correct, odd
from disentangle.errors import DisentangleError
from disentangle.record import RunRecord, Score, describe_view
from disentangle.run import Run, find_runs, load_run
from disentangle.scoring import read_scores

PARTS: tuple[tuple[str, Callable[[Score], str]], ...] = (
    ("metric", lambda s: s.metric),
    ("version", lambda s: f"v{s.version}"),
    ("knobs", lambda s: ", ".join(f"{k}={v}" for k, v in sorted(s.knobs.items())) or "default"),
    ("protocol", lambda s: s.protocol),
    ("representation", lambda s: s.representation),
    ("factors", lambda s: "+".join(s.factors)),
    ("view", lambda s: describe_view(s.view) or "all images"),
    ("fingerprint", lambda s: f"dataset {s.fingerprint[:10]}"),
    ("seed", lambda s: f"metric seed {s.seed}"),
)
"""What may tell two columns of one score apart, and how to say it."""


@dataclass
class Table:
    """The configurations that were trained on one dataset."""

    dataset: str
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

    @property
    def head(self) -> list[str]:
        """Return the headings."""
        return ["model", "knobs", "steps", "seeds", *self.columns.values()]

    @property
    def body(self) -> list[list[str]]:
        """Return the rows as text."""
        return [
            [row.model, row.knobs, steps(row), seeds(row)]
            + [row.cells.get(column, Cell()).text for column in self.columns]
            for row in self.rows
        ]

    @property
    def caption(self) -> str:
        """Return what a reader must know: the dataset, the protocol, and why a score is missing."""
        notes = [f"Dataset {self.dataset}, fingerprint {self.fingerprint[:10]}."]
        if self.protocols:
            codes = " and ".join(f"{r}s" for r in self.representations)
            notes.append(f"Protocol {', '.join(self.protocols)}; {codes} of the posterior.")
        if self.scored:
            notes.append(f"Scored: {self.scored}.")
        if any(len(row.seeds) > 1 for row in self.rows):
            notes.append("Mean ± standard deviation over seeds.")
        reasons = {
            f"{self.columns[column]}{'' if row.steps is not None else f' of {row.model}'}: "
            f"n/a: {reason}."
            for row in self.rows
            for column, cell in row.cells.items()
            for reason in cell.reasons
        }
        if self.overlap:
            notes.append(f"Up to {100 * self.overlap:.2g} % of test images were also fitted on.")
        if any(row.steps is None for row in self.rows):
            notes.append("Rows without steps are baselines.")
        if any(heading.endswith(CORRECTED) for heading in self.columns.values()):
            notes.append("Corrected: (score - noise) / (oracle - noise).")
        return " ".join([*notes, *self.warnings, *sorted(reasons)])

    def markdown(self) -> str:
        """Return the table in Markdown, columns aligned."""
        lines = [self.head, *self.body]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.head))]
        rule = ["-" * width for width in widths]
        rows = [lines[0], rule, *lines[1:]]
        text = "\n".join(
            "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |"
            for row in rows
        )
        return f"{text}\n\n{self.caption}\n"


def steps(row: Row) -> str:
    """Return the steps of training, as far as they are known."""
    if row.imported:
        return "imported"
    return "" if row.steps is None else f"{row.steps:,}"


def seeds(row: Row) -> str:
    """Return the number of seeds, and of those that are still training."""
    if row.steps is None:
        return ""
    return f"{len(row.seeds)}" + (f" (+{row.unfinished} unfinished)" if row.unfinished else "")


def make_tables(
    runs: Sequence[Run],
    baselines: Mapping[str, Sequence[Score]] = MappingProxyType({}),
    *,
    corrected: bool = False,
) -> list[Table]:
    """Return a table for each dataset, by fingerprint, that these runs were trained on.

    Args:
        runs: of any datasets.
        baselines: name -> scores, of any datasets, to stand above and below the models.
        corrected: whether to add a column, corrected for chance, for each that has both an oracle
            and noise.
    """
    datasets: dict[tuple[str, str], list[Run]] = {}
    # A run named twice, or copied, is still one run.
    for run in {(run.record.id, run.record.weights): run for run in runs}.values():
        about = run.record.dataset
        name = ", ".join(filter(None, (about.name, describe_view(about.view))))
        datasets.setdefault((name, about.fingerprint), []).append(run)
    return [
        make_table(name, mark, group, baselines, corrected)
        for (name, mark), group in sorted(datasets.items())
    ]


def make_table(
    dataset: str,
    fingerprint: str,
    runs: Sequence[Run],
    baselines: Mapping[str, Sequence[Score]] = MappingProxyType({}),
    corrected: bool = False,
) -> Table:
    """Return the table of runs on one dataset."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(configuration(run.record), []).append(run)
    scores = {
        run.path: [s for s in read_scores(run) if s.weights == run.record.weights]
        for run in runs
        if run.finished
    }
    every = [score for found in scores.values() for score in found]
    columns = headings(every, tuple(runs[0].record.dataset.factors))
    rows = []
    for group in groups.values():
        record = group[0].record
        done = [run for run in group if run.finished]
        row = Row(
            model=record.model,
            knobs=record.summary,
            steps=record.recipe["steps"],
            imported=record.imported is not None and record.training["steps"].origin != "given",
            seeds=sorted(run.record.seed for run in done),
            unfinished=len(group) - len(done),
        )
        for column in columns:
            found = [s for run in done for s in scores[run.path] if identity(s) == column]
            if found:
                row.cells[column] = cell_of(found, len(done))
        rows.append(row)
    rows.sort(key=lambda row: (row.model, row.knobs, row.steps or 0))
    controls = {name: control_row(name, found, columns) for name, found in baselines.items()}
    controls = {name: row for name, row in controls.items() if row.cells}
    top, bottom = controls.get("oracle"), controls.get("noise")
    warnings = odd(columns, top, bottom, [*rows, *controls.values()])
    rows = [*filter(None, [top]), *rows, *(row for row in controls.values() if row is not top)]
    if corrected:
        columns = correct(columns, rows, top, bottom)
    protocols = tuple(sorted({score.protocol for score in every}))
    views = {describe_view(score.view) for score in every}
    trained = describe_view(runs[0].record.dataset.view)
    scored = "".join(views) if len(views) == 1 and views != {trained} else ""
    overlap = max((score.overlap or 0.0 for score in every), default=0.0)
    codes = tuple(sorted({score.representation for score in every}))
    return Table(dataset, fingerprint, rows, columns, protocols, scored, warnings, codes, overlap)


def headings(scores: Sequence[Score], factors: tuple[str, ...] = ()) -> dict[Column, str]:
    """Return a heading for each column: the score's name, what is unusual, what tells it apart.

    Args:
        scores: of all columns.
        factors: the usual ones.
    """
    examples = {identity(score): score for score in scores}
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
            for part, say in PARTS
            if unusual.get(part) or len({say(other) for other in namesakes}) > 1
        ]
        names[key] = score.name + (f" [{'; '.join(filter(None, told))}]" if any(told) else "")
    return names


def configuration(record: RunRecord) -> str:
    """Return what runs of one row share: everything but the seed."""
    shared = record.configuration
    shared["training"].pop("seed")
    return json.dumps(shared, sort_keys=True)


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
