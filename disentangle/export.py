"""Tables as files: for people in Markdown, for programs in CSV."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from disentangle.files import write_text
from disentangle.record import describe_view
from disentangle.run import Run
from disentangle.scoring import read_scores
from disentangle.table import Table


def write_markdown(tables: Sequence[Table], path: Path) -> Path:
    """Write all tables, one under another."""
    parts = [f"## {table.dataset}\n\n{table.markdown()}" for table in tables]
    write_text(path, "# Scores\n\n" + "\n".join(parts))
    return path


def write_csv(runs: Sequence[Run], path: Path) -> Path:
    """Write one line for each score of each run: what it is, what it is of, and its value."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    fields = ("name", "value", "reason", "metric", "version", "protocol", "representation", "seed")
    writer.writerow(
        ["run", "dataset", "dataset_fingerprint", "model", "knobs", "steps", "run_seed"]
        + [
            "score" if f == "name" else f"metric_{f}" if f in ("version", "seed") else f
            for f in fields
        ]
        + ["metric_knobs", "factors", "view"]
    )
    for run in runs:
        record = run.record
        mine = [
            run.path.name,
            record.dataset.name,
            record.dataset.fingerprint,
            record.model,
            record.summary,
            record.recipe["steps"],
            record.seed,
        ]
        for score in read_scores(run) if run.finished else ():
            knobs = ", ".join(f"{k}={v}" for k, v in sorted(score.knobs.items()))
            view = describe_view(score.view)
            values = ["" if getattr(score, f) is None else getattr(score, f) for f in fields]
            writer.writerow([*mine, *values, knobs, " ".join(score.factors), view])
    write_text(path, out.getvalue())
    return path
