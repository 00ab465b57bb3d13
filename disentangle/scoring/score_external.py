"""The verbs `score_encoder` and `score_codes`: metrics of what was not trained here."""

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from numpy.typing import ArrayLike

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle._utils.device import choose_device
from disentangle.contracts.dataset import Dataset
from disentangle.data.loading import load_dataset
from disentangle.errors import UnavailableWarning
from disentangle.runs.records import DatasetRecord
from disentangle.scoring.arrays import array_source
from disentangle.scoring.encoders import Function, FunctionSource, Input, evaluating
from disentangle.scoring.measure import ScoreMapping, measure_each
from disentangle.scoring.protocol import DEFAULT
from disentangle.scoring.request import ScoringRequest
from disentangle.scoring.score_runs import time_needed


def score_encoder(
    encoder: Function,
    dataset: Dataset | str,
    metrics: Iterable[str] | None = None,
    *,
    seed: int = 0,
    protocol: str | Path = DEFAULT,
    split: str | None = None,
    factors: Sequence[str] | None = None,
    takes: Input = "float",
    device: str = "auto",
    name: str = "",
    progress: Progress = silent,
    say: Say = silent,
) -> ScoreMapping:
    """Score any function of images; each image is encoded at most once.

    Args:
        encoder: images [N, C, H, W] to codes [N, D], as tensors or arrays; a module is put into
            evaluation mode meanwhile.
        dataset: a registered name, or an opened dataset or view.
        metrics: see `score`; `seed`, `protocol`, `split` and `factors` likewise.
        seed: of the metrics' sampling.
        protocol: the name of a protocol, or the path of a TOML file of your own.
        split: the part to score; its split `test`, where the dataset has one, unless given.
        factors: the factors to score, in place of the dataset's own choice.
        takes: `float` for float32 in [0, 1], or `uint8` for 0 to 255.
        device: where images are put.
        name: what to call the encoder in records.
        progress: called while images are encoded.
        say: called with a line of text about how long it will take, where that is long.

    Returns:
        The scores; what could not be had is in `.unavailable`, with the reason, and in `.failed`
        where that is a fault of the metric.

    Raises:
        UsageError: an unknown metric, or an encoder that does not give codes [N, D].
        DisentangleError: the encoder failed.
    """
    request = ScoringRequest.of(metrics, protocol=protocol, seed=seed, split=split, factors=factors)
    place = choose_device(device)
    opened = request.part_of(load_dataset(dataset) if isinstance(dataset, str) else dataset)
    with evaluating(encoder, place):
        source = FunctionSource(
            encoder,
            opened,
            takes=takes,
            device=place,
            progress=progress,
            disjoint=request.rules.disjoint,
        )
        called = name or f"encoder {getattr(encoder, '__qualname__', type(encoder).__name__)}"
        requests = request.scores_of(DatasetRecord.of(opened), called)
        if request.takes_all:
            say(time_needed(requests, source))
        return measure_each(requests, source)


def score_codes(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    test_codes: ArrayLike | None = None,
    test_factors: ArrayLike | None = None,
    metrics: Iterable[str] | None = None,
    seed: int = 0,
    protocol: str | Path = DEFAULT,
    names: Sequence[str] | None = None,
) -> ScoreMapping:
    """Score codes that anybody made; return score names and values.

    Each row is used exactly once by a metric that asks for no fewer samples.

    Args:
        codes: representations, [N, D].
        factors: the factors' values, discrete, [N, K].
        test_codes: [M, D], for metrics that fit; with `test_factors` [M, K].
        test_factors: see `test_codes`.
        metrics: names, with knobs where wanted, or `"all"`; the default ones unless given.
        seed: of the metrics' sampling.
        protocol: the name of a protocol, or the path of a TOML file of your own.
        names: of the factors.

    Returns:
        The scores; what could not be had is in `.unavailable`, with the reason, and is warned of;
        in `.failed` where that is a fault of the metric.

    Raises:
        UsageError: arrays that do not fit together, or an unknown metric or knob.
    """
    request = ScoringRequest.of(metrics, protocol=protocol, seed=seed)
    source = array_source(codes, factors, test_codes, test_factors, names)
    source.disjoint = request.rules.disjoint
    requests = request.scores_of(DatasetRecord.of(source.dataset), source.digest)
    found = measure_each(requests, source)
    for metric_name, reason in found.unavailable.items():
        warnings.warn(f"{metric_name}: n/a: {reason}", UnavailableWarning, stacklevel=2)
    return found
