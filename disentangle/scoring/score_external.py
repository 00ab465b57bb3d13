"""The verbs `score_encoder` and `score_codes`: scores of external encoders and codes."""

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from pathlib import Path
from types import MappingProxyType

import torch
from numpy.typing import ArrayLike

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle._utils.device import choose_device
from disentangle._utils.notebook import encoding_line
from disentangle._utils.text import duration
from disentangle.contracts.dataset import Dataset
from disentangle.contracts.external_encoder import ExternalEncoder
from disentangle.data.loading import opened
from disentangle.errors import InputWarning, UnavailableWarning, UnwrittenWarning, UsageError
from disentangle.runs.external import ARRAYS
from disentangle.runs.records import DatasetRecord
from disentangle.runs.score_records import DEFAULT_PROTOCOL
from disentangle.scoring.arrays import array_source
from disentangle.scoring.block_codes import block_codes, reduced_arrays
from disentangle.scoring.codes import Encoder
from disentangle.scoring.encoder_loading import load_encoder
from disentangle.scoring.encoder_origin import described, full_origin
from disentangle.scoring.encoders import Function, FunctionSource, Input, ReducedEncoder, evaluating
from disentangle.scoring.given_codes import check_sizes, kinds_of, of_dataset, unframed
from disentangle.scoring.keep_external import Keep, complete, lacking, signature_of
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
    correlated: bool = False,
    reduce: str = "",
    takes: Input = "float",
    device: str = "auto",
    name: str = "",
    encoder_seed: int | None = None,
    results: str | Path = "results",
    study: str | None = None,
    download: bool = False,
    progress: Progress | None = None,
    say: Say = silent,
) -> ScoreMapping:
    """Score any function of images; each image is encoded at most once, after a trial with a few.

    With a `name` the scores are kept in `results`, where tables show them beside those of runs;
    scores that are kept for the same encoder are not recomputed. Warns with `InputWarning` if codes
    are not a function of the image alone.

    Args:
        encoder: maps images [N, C, H, W], or vectors [N, L] of a dataset of vectors, to codes
            [N, D], or [N, B, M] in blocks, as tensors, arrays or a `Code`, which can say that it is
            discrete; a module is put into evaluation mode while it is scored. Or a reference to
            one, such as `torchvision:resnet18`.
        dataset: a registered name, or an opened dataset or view.
        metrics: see `score` (also for `seed`, `protocol`, `split` and `factors`).
        seed: seed of the metrics' sampling.
        protocol: the name of a protocol, or the path of a TOML file.
        split: the split to score [default: `test`, if the dataset has one].
        factors: the factors to score, overriding the dataset's choice.
        correlated: whether images are drawn by the correlated factors of the view `dataset`.
        reduce: the reduction that is scored in place of the codes, named in the scores' records and
            columns. `pca:K` keeps the first K principal components, fitted to 10,000 images. Of
            codes in blocks [N, B, M], `pca1` (or `pcaK`) keeps those of each block, fitted to all
            images; `mean`, `norm` and `flatten` need no fit. `index` numbers the values of discrete
            codes, and `one-hot` has a latent for each value.
        takes: `float` for float32 in [0, 1], or `uint8` for 0 to 255.
        device: the device of the images.
        name: the name of the encoder's row in tables; without one nothing is kept.
        encoder_seed: the seed that the encoder was trained with; encoders of one name and several
            seeds share a row.
        results: the results folder, for a `name`.
        study: the study in which the scores are kept, a subfolder of `results`.
        download: whether weights of a reference may be downloaded.
        progress: called while images are encoded [default: a line in a notebook].
        say: called with an estimate of the time needed, if all metrics are requested or it is long.

    Returns:
        The scores. `.unavailable` holds the reason for each missing score, `.failed` the errors of
        metrics that failed.

    Raises:
        UsageError: an unknown metric, an encoder that does not return codes [N, D] or [N, B, M],
            codes in blocks without a reduction, or a name that is that of another encoder.
        DisentangleError: the encoder failed.
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
    keep = kept_as(name, encoder_seed, results, study)
    if isinstance(encoder, str):
        encoder = load_encoder(encoder, download=download)
    with encoding_line(progress) as shown:
        scores = score_function(
            encoder if isinstance(encoder, ExternalEncoder) else described(encoder),
            dataset,
            request,
            takes=takes,
            device=device,
            keep=keep,
            progress=shown,
            say=say,
        )
    warn_if_unwritten(scores)
    return scores


def kept_as(
    name: str, encoder_seed: int | None, results: str | Path, study: str | None
) -> Keep | None:
    """How scores are kept; None without a name.

    Raises:
        UsageError: the name is not valid, or there is none to keep a seed or study with.
    """
    if name:
        return Keep(name, encoder_seed, Path(results), study)
    if encoder_seed is not None or study is not None:
        raise UsageError("a seed of the encoder and a study require a name to keep the scores by")
    return None


def warn_if_unwritten(scores: ScoreMapping) -> None:
    """Warn the caller of a verb if scores could not be written."""
    if scores.unwritten:
        warnings.warn(f"scores were not written: {scores.unwritten}", UnwrittenWarning, 3)


def score_function(
    encoder: ExternalEncoder,
    dataset: Dataset | str,
    request: ScoringRequest,
    *,
    takes: Input = "float",
    device: str = "auto",
    keep: Keep | None = None,
    progress: Progress = silent,
    say: Say = silent,
) -> ScoreMapping:
    """Score an encoder as a request asks; see `score_encoder`."""
    torch_device = device_of(encoder, device, say)
    part = request.part_of(opened(dataset))
    with evaluating(encoder.function, torch_device):
        source: Encoder
        source = full = FunctionSource(
            encoder.function,
            part,
            takes=takes,
            device=torch_device,
            progress=progress,
            disjoint=request.rules.disjoint,
        )
        if instability := source.instability():
            warnings.warn(instability, InputWarning, stacklevel=3)
        external = keep and keep.external(
            "encoder",
            DatasetRecord.of(part.whole),
            full_origin(encoder),
            full.latents,
            takes=takes,
            signature=signature_of(full.sample_codes()),
        )
        request = for_encoder(request, full)
        origin = external.record.id if external else encoder.name
        requests = request.scores_of(DatasetRecord.of(part), origin)
        missing = lacking(external, requests) if external else requests
        if external and not missing:
            return complete(external, requests, full)
        if line := request.defaults_for(DatasetRecord.of(part)):
            say(line)
        for line in lines_of_size(full, request.reduce):
            say(line)
        if request.reduce:
            source = ReducedEncoder(full, request.reduce, request.seed)
            if about := source.reduction.about:
                say(f"{request.reduce}: {about}")
        if request.takes_all or seconds_of(missing, len(source), source.latents) > LONG:
            say(time_needed(missing, source) + reduced_time(missing, source))
        return complete(external, requests, source) if external else measure_each(requests, source)


def for_encoder(request: ScoringRequest, source: FunctionSource) -> ScoringRequest:
    """The request with the reduction of an encoder's codes.

    Raises:
        UsageError: there is none that its codes can have.
    """
    try:
        return request.for_blocks(source.blocks)
    except UsageError as error:
        pool = "; or pool them by `--encoder REFERENCE:pool=mean`"
        hint = pool if source.blocks and not request.reduce else ""
        raise UsageError(f"the encoder returns {error}{hint}" if hint else str(error)) from None


def device_of(encoder: ExternalEncoder, name: str, say: Say) -> torch.device:
    """The device of an encoder: the named one, or for `auto` one that it can use.

    Raises:
        UsageError: the device is not available, or the encoder cannot use it.
    """
    device = choose_device(name)
    if not encoder.cpu_only or device.type == "cpu":
        return device
    if name == "auto":
        say(f"the encoder runs on the CPU: {encoder.cpu_only}")
        return torch.device("cpu")
    raise UsageError(
        f"the encoder cannot use device '{name}': {encoder.cpu_only}; or omit --device"
    )


def lines_of_size(source: Encoder, reduction: str) -> list[str]:
    """Lines about a slow encoder, and about codes that need much memory; none for most encoders."""
    images, lines = len(source), []
    fitted = images if re.match(r"pca\d|index|one-hot", reduction) else min(images, SAMPLE)
    if source.pace * fitted > LONG:
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
    factors: ArrayLike | Mapping[str, ArrayLike],
    *,
    test_codes: ArrayLike | None = None,
    test_factors: ArrayLike | Mapping[str, ArrayLike] | None = None,
    metrics: Iterable[str] | None = None,
    seed: int = 0,
    protocol: str | Path = DEFAULT_PROTOCOL,
    names: Sequence[str] | None = None,
    kinds: Mapping[str, str] = MappingProxyType({}),
    dataset: Dataset | str | None = None,
    name: str = "",
    encoder_seed: int | None = None,
    results: str | Path = "results",
    study: str | None = None,
    reduce: str = "",
) -> ScoreMapping:
    """Score given codes; return score names and values.

    A metric that requests at least N samples uses each row exactly once. With a `name` the scores
    are kept in `results`, where tables show them. Warns with `InputWarning` if there are few rows,
    or words whose order matters.

    Args:
        codes: representations, [N, D], or [N, B, M] in blocks, which need a `reduce`.
        factors: values of the factors, numbers or words: an array [N, K], a data frame, or a
            mapping of names to columns [N]. Numbers with too few rows per value are continuous.
        test_codes: test set of such codes, for metrics that fit; needs `test_factors`.
        test_factors: see `test_codes`.
        metrics: names with optional hyper-parameters, or `"all"` [default: the default metrics].
        seed: seed of the metrics' sampling.
        protocol: the name of a protocol, or the path of a TOML file.
        names: names of the factors, if the columns have none.
        kinds: factor -> what its values mean, if it is not to be guessed: `"categorical"`,
            `"ordinal"`, `"continuous"`, or `"cyclic=360"` with the period of its numbers.
        dataset: the dataset or view that the codes are of, if they are to be compared with those of
            runs; the factors must fit it, but the images cannot be checked.
        name: the name of the codes' row in tables; without one nothing is kept.
        encoder_seed: see `score_encoder` (also for `results` and `study`).
        results: the results folder, for a `name`.
        study: the study in which the scores are kept.
        reduce: see `score_encoder`.

    Returns:
        The scores. `.unavailable` holds the reason for each missing score, which is also issued as
        a warning; `.failed` holds the errors of metrics that failed.

    Raises:
        UsageError: arrays that do not match, codes in blocks without a reduction, an unknown
            metric or hyper-parameter, or a name that is that of other codes.
    """
    request = ScoringRequest.of(metrics, protocol=protocol, seed=seed, reduce=reduce)
    keep = kept_as(name, encoder_seed, results, study)
    scores = score_arrays(
        request,
        codes,
        factors,
        test_codes,
        test_factors,
        names,
        kinds,
        dataset=None if dataset is None else opened(dataset),
        keep=keep,
    )
    warn_if_unwritten(scores)
    for metric_name, reason in scores.unavailable.items():
        warnings.warn(f"{metric_name}: n/a: {reason}", UnavailableWarning, stacklevel=2)
    return scores


def score_arrays(
    request: ScoringRequest,
    codes: ArrayLike,
    factors: ArrayLike | Mapping[str, ArrayLike],
    test_codes: ArrayLike | None = None,
    test_factors: ArrayLike | Mapping[str, ArrayLike] | None = None,
    names: Sequence[str] | None = None,
    kinds: Mapping[str, str] = MappingProxyType({}),
    *,
    dataset: Dataset | None = None,
    keep: Keep | None = None,
    origin: Mapping[str, str] = MappingProxyType({}),
    say: Say = silent,
) -> ScoreMapping:
    """Score codes as a request asks, without warnings; see `score_codes`."""
    part = None if dataset is None else request.part_of(dataset)
    factors, test_factors, names = unframed(factors, test_factors, names)
    if part is not None:
        kinds = kinds_of(part, kinds, names)
        factors, test_factors, names = of_dataset(part, factors, test_factors, names)
    given = block_codes(codes, test_codes)
    request = request.for_blocks(given.blocks if given else None)
    if given:
        source, latents = given.source(factors, test_factors, names, kinds), prod(given.blocks)
    else:
        source = array_source(codes, factors, test_codes, test_factors, names, kinds)
        latents = source.latents
    source.disjoint = request.rules.disjoint
    if part is not None:
        check_sizes(source, part)
    data = DatasetRecord.of(source.dataset if part is None else part)
    whole = DatasetRecord.of(source.dataset if part is None else part.whole)
    if part is None:
        whole = whole.model_copy(update={"name": ARRAYS})
    digest = source.digest
    external = keep and keep.external("codes", whole, origin, latents, codes=digest)
    requests = request.scores_of(data, external.record.id if external else digest)
    if line := request.defaults_for(whole):
        say(line)
    if request.reduce and not (external and not lacking(external, requests)):
        source = reduced_arrays(source, request.reduce, request.seed, say)
    return complete(external, requests, source) if external else measure_each(requests, source)
