"""The verb `score`: metrics of runs, written beside them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle._utils.device import choose_device
from disentangle._utils.files import write_text
from disentangle._utils.text import duration
from disentangle.contracts.dataset import Dataset
from disentangle.errors import DisentangleError, ScoringFailed
from disentangle.runs.records import DatasetRecord
from disentangle.runs.run import Run, load_run
from disentangle.runs.score_records import Score, ScoreFile
from disentangle.runs.scores import read_scores
from disentangle.scoring.measure import (
    ScoreMapping,
    ScoreRequest,
    measure,
    seconds_of,
)
from disentangle.scoring.protocol import DEFAULT, Protocol
from disentangle.scoring.request import ScoringRequest

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
    request = ScoringRequest.of(metrics, protocol=protocol, seed=seed, split=split, factors=factors)
    return score_run(run, request, dataset=dataset, device=device, progress=progress, say=say)


def score_run(
    run: Run | str | Path,
    request: ScoringRequest,
    *,
    dataset: Dataset | None = None,
    device: str = "auto",
    progress: Progress = silent,
    say: Say = lambda text: None,
) -> ScoreMapping:
    """Compute the scores of a run that a request asks for and that it lacks; see `score`."""
    from disentangle.scoring.codes import RunSource

    scored_run = run if isinstance(run, Run) else load_run(run)
    place = choose_device(device)
    if not scored_run.finished:
        raise DisentangleError(
            f"{scored_run.path}: training has not finished; "
            f"first: disentangle resume {scored_run.path}"
        )
    part = request.part_of_run(scored_run, dataset)
    data = scored_run.record.dataset if part is None else DatasetRecord.of(part)
    requests = request.scores_of(data, scored_run.record.weights or "")
    scores = read_scores(scored_run)
    missing = [one for one in requests if not _present(scores, one)]
    if missing:
        with scored_run.lock():
            disjoint = request.rules.disjoint
            source = RunSource(scored_run, part, place, progress, disjoint=disjoint)
            if request.takes_all:
                say(time_needed(missing, source))
            _complete(scored_run, missing, source, trained_on_it(scored_run, data, request.rules))
    scores = read_scores(scored_run)
    return ScoreMapping([score for one in requests for score in one.among(scores)])


def few_labels(
    run: Run, metric: str, count: int, seed: int, device: str, progress: Progress = silent
) -> list[Score]:
    """Return a metric's scores of so many labelled images, drawn by `seed`; write nothing."""
    from disentangle.scoring.codes import RunSource

    request = ScoringRequest.of([f"{metric}:samples={count}"], seed=seed)
    part = request.part_of_run(run)
    data = run.record.dataset if part is None else DatasetRecord.of(part)
    source = RunSource(run, part, choose_device(device), progress)
    requests = request.scores_of(data, run.record.weights or "")
    try:
        return [score for one in requests for score in measure(one, source)]
    finally:
        source.save()


def time_needed(requests: Sequence[ScoreRequest], source: "Encoder") -> str:
    """Return how long scores will take: encoding, which is tried on a few images, and metrics."""
    encoding = source.seconds_to_encode()
    return (
        f"{len(requests)} metrics: at most {duration(encoding)} to encode the images, then some "
        f"{duration(seconds_of(requests))} on two cores"
    )


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


def _present(scores: Sequence[Score], request: ScoreRequest) -> bool:
    """Whether a request's scores need not be computed again.

    A score that is n/a because its metric runs only if it is named is computed once it is named.
    """
    return any(s.value is not None or not request.metric.named for s in request.among(scores))


def _complete(run: Run, missing: Sequence[ScoreRequest], source: "RunSource", refused: str) -> None:
    """Compute the scores that a run lacks, and write each as soon as it is known."""
    failures = []
    for request in missing:
        scores = read_scores(run)
        replaced = request.among(scores)
        others = [score for score in scores if score not in replaced]
        try:
            file = ScoreFile(scores=(*others, *measure(request, refused or source)))
        except DisentangleError as error:
            failures.append(str(error))
            continue
        finally:
            source.save()
        write_text(run.path / "scores.json", file.model_dump_json(indent=2) + "\n")
    if failures:
        raise ScoringFailed(f"{run.path}: " + "; ".join(failures))
