"""The verb `score`: metrics of a run's codes, or of any arrays, as records."""

import importlib.metadata
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from disentangle.arrays import array_source
from disentangle.chosen import Chosen, choose
from disentangle.codes import Progress, RunSource
from disentangle.dataset import Dataset
from disentangle.device import choose_device
from disentangle.errors import DisentangleError, Unavailable, UnavailableWarning, UsageError
from disentangle.files import write_text
from disentangle.record import DatasetRecord, Score, ScoreFile, read_record
from disentangle.run import Run, load_run

PROTOCOL = "locatello2019"


class ScoreMapping(dict[str, float]):
    """Scores by name; `unavailable` says of the others why they could not be had."""

    def __init__(self, scores: Mapping[str, float], unavailable: Mapping[str, str]) -> None:
        super().__init__(scores)
        self.unavailable = dict(unavailable)


def read_scores(run: Run) -> tuple[Score, ...]:
    """Return the scores that a run has."""
    try:
        return read_record(ScoreFile, run.path / "scores.json").scores
    except FileNotFoundError:
        return ()


def score(
    run: Run | str | Path,
    metrics: Iterable[str] | None = None,
    *,
    seed: int = 0,
    dataset: Dataset | None = None,
    split: str | None = None,
    factors: Sequence[str] | None = None,
    device: str = "auto",
    progress: Progress = lambda done, images: None,
) -> ScoreMapping:
    """Score a run; return score names and values, and write them to its `scores.json`.

    What was scored before, with the same weights, metric, knobs and seed, is not computed again.

    Args:
        run: a run, or its folder.
        metrics: names, with knobs where wanted (`"mig:bins=40"`); the default ones unless given.
        seed: of the metrics' sampling.
        dataset: another than the run's own, or a view of it.
        split: the part to score; unless given, what was trained on, or `test` if that was `train`.
        factors: the factors to score, in place of those that the run names.
        device: where images are encoded; see `train`.
        progress: called while images are encoded.

    Raises:
        UsageError: an unknown metric or knob.
        DisentangleError: the run has no weights, or a metric failed; other scores are kept.
    """
    found = run if isinstance(run, Run) else load_run(run)
    chosen, place = choose(metrics), choose_device(device)
    if not found.finished:
        raise DisentangleError(
            f"{found.path}: training has not finished; first: disentangle resume {found.path}"
        )
    if not (type(seed) is int and seed >= 0):
        raise UsageError(f"seed must be a whole number at least 0; got {seed!r}")
    scored = _scored(found, dataset, split, factors)
    data = found.record.dataset if scored is None else DatasetRecord.of(scored)
    wanted = [(metric, _about(metric, data, found, seed)) for metric in chosen]
    if any(not _had(read_scores(found), metric, about) for metric, about in wanted):
        with found.lock():
            _complete(found, wanted, RunSource(found, scored, place, progress), seed)
    kept = read_scores(found)
    return _mapping([score for _, about in wanted for score in _same(kept, about)])


def _scored(
    run: Run, dataset: Dataset | None, split: str | None, factors: Sequence[str] | None
) -> Dataset | None:
    """Return the dataset or view to score; None for just what the run was trained on."""
    if dataset is not None:
        wanted = split is not None or factors is not None
        return dataset.view(split=split, factors=factors) if wanted else dataset
    view: dict[str, Any] = dict(run.record.dataset.view)
    if split is None and view.get("split") == "train":
        known = view.get("hold_out") or "test" in run.whole.splits
        split = "test" if known else None
    if split is None and factors is None:
        return None
    if split is not None:
        view["split"] = split
    if factors is not None:
        view["factors"] = factors
    return run.whole.view(**view)


def _same(kept: Sequence[Score], about: Mapping[str, Any]) -> list[Score]:
    """Return the scores that were computed in just this way."""
    return [score for score in kept if all(getattr(score, k) == v for k, v in about.items())]


def _had(kept: Sequence[Score], metric: Chosen, about: Mapping[str, Any]) -> list[Score]:
    """Return the scores that need not be computed again.

    One that is n/a because nobody asked for the metric by name is computed once somebody does.
    """
    return [score for score in _same(kept, about) if score.value is not None or not metric.named]


def _complete(
    run: Run, wanted: Sequence[tuple[Chosen, dict[str, Any]]], source: RunSource, seed: int
) -> None:
    """Compute the scores that a run lacks, and write each as soon as it is known."""
    failures = []
    for metric, about in wanted:
        kept = read_scores(run)
        if _had(kept, metric, about):
            continue
        others = [score for score in kept if score not in _same(kept, about)]
        try:
            file = ScoreFile(scores=(*others, *_measure(metric, source, seed, about)))
        except DisentangleError as error:
            failures.append(str(error))
            continue
        finally:
            source.save()
        write_text(run.path / "scores.json", file.model_dump_json(indent=2) + "\n")
    if failures:
        raise DisentangleError(f"{run.path}: " + "; ".join(failures))


def _about(metric: Chosen, data: DatasetRecord, run: Run, seed: int) -> dict[str, Any]:
    """Return what identifies a score before it is computed."""
    return {
        "metric": metric.name,
        "version": metric.kind.version,
        "knobs": metric.changed,
        "settings": metric.settings,
        "protocol": PROTOCOL,
        "representation": "mean",
        "factors": tuple(data.factors),
        "view": data.view,
        "fingerprint": data.fingerprint,
        "weights": run.record.weights,
        "seed": seed,
    }


def _measure(metric: Chosen, source: RunSource, seed: int, about: dict[str, Any]) -> list[Score]:
    began = time.perf_counter()
    values: dict[str, float | None]
    reason = None
    try:
        values = dict(metric.scores(source, seed)[0])
    except Unavailable as error:
        values, reason = {metric.name: None}, str(error)
    names = ("disentangle-bench", "numpy", "scikit-learn")
    packages = {name: importlib.metadata.version(name) for name in names}
    seconds = round(time.perf_counter() - began, 3)
    return [
        Score(name=k, value=v, reason=reason, seconds=seconds, packages=packages, **about)
        for k, v in values.items()
    ]


def _mapping(scores: Sequence[Score]) -> ScoreMapping:
    return ScoreMapping(
        {s.name: s.value for s in scores if s.value is not None},
        {s.name: s.reason or "" for s in scores if s.value is None},
    )


def score_codes(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    test_codes: ArrayLike | None = None,
    test_factors: ArrayLike | None = None,
    metrics: Iterable[str] | None = None,
    seed: int = 0,
    names: Sequence[str] | None = None,
) -> ScoreMapping:
    """Score codes that anybody made; return score names and values.

    Each row is used exactly once by a metric that asks for no fewer samples.

    Args:
        codes: representations, [N, D].
        factors: the factors' values, discrete, [N, K].
        test_codes: [M, D], for metrics that fit; with `test_factors` [M, K].
        test_factors: see `test_codes`.
        metrics: names, with knobs where wanted; the default ones unless given.
        seed: of the metrics' sampling.
        names: of the factors.

    Returns:
        The scores; what could not be had is in `.unavailable`, with the reason, and is warned of.

    Raises:
        UsageError: arrays that do not fit together, or an unknown metric or knob.
    """
    source = array_source(codes, factors, test_codes, test_factors, names)
    scores: dict[str, float] = {}
    unavailable: dict[str, str] = {}
    for metric in choose(metrics):
        try:
            scores.update(metric.scores(source, seed)[0])
        except DisentangleError as error:
            unavailable[metric.name] = str(error)
            warnings.warn(f"{metric.name}: n/a: {error}", UnavailableWarning, stacklevel=2)
    return ScoreMapping(scores, unavailable)
