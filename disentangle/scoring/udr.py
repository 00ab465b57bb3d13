"""UDR, unsupervised disentanglement ranking: Duan et al. (2020), https://arxiv.org/abs/1905.12614.

The latents of a disentangled model reappear in other runs, up to order and sign; those of an
entangled model do not. Averages follow disentanglement_lib: collapsed latents are removed, and the
mean over one model's latents and the mean over the other's have equal weight, whatever their
numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from disentangle._utils.callbacks import Progress, silent
from disentangle._utils.device import choose_device
from disentangle._utils.seeds import numpy_rng
from disentangle.contracts.source import Codes
from disentangle.errors import Unavailable, UsageError
from disentangle.runs.named import load_run
from disentangle.runs.run import Run
from disentangle.scoring.codes import RunSource

Method = Literal["lasso", "spearman"]
SWEEPS = 1000
"""The limit of scikit-learn's Lasso; reached only if latents are nearly copies of one another."""


def udr(
    codes: Sequence[Codes],
    kl: Sequence[NDArray[np.float64]],
    method: Method = "lasso",
    threshold: float = 0.01,
    alpha: float = 0.1,
) -> NDArray[np.float64]:
    """Each model's median agreement with the other models, [M]; NaN if undefined.

    Args:
        codes: codes of M models for the same images, [M, N, D]; models may differ in D.
        kl: the mean of KL(q(z_d|x) || p(z_d)) over images, [M, D].
        method: the similarity of two latents: the absolute weight of a Lasso regression, or the
            absolute rank correlation.
        threshold: latents with at most this KL, in nats, count as collapsed and are removed.
        alpha: the weight of the Lasso's penalty.
    """
    return medians(pairwise(codes, kl, method, threshold, alpha))


def medians(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median of each column of [M, M], ignoring NaN, [M]; NaN if nothing is left."""
    scores = np.full(len(pairs), np.nan)
    defined = ~np.isnan(pairs).all(axis=0)
    scores[defined] = np.nanmedian(pairs[:, defined], axis=0)
    return scores


def unit_variance(z: Codes) -> Codes:
    """Codes [N, D] with mean 0 and variance 1; those constant up to rounding errors are 0."""
    centred = z - z.mean(axis=0)
    std = centred.std(axis=0)
    constant = std <= 1e-12 * np.abs(z).max(axis=0, initial=0.0)
    return np.where(constant, 0.0, centred / np.where(constant, 1.0, std))


def pairwise(
    codes: Sequence[Codes],
    kl: Sequence[NDArray[np.float64]],
    method: Method = "lasso",
    threshold: float = 0.01,
    alpha: float = 0.1,
) -> NDArray[np.float64]:
    """The agreement of model i's latents with those of model j, [M, M]; see `udr`.

    With the Lasso it is directional: j is predicted from i. It is NaN on the diagonal, and if all
    latents of either model are collapsed.
    """
    kept = [np.asarray(z)[:, np.asarray(d) > threshold] for z, d in zip(codes, kl, strict=True)]
    kept = [unit_variance(ranks(z) if method == "spearman" else z) for z in kept]
    every = np.concatenate(kept, axis=1)
    ends = np.cumsum([z.shape[1] for z in kept])
    pairs = np.full((len(kept), len(kept)), np.nan)
    for i, z in enumerate(kept):
        if not z.shape[1]:
            continue
        similar = z.T @ every / len(z)  # [d, every latent of every model]
        if method == "lasso":
            similar = lasso(z.T @ z / len(z), similar, alpha)
        for j, block in enumerate(np.split(np.abs(similar), ends[:-1], axis=1)):
            if i != j and block.size:
                pairs[i, j] = agreement(block)
    return pairs


def agreement(similar: NDArray[np.float64]) -> float:
    """The closeness of a matrix of similarities [D, E] to a permutation, 0 to 1.

    The mean of max^2 / sum over rows and the same over columns, averaged; max^2 / sum is 0 if the
    sum is 0.
    """
    means = []
    for axis in (0, 1):
        total = similar.sum(axis=axis)
        means.append(np.mean(similar.max(axis=axis) ** 2 / np.where(total > 0, total, 1.0)))
    return float(sum(means) / 2)


def lasso(
    gram: NDArray[np.float64], target: NDArray[np.float64], alpha: float
) -> NDArray[np.float64]:
    """The w [D, T] that minimise |y - x w|^2 / 2 N + alpha |w|_1, for each of T targets.

    Coordinate descent on all targets at once, until no weight changes.

    Args:
        gram: x^T x / N, [D, D].
        target: x^T y / N, [D, T].
        alpha: the weight of the penalty.
    """
    w = np.zeros_like(target)
    varying = np.flatnonzero(np.diag(gram))
    for _ in range(SWEEPS):
        change = 0.0
        for d in varying:
            r = target[d] - gram[d] @ w + gram[d, d] * w[d]
            new = np.sign(r) * np.maximum(np.abs(r) - alpha, 0) / gram[d, d]
            change = max(change, float(np.abs(new - w[d]).max()))
            w[d] = new
        if change < 1e-12:
            break
    return w


def ranks(z: Codes) -> Codes:
    """The ranks in each column of codes [N, D]; ties get the mean rank."""
    from scipy.stats import rankdata

    ranked: Codes = rankdata(z, axis=0)
    return ranked


@dataclass(frozen=True)
class Ranking:
    """UDR of runs.

    Attributes:
        scores: each run's score, 0 to 1; None for n/a.
        reasons: each run's reason for having no score; empty if it has one.
        pairs: the agreement of run i with run j, [M, M]; NaN if undefined.
    """

    scores: tuple[float | None, ...]
    reasons: tuple[str, ...]
    pairs: NDArray[np.float64]


def udr_of_runs(
    runs: Sequence[Run | str | Path],
    samples: int = 1000,
    seed: int = 0,
    *,
    method: Method = "lasso",
    threshold: float = 0.01,
    alpha: float = 0.1,
    device: str = "auto",
    progress: Progress = silent,
) -> Ranking:
    """Score runs by UDR: how well each run's latents are matched in the other runs.

    Runs without a posterior, with codes in blocks, or with all latents collapsed, have no score
    and are ignored in the scores of the others.

    Args:
        runs: runs on the same dataset, or their folders; they should differ only in their seed.
        samples: number of images to encode, drawn from the training images.
        seed: seed for sampling the images.
        method: see `udr` (also for `threshold` and `alpha`).
        threshold: the KL in nats above which a latent counts.
        alpha: the weight of the Lasso's penalty.
        device: the device that encodes images.
        progress: called while images are encoded.

    Raises:
        UsageError: fewer than two runs, a run given twice, or runs on different images.
        DisentangleError: a run is not finished or cannot be opened.
    """
    loaded = [run if isinstance(run, Run) else load_run(run) for run in runs]
    check(loaded, samples)
    torch_device, dataset = choose_device(device), loaded[0].dataset
    codes: list[Codes] = []
    kl: list[NDArray[np.float64]] = []
    reasons, usable = [""] * len(loaded), []
    for i, run in enumerate(loaded):
        source = RunSource(run, dataset, torch_device, progress)
        try:
            if source.blocks:
                raise Unavailable("UDR compares single latents, and its codes are in blocks")
            # All images count alike, also where training drew them by correlated factors.
            index = numpy_rng(seed, "udr").integers(0, len(source), samples)
            mean, scale = source.posterior(index)
        except Unavailable as error:
            reasons[i] = str(error)
            continue
        finally:
            source.save()
        variance = np.maximum(scale**2, np.finfo(np.float64).tiny)
        nats = 0.5 * np.mean(mean**2 + variance - np.log(variance) - 1, axis=0)
        if (nats > threshold).any():
            usable.append(i)
            codes.append(mean)
            kl.append(nats)
        else:
            reasons[i] = f"all latents are collapsed (none has a KL above {threshold:g} nats)"
    pairs = np.full((len(loaded), len(loaded)), np.nan)
    if len(usable) > 1:
        pairs[np.ix_(usable, usable)] = pairwise(codes, kl, method, threshold, alpha)
    scores = [None if np.isnan(score) else float(score) for score in medians(pairs)]
    for i in usable:
        if scores[i] is None:
            reasons[i] = "no other run has active latents to compare with"
    return Ranking(tuple(scores), tuple(reasons), pairs)


def group_runs(runs: Sequence[Run]) -> list[list[Run]]:
    """Group runs by the images they were trained on, within which UDR can compare them."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(_images(run), []).append(run)
    return list(groups.values())


def check(runs: Sequence[Run], samples: int) -> None:
    """Raise an error unless the runs can be compared."""
    if len(runs) < 2:
        raise UsageError(f"UDR needs at least two runs, got {len(runs)}")
    if samples < 2:
        raise UsageError(f"samples must be a whole number, at least 2; got {samples}")
    seen: dict[str, Path] = {}
    for run in runs:
        run.check_finished()
        if run.record.id in seen:
            raise UsageError(f"{run.path} and {seen[run.record.id]} are the same run")
        seen[run.record.id] = run.path
        if _images(run) != _images(runs[0]):
            raise UsageError(
                "UDR needs runs that were trained on the same images; got "
                f"{_images(runs[0])} ({runs[0].path}) and {_images(run)} ({run.path})"
            )


def _images(run: Run) -> str:
    """A description of a run's training images."""
    record = run.record.dataset
    part = " ".join(f"{k}={v}" for k, v in sorted(record.view.items()) if k != "factors")
    return f"'{record.name}' {record.fingerprint[:10]} {part}".strip()
