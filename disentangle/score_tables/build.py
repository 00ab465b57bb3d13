"""Build score tables from runs: one table per dataset, one row per configuration."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from disentangle._utils.text import count
from disentangle.errors import DisentangleError, UsageError, suggestion
from disentangle.runs.collapse import collapsed
from disentangle.runs.collection import load_all
from disentangle.runs.records import RunRecord, Value, describe_view
from disentangle.runs.run import Run, model_class
from disentangle.runs.score_records import ColumnKey, Score
from disentangle.runs.scores import current_scores, deduplicated
from disentangle.score_tables.baseline_rows import baseline_warnings, control_row, correct
from disentangle.score_tables.cells import Row, cell_of
from disentangle.score_tables.headings import headings, matching
from disentangle.score_tables.ranking import mark_best
from disentangle.score_tables.selection import EVERY, Selection, key_of
from disentangle.score_tables.statistics import Statistic
from disentangle.score_tables.table import LEFT, Table
from disentangle.scoring.metric_traits import counts


def make_tables(
    runs: Sequence[Run],
    baselines: Mapping[str, Sequence[Score]] = MappingProxyType({}),
    *,
    corrected: bool = False,
    statistic: Statistic = "mean",
    selection: Selection = EVERY,
    columns: Sequence[str] = (),
) -> list[Table]:
    """Make one table per dataset (by fingerprint) and view that the runs were trained on.

    Args:
        runs: runs on any datasets.
        baselines: name of a baseline -> its scores on any datasets, shown above and below the
            models.
        corrected: True to add a chance-corrected column for each column with both an oracle and
            noise.
        statistic: the statistic over seeds.
        selection: which configurations to show, and how they were chosen; see `selection.select`.
        columns: the columns to show: scores by name, heading or a pattern such as `dci/*`, and
            columns of words by name, such as `steps` [default: all of each kind].

    Raises:
        UsageError: a name is not that of a column, and matches no score.
    """
    runs, twice = deduplicated(runs)
    datasets: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        if selection.shows(run):
            datasets.setdefault(run.record.data, []).append(run)
    check_columns(columns, datasets.values())
    names = [(name, part) for name, part, _ in datasets]
    made = []
    for (name, part, fingerprint), group in sorted(datasets.items()):
        suffix = fingerprint[:10] if names.count((name, part)) > 1 else ""
        title = ", ".join(filter(None, [name, part, suffix]))
        table = make_table(title, group, baselines, corrected, statistic, selection, columns)
        if twice:
            warning = (
                f"Not shown: {count(twice, 'run')} with the settings and seed of a shown run, but "
                "other final weights."
            )
            table.warnings = (*table.warnings, warning)
        made.append(table)
    return made


def check_columns(names: Sequence[str], datasets: Iterable[Sequence[Run]]) -> None:
    """Raise `UsageError` unless each name is a column, or a pattern that matches a score."""
    known = [every_heading(runs) for runs in datasets if names]
    for name in names:
        if name.casefold() not in LEFT and not any(matching(columns, [name]) for columns in known):
            scores = {
                text for columns in known for c, h in columns.items() for text in (c.score, h)
            }
            hint = suggestion(name, {*scores, *LEFT}, option="--columns")
            raise UsageError(f"--columns: no column '{name}'{hint}")


def every_heading(runs: Sequence[Run]) -> dict[ColumnKey, str]:
    """All columns of the runs on one dataset, and their headings."""
    return headings(by_column(runs), tuple(runs[0].record.dataset.factors))


def make_table(
    title: str,
    runs: Sequence[Run],
    baselines: Mapping[str, Sequence[Score]] = MappingProxyType({}),
    corrected: bool = False,
    statistic: Statistic = "mean",
    selection: Selection = EVERY,
    names: Sequence[str] = (),
) -> Table:
    """Make the table of runs on one dataset."""
    names = [name.casefold() for name in names]
    words = tuple(name for name in LEFT if name in names)
    patterns = [name for name in names if name not in LEFT]
    groups: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.record.seed):
        groups.setdefault(run.record.group, []).append(run)
    scores = {key: by_column(group) for key, group in groups.items()}
    if patterns:
        chosen = set(matching(every_heading(runs), patterns))
        scores = {key: {c: s for c, s in own.items() if c in chosen} for key, own in scores.items()}
    every = {column: group[0] for grouped in scores.values() for column, group in grouped.items()}
    columns = headings(every, tuple(runs[0].record.dataset.factors))
    whole = {column: counts(column.score) for column in columns}
    rows = []
    for key, group in groups.items():
        row = row_of(group)
        how = selection.chosen.get(key_of(group[0].record))
        row.chosen, row.grey = how or row.chosen, key_of(group[0].record) in selection.grey
        done, grouped = len([run for run in group if run.finished]), scores[key]
        row.cells = {
            c: cell_of(grouped[c], done, statistic, counts=whole[c])
            for c in columns
            if c in grouped
        }
        rows.append(row)
    rows.sort(key=lambda row: (row.supervision, row.model, ordered(row.settings), row.steps or 0))
    say_versions(rows)
    ranking = mark_best(rows, columns, statistic)
    controls = {name: control_row(name, scored, columns) for name, scored in baselines.items()}
    controls = {name: row for name, row in controls.items() if row.cells}
    top, bottom = controls.get("oracle"), controls.get("noise")
    warnings = baseline_warnings(columns, top, bottom, [*rows, *controls.values()])
    rows = [*filter(None, [top]), *rows, *(row for row in controls.values() if row is not top)]
    if corrected:
        columns = correct(columns, rows, top, bottom)
    views = {describe_view(score.view) for score in every.values()}
    name, part, fingerprint = runs[0].record.data
    trained = describe_view(runs[0].record.dataset.view)
    absent = [model for data, model in selection.absent if data == runs[0].record.data]
    return Table(
        title,
        (name, part),
        fingerprint,
        rows,
        columns,
        protocols=tuple(sorted({score.protocol for score in every.values()})),
        scored="".join(views) or "all images" if len(views) == 1 and views != {trained} else "",
        warnings=warnings,
        representations=tuple(sorted({score.representation for score in every.values()})),
        overlap=max(
            (
                s.overlap or 0.0
                for by_key in scores.values()
                for kept in by_key.values()
                for s in kept
            ),
            default=0.0,
        ),
        statistic=statistic,
        ranking=ranking,
        absent=tuple(absent),
        words=words,
    )


def by_column(runs: Sequence[Run]) -> dict[ColumnKey, list[Score]]:
    """Group the scores of runs on one dataset by column key, in the order of the runs."""
    scores: dict[ColumnKey, list[Score]] = {}
    for score in (score for run in runs for score in current_scores(run)):
        scores.setdefault(score.key, []).append(score)
    return scores


def say_versions(rows: Sequence[Row]) -> None:
    """Add the versions of model and network to a model's rows if they differ between rows."""
    for model in {row.model for row in rows}:
        same = [row for row in rows if row.model == model]
        if len({row.versions for row in same}) > 1:
            for row in same:
                row.settings = {**row.settings, "version": ".".join(map(str, row.versions))}


def row_of(group: Sequence[Run]) -> Row:
    """The row of a configuration's runs, without scores."""
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
        collapsed=sum(map(collapsed, group)),
        supervision=supervision(record),
        chosen="; ".join(sorted({run.record.origin for run in group})),
    )


def supervision(record: RunRecord) -> str:
    """The labels used in training; for older records, those that the model uses now."""
    if record.supervision is not None:
        return record.supervision
    try:
        return model_class(record.model).supervision
    except DisentangleError:
        return "unknown"


def ordered(settings: Mapping[str, Value]) -> list[tuple[str, bool, float, str]]:
    """A sort key for settings: numbers by value, before text."""
    return [
        (k, isinstance(v, str), 0.0 if isinstance(v, str) else float(v), str(v))
        for k, v in settings.items()
    ]


def tables(
    results: str | Path = "results", *, statistic: Statistic = "mean", baselines: bool = False
) -> list[Table]:
    """Make the tables of all runs in a results folder, one per dataset.

    Args:
        results: the folder.
        statistic: the statistic over seeds.
        baselines: True to add the scores of `disentangle baselines`.

    Raises:
        DisentangleError: a run cannot be read.
    """
    from disentangle.scoring.baselines import read_baselines

    runs, problems = load_all(results)
    if problems:
        raise DisentangleError("; ".join(problems))
    shown = read_baselines(results) if baselines else {}
    return make_tables(runs, shown, statistic=statistic)
