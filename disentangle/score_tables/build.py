"""Build score tables of runs and external encoders: one per dataset, a row per configuration."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from disentangle._utils.text import count
from disentangle.errors import DisentangleError, UsageError, suggestion
from disentangle.runs.collapse import collapsed
from disentangle.runs.collection import load_all
from disentangle.runs.external import External, load_externals, without_copies
from disentangle.runs.records import RunRecord, Value, describe_view
from disentangle.runs.run import Run, model_class
from disentangle.runs.score_records import Score
from disentangle.runs.scores import deduplicated
from disentangle.score_tables.baseline_rows import baseline_warnings, control_row, correct
from disentangle.score_tables.cells import Row, cell_of
from disentangle.score_tables.external_rows import external_row
from disentangle.score_tables.groups import (
    Group,
    by_column,
    groups_of,
    in_columns,
    limited,
    numbered,
    spread,
)
from disentangle.score_tables.headings import headings, matching
from disentangle.score_tables.observations import Data
from disentangle.score_tables.ranking import mark_best
from disentangle.score_tables.selection import EVERY, Selection, key_of
from disentangle.score_tables.statistics import Statistic
from disentangle.score_tables.table import LEFT, Table, Tables
from disentangle.scoring.metric_traits import counts


def make_tables(
    runs: Sequence[Run],
    baselines: Mapping[str, Sequence[Score]] = MappingProxyType({}),
    *,
    corrected: bool = False,
    statistic: Statistic = "mean",
    selection: Selection = EVERY,
    columns: Sequence[str] = (),
    externals: Sequence[External] = (),
) -> list[Table]:
    """Make one table per dataset (by fingerprint) and view that the runs were trained on.

    External encoders that were scored on the images of a table have a row in it; those that were
    scored on other images have tables of their own.

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
        externals: external encoders.

    Raises:
        UsageError: a name is not that of a column, and matches no score.
    """
    runs, twice = deduplicated(runs)
    datasets: dict[Data, list[Run]] = {}
    for run in runs:
        if selection.shows(run):
            datasets.setdefault(run.record.data, []).append(run)
    groups = groups_of(datasets, without_copies(externals))
    check_columns(columns, groups)
    names = [group.data[:2] for group in groups]
    made = []
    for group in groups:
        name, part, fingerprint = group.data
        suffix = fingerprint[:10] if names.count((name, part)) > 1 else ""
        outside = "" if group.runs else "external"
        title = ", ".join(filter(None, [name, part, suffix, outside]))
        table = make_table(title, group, baselines, corrected, statistic, selection, columns)
        if twice and group.runs:
            warning = (
                f"Not shown: {count(twice, 'run')} with the settings and seed of a shown run, but "
                "other final weights."
            )
            table.warnings = (*table.warnings, warning)
        made.append(table)
    return made


def check_columns(names: Sequence[str], groups: Iterable[Group]) -> None:
    """Raise `UsageError` unless each name is a column, or a pattern that matches a score."""
    known = [group.headings for group in groups if names]
    for name in names:
        if name.casefold() not in LEFT and not any(matching(columns, [name]) for columns in known):
            scores = {
                text for columns in known for c, h in columns.items() for text in (c.score, h)
            }
            hint = suggestion(name, {*scores, *LEFT}, option="--columns")
            raise UsageError(f"--columns: no column '{name}'{hint}")


def make_table(
    title: str,
    group: Group,
    baselines: Mapping[str, Sequence[Score]] = MappingProxyType({}),
    corrected: bool = False,
    statistic: Statistic = "mean",
    selection: Selection = EVERY,
    names: Sequence[str] = (),
) -> Table:
    """Make the table of a group."""
    names = [name.casefold() for name in names]
    words = tuple(name for name in LEFT if name in names)
    patterns = [name for name in names if name not in LEFT]
    configurations: dict[str, list[Run]] = {}
    for run in sorted(group.runs, key=lambda run: run.record.seed):
        configurations.setdefault(run.record.group, []).append(run)
    scores = {key: by_column(runs) for key, runs in configurations.items()}
    outside = {name: group.scores_of(name) for name in group.externals}
    if patterns:
        chosen = set(matching(group.headings, patterns))
        scores = {key: limited(own, chosen) for key, own in scores.items()}
        outside = {key: limited(own, chosen) for key, own in outside.items()}
    numbers = {c for own in (*scores.values(), *outside.values()) for c in numbered(own)}
    scores = {key: spread(own, numbers) for key, own in scores.items()}
    outside = {key: spread(own, numbers) for key, own in outside.items()}
    every = {c: s[0] for own in (*scores.values(), *outside.values()) for c, s in own.items()}
    columns = headings(every, group.factors)
    whole = {column: counts(column.score) for column in columns}
    rows = []
    for key, runs in configurations.items():
        row = row_of(runs)
        how = selection.chosen.get(key_of(runs[0].record))
        row.chosen, row.grey = how or row.chosen, key_of(runs[0].record) in selection.grey
        done, own = len([run for run in runs if run.finished]), scores[key]
        row.cells = {
            c: cell_of(own[c], done, statistic, counts=whole[c]) for c in columns if c in own
        }
        rows.append(row)
    rows.sort(key=lambda row: (row.supervision, row.model, ordered(row.settings), row.steps or 0))
    say_versions(rows)
    ranking = mark_best(rows, columns, statistic)
    rows += [
        external_row(name, group.externals[name], own, statistic)
        for name, own in outside.items()
        if own
    ]
    scored = {name: in_columns(own) for name, own in baselines.items()}
    controls = {name: control_row(name, own, columns, scored) for name, own in scored.items()}
    controls = {name: row for name, row in controls.items() if row.cells}
    top, bottom = controls.get("oracle"), controls.get("noise")
    warnings = baseline_warnings(columns, top, bottom, [*rows, *controls.values()])
    rows = [*filter(None, [top]), *rows, *(row for row in controls.values() if row is not top)]
    if corrected:
        columns = correct(columns, rows, top, bottom)
    views = {describe_view(score.view) for score in every.values()}
    name, part, fingerprint = group.data
    trained = describe_view(group.runs[0].record.dataset.view) if group.runs else part
    absent = [model for data, model in selection.absent if data == group.data]
    shown = [
        score
        for by_key in (*scores.values(), *outside.values())
        for kept in by_key.values()
        for score in kept
    ]
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
        overlap=max((score.overlap or 0.0 for score in shown), default=0.0),
        dependence=max(
            (score.dependence for score in shown if score.dependence),
            key=lambda dependence: dependence.v,
            default=None,
        ),
        statistic=statistic,
        ranking=ranking,
        absent=tuple(absent),
        words=words,
    )


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
        group=record.group,
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
) -> Tables:
    """Make the tables of all runs and external encoders in a results folder, one per dataset.

    Args:
        results: the folder.
        statistic: the statistic over seeds.
        baselines: True to add the scores of `disentangle baselines`.

    Raises:
        DisentangleError: a run cannot be read.
    """
    from disentangle.scoring.baselines import read_baselines

    runs, problems = load_all(results)
    externals, others = load_externals(results)
    if problems or others:
        raise DisentangleError("; ".join([*problems, *others]))
    shown = read_baselines(results) if baselines else {}
    return Tables(make_tables(runs, shown, statistic=statistic, externals=externals))
