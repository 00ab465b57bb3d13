"""What each score table shows: the runs on some data, and the external encoders beside them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from disentangle.runs.external import External, without_copies
from disentangle.runs.records import uncorrelated
from disentangle.runs.run import Run
from disentangle.runs.score_records import ColumnKey, Score
from disentangle.runs.scores import current_scores
from disentangle.score_tables.external_rows import Images, elsewhere, images_of, named, scores_on
from disentangle.score_tables.headings import headings
from disentangle.score_tables.observations import Data


@dataclass(frozen=True)
class Group:
    """What one table shows.

    Attributes:
        data: the dataset's name, its part and its fingerprint.
        factors: the dataset's factors, which headings do not mention.
        runs: the runs that were trained on the data.
        externals: name -> the external encoders of a row, one for each seed.
        images: the images that were scored, to which the externals' scores are limited.
    """

    data: Data
    factors: tuple[str, ...]
    runs: Sequence[Run]
    externals: Mapping[str, Sequence[External]]
    images: Collection[Images]

    def scores_of(self, name: str) -> dict[ColumnKey, list[Score]]:
        """The scores in the row of an external encoder, by column."""
        return in_columns(s for one in self.externals[name] for s in scores_on(one, self.images))

    @property
    def headings(self) -> dict[ColumnKey, str]:
        """All columns and their headings."""
        own = [column for name in self.externals for column in self.scores_of(name)]
        return headings([*by_column(self.runs), *own], self.factors)


def images_scored(runs: Sequence[Run]) -> set[Images]:
    """The images that runs were scored on; those trained on, if there are no scores yet."""
    record = runs[0].record.dataset
    view = tuple(sorted(item for item in uncorrelated(record.view).items() if item[0] != "factors"))
    return {images_of(column) for column in by_column(runs)} or {(record.fingerprint, view)}


def groups_of(datasets: Mapping[Data, Sequence[Run]], externals: Sequence[External]) -> list[Group]:
    """Group runs by the data that they were trained on, and externals by the images scored."""
    groups = []
    for data, runs in sorted(datasets.items()):
        images = images_scored(runs) if externals else set()
        shown = [one for one in externals if scores_on(one, images)]
        factors = tuple(runs[0].record.dataset.factors)
        groups.append(Group(data, factors, runs, named(shown), images))
    taken = {images for group in groups for images in group.images}
    for data, by_images in sorted(elsewhere(externals, taken).items()):
        first = next(iter(by_images.values()))[0].record.dataset
        own = without_copies(one for some in by_images.values() for one in some)
        groups.append(Group(data, tuple(first.factors), (), named(own), set(by_images)))
    return groups


def by_column(runs: Iterable[Run]) -> dict[ColumnKey, list[Score]]:
    """Group the scores of runs on one dataset by column key, in the order of the runs."""
    return in_columns(score for run in runs for score in current_scores(run))


def in_columns(scores: Iterable[Score]) -> dict[ColumnKey, list[Score]]:
    """Group scores by column key, in their order."""
    columns: dict[ColumnKey, list[Score]] = {}
    for score in scores:
        columns.setdefault(score.key, []).append(score)
    return columns


def spread(
    scores: Mapping[ColumnKey, list[Score]], columns: Collection[ColumnKey]
) -> dict[ColumnKey, list[Score]]:
    """Put a metric that is n/a as a whole into the columns of its several scores.

    Args:
        scores: the scores of a row by column.
        columns: the columns in which some row has a number.
    """
    after: dict[ColumnKey, list[Score]] = {}
    for column, own in scores.items():
        parts = [part for part in columns if part._replace(score=column.metric) == column]
        for score in own:
            places = [column]
            if score.value is None:  # leave out what the same weights have
                absent = [part for part in parts if score.weights not in weights_of(scores, part)]
                places = absent or places
            for place in places:
                after.setdefault(place, []).append(score)
    return after


def weights_of(scores: Mapping[ColumnKey, list[Score]], column: ColumnKey) -> set[str]:
    """The weights that have a number in a column."""
    return {score.weights for score in scores.get(column, ()) if score.value is not None}


def numbered(scores: Mapping[ColumnKey, list[Score]]) -> set[ColumnKey]:
    """The columns with at least one number."""
    return {column for column, own in scores.items() if any(s.value is not None for s in own)}


def limited(
    scores: Mapping[ColumnKey, list[Score]], columns: Collection[ColumnKey]
) -> dict[ColumnKey, list[Score]]:
    """The scores in some columns."""
    return {column: group for column, group in scores.items() if column in columns}
