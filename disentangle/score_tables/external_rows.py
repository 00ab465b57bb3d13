"""External encoders in score tables: the tables where their scores belong, and their rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from disentangle.runs.external import External
from disentangle.runs.records import describe_view
from disentangle.runs.score_records import ColumnKey, Score
from disentangle.runs.scores import current_scores
from disentangle.score_tables.cells import Row, cell_of
from disentangle.score_tables.observations import Data
from disentangle.score_tables.statistics import Statistic
from disentangle.scoring.metric_traits import counts

Images: TypeAlias = tuple[str, tuple[tuple[str, object], ...]]
"""The images that a score was computed on: the dataset's fingerprint, and the view of it."""
MANY = 2
"""The most encoders of a row that are named one by one."""


def images_of(column: ColumnKey) -> Images:
    """The images of a column, whatever factors are scored."""
    return column.fingerprint, tuple(item for item in column.view if item[0] != "factors")


def named(externals: Iterable[External]) -> dict[str, list[External]]:
    """External encoders by name, those of a name in the order of their seeds."""
    groups: dict[str, list[External]] = {}
    for one in sorted(externals, key=lambda one: (one.record.name, one.record.seed or 0)):
        groups.setdefault(one.record.name, []).append(one)
    return groups


def scores_on(external: External, images: Iterable[Images]) -> list[Score]:
    """The scores of an external encoder that were computed on some images."""
    chosen = set(images)
    return [score for score in current_scores(external) if images_of(score.key) in chosen]


def elsewhere(
    externals: Iterable[External], images: Iterable[Images]
) -> dict[Data, dict[Images, list[External]]]:
    """The data of tables of their own: of scores on other images than those given.

    The external encoders of each are given by the images of these scores.
    """
    taken = set(images)
    tables: dict[Data, dict[Images, list[External]]] = {}
    for one in externals:
        for score in current_scores(one):
            own = images_of(score.key)
            if own in taken:
                continue
            data = one.record.dataset.name, describe_view(score.view), score.fingerprint
            group = tables.setdefault(data, {}).setdefault(own, [])
            if one not in group:
                group.append(one)
    return tables


def external_row(
    name: str,
    externals: Sequence[External],
    scores: Mapping[ColumnKey, Sequence[Score]],
    statistic: Statistic,
) -> Row:
    """The row of the external encoders of one name.

    Args:
        name: the name.
        externals: the encoders, one for each seed.
        scores: the scores of all of them by column, in the same order.
        statistic: the statistic over seeds.
    """
    records = [one.record for one in externals]
    sources = list(dict.fromkeys(record.source for record in records))
    unchecked = any(record.kind == "codes" for record in records)
    return Row(
        model=name,
        source="; ".join(sources) if len(sources) <= MANY else f"{len(sources)} encoders",
        external=True,
        unchecked=unchecked,
        seeds=[record.seed for record in records if record.seed is not None],
        cells={
            column: cell_of(group, len(externals), statistic, counts=counts(column.score))
            for column, group in scores.items()
        },
    )
