"""Contents of the gallery of a folder: runs of all its studies as cards, by dataset."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from disentangle._utils.text import count as counted
from disentangle._utils.text import joined
from disentangle.errors import DisentangleError
from disentangle.reports.scores_section import graded, terms_said
from disentangle.reports.study_page import counts, failures, link
from disentangle.reports.thumbnails import thumbnail
from disentangle.runs.collapse import collapsed
from disentangle.runs.collection import load_all
from disentangle.runs.labels import read_label
from disentangle.runs.run import Run
from disentangle.runs.score_records import DEFAULT_PROTOCOL, ColumnKey, Score
from disentangle.runs.scores import current_scores
from disentangle.score_tables.build import ordered
from disentangle.score_tables.cells import count, number
from disentangle.score_tables.headings import headings
from disentangle.scoring.metric_traits import counts as is_count
from disentangle.scoring.metric_traits import direction

FIRST = (
    "mig",
    "dci/disentanglement",
    "dci-lgbm/disentanglement",
    "factor-vae-score",
    "beta-vae-score",
    "sap",
    "modularity",
)
"""The scores that a card shows first, in this order, before any others."""
SHOWN = 5
"""The number of scores on a card."""
BYTES = 1_200_000
"""The bytes of pictures in a page, roughly; further cards have none."""


@dataclass
class Pictures:
    """The pictures of cards, as long as they fit into a page.

    Attributes:
        left: the bytes that are left for pictures.
        omitted: the number of runs whose picture was not made, as none was left.
        problems: why a picture could not be made, for each such run.
    """

    left: int
    omitted: int = 0
    problems: list[str] = field(default_factory=list)

    def of(self, run: Run) -> str:
        """The picture of a run as a data URI; empty if it has none."""
        if self.left <= 0:
            self.omitted += 1
            return ""
        try:
            uri = thumbnail(run)
        except DisentangleError as error:
            self.problems.append(f"No picture of run {run.record.id}: {error}")
            return ""
        self.left -= len(uri)
        return uri


def about_gallery(
    folder: Path,
    beside: Path,
    name: str,
    problems: Sequence[str] = (),
    only: Sequence[Run] | None = None,
) -> dict[str, Any]:
    """The template values of a gallery.

    Args:
        folder: the folder, with runs below it.
        beside: the folder that will contain the page: links are relative to it.
        name: file name of the page of a run, and of a study.
        problems: error messages to show.
        only: the runs to show; by default all below the folder.
    """
    runs, unread = load_all(folder) if only is None else (list(only), [])
    studies = {run.path: study_of(run.path, folder) for run in runs}
    pictures = Pictures(BYTES)
    groups: dict[tuple[str, str, str], list[Run]] = {}
    for run in sorted(runs, key=by_settings):
        groups.setdefault(run.record.data, []).append(run)
    sections = [
        section(groups[data], studies, pictures, name, beside, several_versions(data, groups))
        for data in sorted(groups)
    ]
    return {
        "name": folder.resolve().name,
        "counts": {"studies": str(len(set(studies.values()))), **counts(runs)},
        "tables": link(folder / name, beside),
        "studies": [
            about_one(study, [run for run in runs if studies[run.path] == study], name, beside)
            for study in sorted(set(studies.values()))
        ],
        "sections": sections,
        "choices": {
            what: sorted({card[what] for each in sections for card in each["cards"]})
            for what in ("model", "dataset", "study")
        },
        "scores": list(dict.fromkeys(text for each in sections for text in each["scores"])),
        "omitted": pictures.omitted,
        "problems": [*unread, *problems, *pictures.problems, *failures(runs)],
        "data": [card.pop("data") for each in sections for card in each["cards"]],
    }


def by_settings(run: Run) -> tuple[Any, ...]:
    """The sort key of a card: the model, its settings, numbers by their value, and the seed."""
    record = run.record
    return record.model, ordered(record.shown_settings), record.recipe["steps"], record.seed


def study_of(run: Path, folder: Path) -> Path:
    """The folder of a run's study, STUDY/DATASET/MODEL/ID; else the folder that is shown."""
    study = run.parents[2] if len(run.parents) > 2 else folder
    return study if folder in (study, *study.parents) else folder


def holds_studies(folder: Path, runs: Sequence[Run]) -> bool:
    """True if the runs below a folder belong to two studies or more."""
    return len({study_of(run.path, folder) for run in runs}) > 1


def several_versions(
    data: tuple[str, str, str], groups: Mapping[tuple[str, str, str], Any]
) -> bool:
    """True if other runs were trained on the same part of another version of the dataset."""
    return sum(other[:2] == data[:2] for other in groups) > 1


def about_one(study: Path, runs: Sequence[Run], name: str, beside: Path) -> dict[str, Any]:
    """The template values of a study: its name, its page, and what its runs are."""
    models = joined(sorted({run.record.model for run in runs}))
    datasets = joined(sorted({run.record.dataset.name for run in runs}))
    return {
        "name": study.resolve().name,
        "href": link(study / name, beside),
        "about": f"{counted(len(runs), 'run')} of {models} on {datasets}",
    }


def section(
    runs: Sequence[Run],
    studies: Mapping[Path, Path],
    pictures: Pictures,
    name: str,
    beside: Path,
    several: bool,
) -> dict[str, Any]:
    """The template values of the runs that were trained on the same images."""
    dataset, part, fingerprint = runs[0].record.data
    scores = comparable([current_scores(run) for run in runs])
    every = {score.key: score for own in scores for score in own}
    factors = tuple(runs[0].record.dataset.factors)
    names = in_order(headings(every, factors))
    first = next(iter(every.values()), None)
    return {
        "title": ", ".join(filter(None, [dataset, part, fingerprint[:10] if several else ""])),
        "conditions": terms_said(first) if first else "",
        "factors": ", ".join(first.factors) if first else "",
        "scores": list(names.values()),
        "cards": [
            card(run, own, names, studies[run.path].resolve().name, link(run.path / name, beside))
            | {"picture": pictures.of(run)}
            for run, own in zip(runs, scores, strict=True)
        ],
    }


def comparable(scores: Sequence[Sequence[Score]]) -> list[list[Score]]:
    """Of the scores of each run, those under the conditions that most runs have in common.

    Of several, the default protocol, means and all factors come first. A score that was computed
    with several hyper-parameters is the one that most runs have.
    """
    conditions = Counter(each for own in scores for each in {score.key.conditions for score in own})
    if not conditions:
        return [[] for _ in scores]

    def usual(each: tuple[Any, ...]) -> tuple[Any, ...]:
        protocol, representation, factors = each[:3]
        plain = (protocol == DEFAULT_PROTOCOL, representation == "mean", len(factors))
        return (conditions[each], *plain, str(each))

    chosen = max(conditions, key=usual)
    keys = Counter(s.key for own in scores for s in own if s.key.conditions == chosen)
    best: dict[str, ColumnKey] = {}
    for key in sorted(keys, key=lambda key: (-keys[key], len(key.knobs), str(key))):
        best.setdefault(key.score, key)
    return [[score for score in own if score.key == best.get(score.name)] for own in scores]


def in_order(names: Mapping[ColumnKey, str]) -> dict[ColumnKey, str]:
    """The headings of scores: those that a card shows first, and unusual hyper-parameters last."""

    def place(key: ColumnKey) -> tuple[bool, int, str]:
        first = FIRST.index(key.score) if key.score in FIRST else len(FIRST)
        return bool(key.knobs), first, names[key]

    return {key: names[key] for key in sorted(names, key=place)}


def card(
    run: Run, scores: Sequence[Score], names: Mapping[ColumnKey, str], study: str, address: str
) -> dict[str, Any]:
    """The template values of a card; `data` is for the script: value and text of each score."""
    record = run.record
    by_key = {score.key: score for score in scores}
    shown = [
        row(score, score.value, heading)
        for key, heading in names.items()
        if (score := by_key.get(key)) is not None and score.value is not None
    ]
    return {
        "model": record.model,
        "dataset": record.dataset.name,
        "study": study,
        "label": read_label(run.path).name,
        "settings": record.summary,
        "steps": f"{record.recipe['steps']:,}",
        "seed": record.seed,
        "state": state_of(run),
        "id": record.id,
        "href": address,
        "scores": shown[:SHOWN],
        "data": {
            "model": record.model,
            "dataset": record.dataset.name,
            "study": study,
            "last": collapsed(run),
            "scores": {each["name"]: [each["rank"], each["value"]] for each in shown},
        },
    }


def state_of(run: Run) -> str:
    """A remark on a run that is not finished, or that collapsed; empty for others."""
    return run.state if run.state != "finished" else "collapsed" if collapsed(run) else ""


def row(score: Score, value: float, heading: str) -> dict[str, Any]:
    """A score on a card: its text, the length of its bar if it is graded, and its rank.

    The larger the rank, the better.
    """
    better = -1 if direction(score.key) == "less" else 1
    return {
        "name": heading,
        "value": (count if is_count(score.name) else number)(value),
        "bar": min(1.0, max(0.0, value)) if graded(score) and isfinite(value) else None,
        "rank": better * value if isfinite(value) else None,
    }
