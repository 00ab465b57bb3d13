"""Export tables: Markdown and LaTeX for readers, CSV and JSON for programs."""

import csv
import io
import json
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from disentangle._utils.files import write_text
from disentangle._utils.versions import made_by
from disentangle.errors import UsageError
from disentangle.runs.external import External, without_copies
from disentangle.runs.records import describe, describe_view
from disentangle.runs.run import Run
from disentangle.runs.score_records import ColumnKey
from disentangle.runs.scores import current_scores, deduplicated
from disentangle.score_tables.baseline_rows import CORRECTED
from disentangle.score_tables.cells import Cell
from disentangle.score_tables.latex import latex
from disentangle.score_tables.paper import paper_sheets
from disentangle.score_tables.render import Sheet, markdown, plain
from disentangle.score_tables.table import Table, summed


def as_markdown(tables: Sequence[Table]) -> str:
    """All tables in Markdown, one after another."""
    parts = [f"## {plain(sheet.title)}\n\n{markdown(sheet)}" for sheet in sheets(tables)]
    return "# Scores\n\n" + "\n".join(parts) + f"\n{made_by()}\n"


def as_latex(tables: Sequence[Table], *, caption: bool = True) -> str:
    """All tables in LaTeX, one after another, with or without captions and labels."""
    papers = [sheet for table in tables for sheet in paper_sheets(table)]
    return "\n".join(latex(sheet, caption=caption) for sheet in papers)


def sheets(tables: Sequence[Table]) -> list[Sheet]:
    """The sheets of all tables."""
    return [sheet for table in tables for sheet in table.sheets]


def as_csv(tables: Sequence[Table]) -> str:
    """All tables as CSV, one line per row: its settings and the statistics of each score.

    If a heading has several meanings over the tables, its meaning is added to it.
    """
    meanings: dict[str, set[tuple[Any, ...]]] = {}
    for table in tables:
        for column, heading in table.columns.items():
            meanings.setdefault(heading, set()).add(column.meaning)
    source = {"made_by": made_by()}
    records = []
    for table in tables:
        names = {
            column: heading if len(meanings[heading]) == 1 else f"{heading} {column.meaning}"
            for column, heading in table.columns.items()
        }
        records += [{**record, **source} for record in table.records(names)]
    fields = list(dict.fromkeys(name for record in records for name in record))
    out = io.StringIO()
    writer = csv.DictWriter(out, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue()


def as_json(tables: Sequence[Table]) -> str:
    """All tables as JSON, with every value and the key of each column."""
    return json.dumps({"made_by": made_by(), "tables": list(map(whole, tables))}, indent=2) + "\n"


def whole(table: Table) -> dict[str, Any]:
    """A table as plain values."""
    columns = [
        {"heading": heading, **parts_of(column)} for column, heading in table.columns.items()
    ]
    rows = [
        {
            "model": row.model,
            "settings": row.settings,
            "chosen": row.chosen,
            "labels_used": row.supervision,
            "steps": row.steps,
            "baseline": row.baseline,
            "external": row.external,
            "seeds": row.seeds,
            "unfinished": row.unfinished,
            "failed": row.failed,
            "collapsed": row.collapsed,
            "scores": {
                heading: {
                    "values": cell.values,
                    **summed(cell),
                    "runs": cell.runs,
                    "reasons": cell.reasons,
                    "best": column in row.best,
                }
                for column, heading in table.columns.items()
                for cell in [row.cells.get(column, Cell())]
            },
        }
        for row in table.rows
    ]
    return {
        "dataset": table.dataset,
        "fingerprint": table.fingerprint,
        "statistic": table.statistic,
        "caption": table.caption,
        "columns": columns,
        "rows": rows,
        "published": [paper.model_dump() for paper in table.papers],
    }


def parts_of(column: ColumnKey) -> dict[str, Any]:
    """The parts of a column's key by name; `corrected` only in corrected columns."""
    parts = column._asdict()
    del parts["corrected"]
    return parts | ({"corrected": CORRECTED} if column.corrected else {})


FORMATS: Mapping[str, Callable[[Sequence[Table]], str]] = MappingProxyType(
    {
        "markdown": as_markdown,
        "latex": as_latex,
        "csv": as_csv,
        "json": as_json,
    }
)
"""Format -> its writer; HTML is written by `reports.html`."""
SUFFIXES = MappingProxyType(
    {".md": "markdown", ".tex": "latex", ".html": "html", ".csv": "csv", ".json": "json"}
)
"""Suffix of a file's name -> format."""


def format_of(path: Path) -> str:
    """The format that a file's suffix stands for.

    Raises:
        UsageError: the suffix is not known.
    """
    if path.suffix not in SUFFIXES:
        raise UsageError(
            f"{path}: expected a file name that ends with one of {', '.join(SUFFIXES)}"
        )
    return SUFFIXES[path.suffix]


def as_long_csv(runs: Sequence[Run | External], columns: Container[ColumnKey] | None = None) -> str:
    """The scores of runs as CSV, one line per score and run.

    `view` is what was scored, and `part` what the run was trained on; empty for all images.

    Args:
        runs: runs on any datasets, and external encoders, which have no steps.
        columns: the columns whose scores to write [default: all].
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    fields = ("name", "value", "reason", "metric", "version", "protocol", "representation", "seed")
    writer.writerow(
        ["run", "dataset", "dataset_fingerprint", "model", "knobs", "steps", "run_seed"]
        + [
            "score" if f == "name" else f"metric_{f}" if f in ("version", "seed") else f
            for f in fields
        ]
        + ["metric_knobs", "factors", "view", "made_by", "part"]
    )
    source = made_by()
    trained = deduplicated(run for run in runs if isinstance(run, Run))[0]
    externals = without_copies(one for one in runs if isinstance(one, External))
    every: list[Run | External] = [*trained, *externals]
    for run in every:
        data = run.record.dataset
        run_values = [run.path.name, data.name, data.fingerprint, *words_of(run)]
        part = "" if isinstance(run, External) else run.record.data[1]
        for score in current_scores(run):
            if columns is not None and score.key not in columns:
                continue
            knobs = describe(dict(score.key.knobs))
            view = describe_view(score.view)
            values = ["" if getattr(score, f) is None else getattr(score, f) for f in fields]
            row = [*run_values, *values, knobs, " ".join(score.factors), view, source]
            row.append(part)
            writer.writerow(row)
    return out.getvalue()


def words_of(run: Run | External) -> list[Any]:
    """Model, settings, steps and seed of a run; name, source and seed of an external encoder."""
    if isinstance(run, External):
        seed = run.record.seed
        return [
            f"{run.record.name} (external)",
            run.record.source,
            "",
            "" if seed is None else seed,
        ]
    record = run.record
    return [record.model, record.summary, record.recipe["steps"], record.seed]


def write_scores(
    tables: Sequence[Table], runs: Sequence[Run | External], folder: Path
) -> list[Path]:
    """Write `scores.md` (the tables) and `scores.csv` (every score of every run)."""
    written = {"scores.md": as_markdown(tables), "scores.csv": as_long_csv(runs)}
    for name, text in written.items():
        write_text(folder / name, text)
    return [folder / name for name in written]
