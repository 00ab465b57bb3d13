"""The verb `score`: metrics of runs, written beside them."""

import operator
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle._utils.device import choose_device
from disentangle._utils.files import write_text
from disentangle._utils.text import duration
from disentangle.contracts.dataset import Dataset
from disentangle.errors import DisentangleError, ScoringFailed, UsageError
from disentangle.runs.records import DatasetRecord
from disentangle.runs.run import Run, load_run
from disentangle.runs.score_records import Score, ScoreFile
from disentangle.runs.scores import read_scores
from disentangle.scoring.measure import (
    ScoreMapping,
    Wanted,
    measure,
    same_scores,
    seconds_of,
    wanted_scores,
)
from disentangle.scoring.metric_spec import MetricSpec, choose, listed
from disentangle.scoring.protocol import DEFAULT, Protocol, load_protocol

if TYPE_CHECKING:
    from disentangle.scoring.codes import Encoder, RunSource


def score(
    run: Run | str | Path,
    metrics: Iterable[str] | None = None,
    *,
    seed: int = 0,
    protocol: str | Path = DEFAULT,
    dataset: Dataset | None = None,
    split: str | None = None,
    factors: Sequence[str] | None = None,
    device: str = "auto",
    progress: Progress = silent,
    say: Say = lambda text: None,
) -> ScoreMapping:
    """Score a run; return score names and values, and write them to its `scores.json`.

    What was scored before, with the same weights, metric, knobs and seed, is not computed again.

    Args:
        run: a run, or its folder.
        metrics: names, with knobs where wanted (`"mig:bins=40"`), or `"all"`; the default ones
            unless given.
        seed: of the metrics' sampling.
        protocol: the name of a protocol, or the path of a TOML file of your own.
        dataset: another than the run's own, or a view of it.
        split: the part to score; unless given, what was trained on, or `test` if that was `train`.
        factors: the factors to score, in place of those that the run names.
        device: where images are encoded; see `train`.
        progress: called while images are encoded.
        say: called with a line of text about how long it will take, where that is long.

    Raises:
        UsageError: an unknown metric, knob or protocol.
        ScoringFailed: a metric failed; the scores of others are kept.
        DisentangleError: the run has no weights.
    """
    from disentangle.scoring.codes import RunSource

    found = run if isinstance(run, Run) else load_run(run)
    rules = load_protocol(protocol)
    names = listed(metrics)
    chosen, place = choose(names, rules), choose_device(device)
    if not found.finished:
        raise DisentangleError(
            f"{found.path}: training has not finished; first: disentangle resume {found.path}"
        )
    seed = check_seed(seed)
    scored = part_to_score(found, dataset, split, factors)
    data = found.record.dataset if scored is None else DatasetRecord.of(scored)
    wanted = wanted_scores(chosen, rules, data, found.record.weights or "", seed)
    kept = read_scores(found)
    missing = [(metric, about) for metric, about in wanted if not _had(kept, metric, about)]
    if missing:
        with found.lock():
            source = RunSource(found, scored, place, progress, disjoint=rules.disjoint)
            if "all" in (names or ()):
                say(time_needed(missing, source))
            _complete(found, missing, source, trained_on_it(found, data, rules))
    kept = read_scores(found)
    return ScoreMapping([score for _, about in wanted for score in same_scores(kept, about)])


def few_labels(
    run: Run, metric: str, count: int, seed: int, device: str, progress: Progress = silent
) -> list[Score]:
    """Return a metric's scores of so many labelled images, drawn by `seed`; write nothing."""
    from disentangle.scoring.codes import RunSource

    rules, place = load_protocol(DEFAULT), choose_device(device)
    scored = part_to_score(run, None, None, None)
    data = run.record.dataset if scored is None else DatasetRecord.of(scored)
    chosen = choose([f"{metric}:samples={count}"], rules)
    source = RunSource(run, scored, place, progress)
    wanted = wanted_scores(chosen, rules, data, run.record.weights or "", seed)
    try:
        return [score for m, about in wanted for score in measure(m, source, about)]
    finally:
        source.save()


def time_needed(wanted: Sequence[Wanted], source: "Encoder") -> str:
    """Return how long scores will take: encoding, which is tried on a few images, and metrics."""
    encoding = source.seconds_to_encode()
    return (
        f"{len(wanted)} metrics: at most {duration(encoding)} to encode the images, then some "
        f"{duration(seconds_of(wanted))} on two cores"
    )


def check_seed(seed: Any) -> int:
    """Return a seed as an int, or refuse what is none."""
    try:
        whole = operator.index(seed)
    except TypeError:
        whole = -1
    if whole < 0 or isinstance(seed, bool):
        raise UsageError(f"seed must be a whole number at least 0; got {seed!r}")
    return whole


def trained_on_it(run: Run, data: DatasetRecord, protocol: Protocol) -> str:
    """Return why a run cannot be scored where no image may serve twice; empty where it can."""
    trained = run.record.dataset
    if not protocol.disjoint or trained.fingerprint != data.fingerprint:
        return ""
    keys = ("hold_out", "hold_out_seed")
    alike = all(trained.view.get(key) == data.view.get(key) for key in keys)
    parts = trained.view.get("split", "all"), data.view.get("split", "all")
    if alike and "all" not in parts and parts[0] != parts[1]:
        return ""
    return (
        f"protocol '{protocol.name}' takes images that were not trained on, and this is split "
        f"'{parts[1]}' of a run trained on '{parts[0]}': train with --hold-out 0.2, say"
    )


def part_to_score(
    run: Run,
    dataset: Dataset | None = None,
    split: str | None = None,
    factors: Sequence[str] | None = None,
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


def scored_part(dataset: Dataset, split: str | None, factors: Sequence[str] | None) -> Dataset:
    """Return what is scored of a dataset: what the user chose, or else its split to test on."""
    if split is None and dataset.test_split != "all" and "split" not in dataset.view_record:
        split = dataset.test_split
    if split is None and factors is None:
        return dataset
    return dataset.view(split=split, factors=factors)


def _had(kept: Sequence[Score], metric: MetricSpec, about: Mapping[str, Any]) -> list[Score]:
    """Return the scores that need not be computed again.

    One that is n/a because nobody asked for the metric by name is computed once somebody does.
    """
    return [
        score for score in same_scores(kept, about) if score.value is not None or not metric.named
    ]


def _complete(run: Run, missing: Sequence[Wanted], source: "RunSource", refused: str) -> None:
    """Compute the scores that a run lacks, and write each as soon as it is known."""
    failures = []
    for metric, about in missing:
        kept = read_scores(run)
        others = [score for score in kept if score not in same_scores(kept, about)]
        try:
            file = ScoreFile(scores=(*others, *measure(metric, refused or source, about)))
        except DisentangleError as error:
            failures.append(str(error))
            continue
        finally:
            source.save()
        write_text(run.path / "scores.json", file.model_dump_json(indent=2) + "\n")
    if failures:
        raise ScoringFailed(f"{run.path}: " + "; ".join(failures))
