"""The verb `score`: compute the scores of runs and write them to the runs' folders."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle._utils.device import choose_device
from disentangle._utils.notebook import encoding_line
from disentangle._utils.text import duration
from disentangle.contracts.dataset import Dataset
from disentangle.errors import DisentangleError, ScoringFailed, UnwrittenWarning
from disentangle.runs.named import load_run
from disentangle.runs.records import DatasetRecord
from disentangle.runs.run import Run
from disentangle.runs.score_records import DEFAULT_PROTOCOL, Score
from disentangle.runs.scored_folder import locked_if_writable
from disentangle.runs.scores import keep_scores, read_scores
from disentangle.scoring.measure import (
    ScoreMapping,
    ScoreRequest,
    measure,
    seconds_of,
)
from disentangle.scoring.metric_spec import MetricSpec
from disentangle.scoring.protocol import Protocol
from disentangle.scoring.request import ScoringRequest

if TYPE_CHECKING:
    from disentangle.scoring.codes import Encoder


LONG = 60.0
"""Seconds above which the time that scores take is said before they are computed."""


def score(
    run: Run | str | Path,
    metrics: Iterable[str] | None = None,
    *,
    seed: int = 0,
    protocol: str | Path = DEFAULT_PROTOCOL,
    dataset: Dataset | None = None,
    split: str | None = None,
    factors: Sequence[str] | None = None,
    correlated: bool = False,
    reduce: str = "",
    device: str = "auto",
    progress: Progress | None = None,
    say: Say = silent,
) -> ScoreMapping:
    """Score a run; return score names and values, and write them to its `scores.json`.

    Scores that exist for the same weights, metric, hyper-parameters and seed are not recomputed.
    If they cannot be written, for example on a read-only disk, they are returned all the same, with
    a warning.

    Args:
        run: a run, or its folder, name or id.
        metrics: names with optional hyper-parameters (`"mig:bins=40"`), or `"all"` [default: the
            default metrics].
        seed: seed of the metrics' sampling.
        protocol: the name of a protocol, or the path of a TOML file.
        dataset: a dataset or view that overrides the run's own.
        split: the split to score [default: the one trained on, or `test` if that is `train`].
        factors: the factors to score, overriding the run's.
        correlated: whether images are drawn by the correlated factors of the run's training, with
            and without repetition as each metric draws them [default: all images alike].
        reduce: the reduction of the codes, for a model of codes in blocks or of discrete codes; see
            `score_encoder`.
        device: the device that encodes images; see `train`.
        progress: called while images are encoded [default: a line in a notebook].
        say: called with an estimate of the time needed, if all metrics are requested or it is long.

    Raises:
        UsageError: an unknown metric, hyper-parameter or protocol.
        ScoringFailed: a metric failed; the other scores are kept.
        DisentangleError: training has not finished.
    """
    request = ScoringRequest.of(
        metrics,
        protocol=protocol,
        seed=seed,
        split=split,
        factors=factors,
        correlated=correlated,
        reduce=reduce,
    )
    with encoding_line(progress) as shown:
        scores = score_run(run, request, dataset=dataset, device=device, progress=shown, say=say)
    if scores.unwritten:
        warnings.warn(f"scores were not written: {scores.unwritten}", UnwrittenWarning, 2)
    return scores


def score_run(
    run: Run | str | Path,
    request: ScoringRequest,
    *,
    dataset: Dataset | None = None,
    device: str = "auto",
    progress: Progress = silent,
    say: Say = silent,
) -> ScoreMapping:
    """Compute the requested scores that a run lacks; see `score`."""
    from disentangle.scoring.codes import RunSource
    from disentangle.scoring.encoders import ReducedEncoder

    scored_run = run if isinstance(run, Run) else load_run(run)
    scored_run.say = say
    torch_device = choose_device(device)
    scored_run.check_finished()
    part = request.part_of_run(scored_run, dataset)
    data = scored_run.record.dataset if part is None else DatasetRecord.of(part)

    def opened_source() -> RunSource:
        disjoint = request.rules.disjoint
        return RunSource(scored_run, part, torch_device, progress, disjoint=disjoint)

    if request.reduce:  # whose name depends on the codes
        request = request.for_blocks(opened_source().blocks)
    requests = request.scores_of(data, scored_run.record.weights or "")
    scores = read_scores(scored_run)
    missing = [one for one in requests if not is_present(scores, one)]
    if missing:
        if line := request.defaults_for(data):
            say(line)
        with locked_if_writable(scored_run):
            source: Encoder
            with weights_needed(scored_run, missing):
                source = run_source = opened_source()
            if request.rules.reduction and not request.reduce:
                request = request.for_blocks(run_source.blocks)
                requests = request.scores_of(data, scored_run.record.weights or "")
                missing = [one for one in requests if not is_present(scores, one)]
            if request.reduce:
                source = ReducedEncoder(source, request.reduce, request.seed)
            if request.takes_all or seconds_of(missing, len(source), source.latents) > LONG:
                say(time_needed(missing, source))
            _complete(scored_run, missing, source, trained_on_it(scored_run, data, request.rules))
    scores = read_scores(scored_run)
    return ScoreMapping(
        [score for one in requests for score in one.among(scores)], unwritten=scored_run.unwritten
    )


@contextmanager
def weights_needed(run: Run, missing: Sequence[ScoreRequest]) -> Iterator[None]:
    """Name the metrics that cannot be computed in the error about a run without weights."""
    try:
        yield
    except DisentangleError as error:
        if run.checkpoint_path.exists():
            raise
        names = ", ".join(dict.fromkeys(one.metric.name for one in missing))
        raise DisentangleError(
            f"{run.path}: its weights are not there, so {names} cannot be computed: {error}"
        ) from error


def few_labels(
    run: Run, metric: str, count: int, seed: int, device: str, progress: Progress = silent
) -> list[Score]:
    """A metric's scores on `count` labelled images, drawn with `seed`; nothing is written."""
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
    """Estimate the time to encode the images (timed on a few) and to compute the scores."""
    size = len(source), source.latents
    encoding = source.seconds_to_encode()
    count = f"{len(requests)} metric{'' if len(requests) == 1 else 's'}"
    slow = {r.metric.kind.faster for r in requests if r.metric.metric.seconds_with(*size) > LONG}
    hints = [
        f"; `--metric {spec}` takes about {duration(MetricSpec(spec).metric.seconds_with(*size))}"
        for spec in sorted(slow - {""})
    ]
    return (
        f"{count}: at most {duration(encoding)} to encode the images, then about "
        f"{duration(seconds_of(requests, *size))} on two cores{''.join(hints)}"
    )


def trained_on_it(run: Run, data: DatasetRecord, protocol: Protocol) -> str:
    """The reason why a disjoint protocol cannot score a run on this data; empty if it can."""
    trained = run.record.dataset
    if not protocol.disjoint or trained.fingerprint != data.fingerprint:
        return ""
    keys = ("hold_out", "hold_out_seed")
    alike = all(trained.view.get(key) == data.view.get(key) for key in keys)
    parts = trained.view.get("split", "all"), data.view.get("split", "all")
    if alike and "all" not in parts and parts[0] != parts[1]:
        return ""
    return (
        f"protocol '{protocol.name}' needs images that were not trained on, but the run was "
        f"trained on split '{parts[0]}' and scored on split '{parts[1]}'; train with held-out "
        "images, for example --hold-out 0.2"
    )


def is_present(scores: Sequence[Score], request: ScoreRequest) -> bool:
    """True if a request's scores need not be recomputed.

    A score may be n/a because its metric runs only when requested by name; it is computed once the
    metric is.
    """
    return any(s.value is not None or not request.metric.named for s in request.among(scores))


def _complete(run: Run, missing: Sequence[ScoreRequest], source: "Encoder", refused: str) -> None:
    """Compute the scores that a run lacks; write each as soon as it is computed."""
    failures = []
    for request in missing:
        scores = read_scores(run)
        replaced = request.among(scores)
        others = [score for score in scores if score not in replaced]
        try:
            computed = measure(request, refused or source)
        except DisentangleError as error:
            failures.append(str(error))
            continue
        finally:
            source.save()
        keep_scores(run, (*others, *computed))
    if failures:
        raise ScoringFailed(f"{run.path}: " + "; ".join(dict.fromkeys(failures)))
