"""The verbs `score_encoder` and `score_codes`: scores of external encoders and codes."""

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from numpy.typing import ArrayLike

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle._utils.device import choose_device
from disentangle._utils.text import duration
from disentangle.contracts.dataset import Dataset
from disentangle.contracts.external_encoder import ExternalEncoder
from disentangle.data.loading import opened
from disentangle.errors import InputWarning, UnavailableWarning
from disentangle.runs.records import DatasetRecord
from disentangle.runs.score_records import DEFAULT_PROTOCOL
from disentangle.scoring.arrays import array_source, reduced_arrays
from disentangle.scoring.codes import Encoder
from disentangle.scoring.encoder_loading import load_encoder
from disentangle.scoring.encoders import Function, FunctionSource, Input, ReducedEncoder, evaluating
from disentangle.scoring.measure import ScoreMapping, ScoreRequest, measure_each, seconds_of
from disentangle.scoring.request import ScoringRequest
from disentangle.scoring.score_runs import LONG, time_needed

SAMPLE = 10_000
"""Images that most metrics draw."""
LARGE = 2 * 2**30
"""Bytes of codes that are announced."""


def score_encoder(
    encoder: Function | ExternalEncoder | str,
    dataset: Dataset | str,
    metrics: Iterable[str] | None = None,
    *,
    seed: int = 0,
    protocol: str | Path = DEFAULT_PROTOCOL,
    split: str | None = None,
    factors: Sequence[str] | None = None,
    reduce: str = "",
    takes: Input = "float",
    device: str = "auto",
    name: str = "",
    download: bool = False,
    progress: Progress = silent,
    say: Say = silent,
) -> ScoreMapping:
    """Score any function of images; each image is encoded at most once, after a trial with a few.

    Warns with `InputWarning` if codes are not a function of the image alone.

    Args:
        encoder: maps images [N, C, H, W] to codes [N, D], as tensors, arrays or a `Code`, which can
            say that it is discrete; a module is put into evaluation mode while it is scored. Or
            a reference to one, such as `torchvision:resnet18`.
        dataset: a registered name, or an opened dataset or view.
        metrics: see `score` (also for `seed`, `protocol`, `split` and `factors`).
        seed: seed of the metrics' sampling.
        protocol: the name of a protocol, or the path of a TOML file.
        split: the split to score [default: `test`, if the dataset has one].
        factors: the factors to score, overriding the dataset's choice.
        reduce: `pca:K` scores the first K principal components of the codes in their place. They
            are fitted to 10,000 images, and named in the scores' records and columns.
        takes: `float` for float32 in [0, 1], or `uint8` for 0 to 255.
        device: the device of the images.
        name: the encoder's name in records.
        download: whether weights of a reference may be downloaded.
        progress: called while images are encoded.
        say: called with an estimate of the time needed, if all metrics are requested or it is long.

    Returns:
        The scores. `.unavailable` holds the reason for each missing score, `.failed` the errors of
        metrics that failed.

    Raises:
        UsageError: an unknown metric, or an encoder that does not return codes [N, D].
        DisentangleError: the encoder failed.
    """
    request = ScoringRequest.of(
        metrics, protocol=protocol, seed=seed, split=split, factors=factors, reduce=reduce
    )
    if isinstance(encoder, str):
        encoder = load_encoder(encoder, download=download)
    if isinstance(encoder, ExternalEncoder):
        name = name or encoder.name
        encoder = encoder.function
    return score_function(
        encoder, dataset, request, takes=takes, device=device, name=name, progress=progress, say=say
    )


def score_function(
    encoder: Function,
    dataset: Dataset | str,
    request: ScoringRequest,
    *,
    takes: Input = "float",
    device: str = "auto",
    name: str = "",
    progress: Progress = silent,
    say: Say = silent,
) -> ScoreMapping:
    """Score an encoder as a request asks; see `score_encoder`."""
    torch_device = choose_device(device)
    part = request.part_of(opened(dataset))
    with evaluating(encoder, torch_device):
        source: Encoder
        source = full = FunctionSource(
            encoder,
            part,
            takes=takes,
            device=torch_device,
            progress=progress,
            disjoint=request.rules.disjoint,
        )
        if instability := source.instability():
            warnings.warn(instability, InputWarning, stacklevel=3)
        for line in lines_of_size(full, request.reduce):
            say(line)
        if request.reduce:
            source = ReducedEncoder(full, request.reduce, request.seed)
            say(
                f"{request.reduce}: {source.latents} of {full.latents} components hold "
                f"{100 * source.projection.share:.0f} % of the variance of the codes"
            )
        origin = name or f"encoder {getattr(encoder, '__qualname__', type(encoder).__name__)}"
        requests = request.scores_of(DatasetRecord.of(part), origin)
        if request.takes_all or seconds_of(requests, len(source), source.latents) > LONG:
            say(time_needed(requests, source) + reduced_time(requests, source))
        return measure_each(requests, source)


def lines_of_size(source: Encoder, reduction: str) -> list[str]:
    """Lines about a slow encoder, and about codes that need much memory; none for most encoders."""
    images, lines = len(source), []
    if source.pace * min(images, SAMPLE) > LONG:
        times = [(min(images, SAMPLE), ""), (images, "all ")][: 2 if images > SAMPLE else 1]
        parts = [f"{duration(source.pace * n)} for {every}{n:,} images" for n, every in times]
        lines.append(f"the encoder takes about {' and '.join(parts)}")
    size = 4 * len(source.whole) * source.latents
    if size > LARGE and not reduction:
        lines.append(
            f"codes of {source.latents:,} latents of all images take {size / 1e9:.1f} GB of "
            "memory; `--reduce pca:10` keeps ten principal components"
        )
    return lines


def reduced_time(requests: Sequence[ScoreRequest], source: Encoder) -> str:
    """The time that scores of ten principal components take, if it is much less."""
    shorter = seconds_of(requests, len(source), 10)
    if seconds_of(requests, len(source), source.latents) < 4 * shorter:
        return ""
    return f"; of ten principal components, `--reduce pca:10`, about {duration(shorter)}"


def score_codes(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    test_codes: ArrayLike | None = None,
    test_factors: ArrayLike | None = None,
    metrics: Iterable[str] | None = None,
    seed: int = 0,
    protocol: str | Path = DEFAULT_PROTOCOL,
    names: Sequence[str] | None = None,
    reduce: str = "",
) -> ScoreMapping:
    """Score given codes; return score names and values.

    A metric that requests at least N samples uses each row exactly once. Warns with `InputWarning`
    if there are few rows, or words whose order matters.

    Args:
        codes: representations, [N, D].
        factors: discrete values of the factors, numbers or words, [N, K].
        test_codes: test set [M, D], for metrics that fit; needs `test_factors` [M, K].
        test_factors: see `test_codes`.
        metrics: names with optional hyper-parameters, or `"all"` [default: the default metrics].
        seed: seed of the metrics' sampling.
        protocol: the name of a protocol, or the path of a TOML file.
        names: names of the factors.
        reduce: see `score_encoder`.

    Returns:
        The scores. `.unavailable` holds the reason for each missing score, which is also issued as
        a warning; `.failed` holds the errors of metrics that failed.

    Raises:
        UsageError: arrays that do not match, or an unknown metric or hyper-parameter.
    """
    request = ScoringRequest.of(metrics, protocol=protocol, seed=seed, reduce=reduce)
    scores = score_arrays(request, codes, factors, test_codes, test_factors, names)
    for metric_name, reason in scores.unavailable.items():
        warnings.warn(f"{metric_name}: n/a: {reason}", UnavailableWarning, stacklevel=2)
    return scores


def score_arrays(
    request: ScoringRequest,
    codes: ArrayLike,
    factors: ArrayLike,
    test_codes: ArrayLike | None = None,
    test_factors: ArrayLike | None = None,
    names: Sequence[str] | None = None,
) -> ScoreMapping:
    """Score codes as a request asks, without warnings; see `score_codes`."""
    source = array_source(codes, factors, test_codes, test_factors, names)
    source.disjoint = request.rules.disjoint
    requests = request.scores_of(DatasetRecord.of(source.dataset), source.digest)
    if request.reduce:
        source = reduced_arrays(source, request.reduce, request.seed)
    return measure_each(requests, source)
