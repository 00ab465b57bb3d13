"""From runs to score tables: one for each dataset, a row a configuration."""

import fnmatch
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from disentangle.errors import DisentangleError, UsageError, suggestion
from disentangle.runs.collection import load_all
from disentangle.runs.records import RunRecord, Value, describe_view
from disentangle.runs.run import Run, model_class
from disentangle.runs.score_records import ColumnKey, Score
from disentangle.runs.scores import current_scores, deduplicated
from disentangle.score_tables.baseline_rows import baseline_warnings, control_row, correct
from disentangle.score_tables.cells import Row, cell_of
from disentangle.score_tables.headings import headings
from disentangle.score_tables.ranking import mark_best
from disentangle.score_tables.selection import EVERY, Selection, key_of
from disentangle.score_tables.statistics import Statistic
from disentangle.score_tables.table import Table


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
    runs, twice = deduplicated(runs)
    datasets: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        if selection.shows(run):
            datasets.setdefault(run.record.data, []).append(run)
    if columns:
        scores = [s for group in datasets.values() for run in group for s in current_scores(run)]
        check_columns(columns, scores)
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
    scores = {key: by_column(group, patterns) for key, group in groups.items()}
    every = {column: found[0] for mine in scores.values() for column, found in mine.items()}
    columns = headings(every, tuple(runs[0].record.dataset.factors))
    rows = []
    for key, group in groups.items():
        row = row_of(group)
        how = selection.chosen.get(key_of(group[0].record))
        row.chosen, row.grey = how or row.chosen, key_of(group[0].record) in selection.grey
        done, mine = len([run for run in group if run.finished]), scores[key]
        row.cells = {c: cell_of(mine[c], done, statistic) for c in columns if c in mine}
        rows.append(row)
    rows.sort(key=lambda row: (row.supervision, row.model, ordered(row.settings), row.steps or 0))
    say_versions(rows)
    ranking = mark_best(rows, columns, statistic)
    controls = {name: control_row(name, found, columns) for name, found in baselines.items()}
    controls = {name: row for name, row in controls.items() if row.cells}
    top, bottom = controls.get("oracle"), controls.get("noise")
    warnings = baseline_warnings(columns, top, bottom, [*rows, *controls.values()])
    rows = [*filter(None, [top]), *rows, *(row for row in controls.values() if row is not top)]
    if corrected:
        columns = correct(columns, rows, top, bottom)
    views = {describe_view(score.view) for score in every.values()}
    name, part, mark = runs[0].record.data
    trained = describe_view(runs[0].record.dataset.view)
    absent = [model for data, model in selection.absent if data == runs[0].record.data]
    return Table(
        title,
        (name, part),
        mark,
        rows,
        columns,
        protocols=tuple(sorted({score.protocol for score in every.values()})),
        scored="".join(views) or "all images" if len(views) == 1 and views != {trained} else "",
        warnings=warnings,
        representations=tuple(sorted({score.representation for score in every.values()})),
        overlap=max(
            (s.overlap or 0.0 for mine in scores.values() for kept in mine.values() for s in kept),
            default=0.0,
        ),
        statistic=statistic,
        ranking=ranking,
        absent=tuple(absent),
    )


def by_column(runs: Sequence[Run], patterns: Sequence[str] = ()) -> dict[ColumnKey, list[Score]]:
    """Return the scores of runs by what they mean, in the order of the runs.

    Args:
        runs: runs on one dataset.
        patterns: of the names of scores; all unless given.
    """
    found: dict[ColumnKey, list[Score]] = {}
    for score in (score for run in runs for score in current_scores(run)):
        if not patterns or any(fnmatch.fnmatch(score.name, pattern) for pattern in patterns):
            found.setdefault(score.key, []).append(score)
    return found


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
        settings=record.shown_settings,
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
    from disentangle.scoring.baselines import read_baselines

    runs, problems = load_all(results)
    if problems:
        raise DisentangleError("; ".join(problems))
    shown = read_baselines(results) if baselines else {}
    return make_tables(runs, shown, statistic=statistic)
