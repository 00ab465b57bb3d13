"""Codes of a dataset: each image encoded at most once for a checkpoint, and kept in a cache."""

import hashlib
import os
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from disentangle import data
from disentangle.dataset import Dataset, Index, Labelled
from disentangle.errors import DisentangleError, Unavailable, UsageError
from disentangle.files import atomic
from disentangle.metric import Codes, Source
from disentangle.model import Posterior
from disentangle.run import Run, as_input

CONTRACT = 1
"""Raise it when codes come out otherwise for the same weights and images."""
CHUNK = {"cpu": 64, "other": 2048}
"""Images encoded at once; on a CPU, larger ones spend their time on fresh memory (1.8 times)."""
CACHE_BYTES = 4 * 2**30

Progress = Callable[[int, int], None]
"""Called with the number of images encoded so far, and of all images."""


class RunSource(Source[Dataset]):
    """The codes of a run's model on a dataset, encoded as they are asked for."""

    def __init__(
        self,
        run: Run,
        dataset: Dataset | None = None,
        device: torch.device | str = "cpu",
        progress: Progress = lambda done, images: None,
    ) -> None:
        self.run, self.dataset = run, dataset or run.dataset
        self.model = run.model
        self.device, self.progress = torch.device(device), progress
        self.encoded = 0
        shape = (len(self.dataset), self.model.latents)
        self._known = np.zeros(len(self.dataset), bool)
        self._mean = np.empty(shape, np.float32)
        self._scale: NDArray[np.float32] | None = None
        self._load()

    def codes(self, index: Index) -> Codes:
        """Return the means of the codes at `index`, [N, D]."""
        self._encode(index)
        return self._mean[index].astype(np.float64)

    def posterior(self, index: Index) -> tuple[Codes, Codes]:
        """Return mean and scale of q(z|x) at `index`, each [N, D]."""
        mean = self.codes(index)
        if self._scale is None:
            raise Unavailable(f"'{self.run.record.model}' has codes without a posterior")
        return mean, self._scale[index].astype(np.float64)

    def train_test(
        self: Any, n: int, m: int, rng: np.random.Generator
    ) -> tuple[Codes, Index, Codes, Index]:
        """Return `n` and `m` points, both drawn uniformly and independently."""
        train, test = self.draw(n, rng), self.draw(m, rng)
        return self.codes(train), self.labels(train), self.codes(test), self.labels(test)

    def _encode(self, index: Index) -> None:
        missing = np.unique(index[~self._known[index]])
        if not len(missing):
            return
        shape = self.dataset.image_shape
        size = CHUNK["cpu" if self.device.type == "cpu" else "other"]
        model = self.model.to(self.device)
        with torch.inference_mode():
            for i in range(0, len(missing), size):
                chunk = missing[i : i + size]
                code = model.encode(as_input(self.dataset.images(chunk).to(self.device), shape))
                self._mean[chunk] = code.mean.cpu().numpy()
                if isinstance(code, Posterior):
                    if self._scale is None:
                        self._scale = np.empty_like(self._mean)
                    self._scale[chunk] = code.scale.cpu().numpy()
                self._known[chunk] = True
                self.encoded += len(chunk)
                self.progress(self.encoded, len(self.dataset))

    @property
    def _cache(self) -> Path:
        view = sorted(self.dataset.view_record.items())
        key = f"{self.run.weights} {self.dataset.fingerprint} {view} fp32 {CONTRACT}"
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        return data.cache_folder() / "codes" / f"{name}.npz"

    def _load(self) -> None:
        """Take up codes that an earlier call kept; a damaged file is only a cache lost."""
        try:
            with self._cache.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                known, mean = kept["known"], kept["mean"]
                scale = kept["scale"] if "scale" in kept else None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return
        if known.shape == self._known.shape and mean.shape == self._mean.shape:
            self._known, self._mean, self._scale = known, mean, scale

    def save(self) -> None:
        """Keep the codes for the next call, and drop the oldest of others above the cap."""
        if not self.encoded:
            return
        self.encoded = 0
        arrays = {"known": self._known, "mean": self._mean}
        if self._scale is not None:
            arrays["scale"] = self._scale
        folder = self._cache.parent
        folder.mkdir(parents=True, exist_ok=True)
        with atomic(self._cache) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        files = sorted(folder.glob("*.npz"), key=os.path.getmtime, reverse=True)
        total = 0
        for path in files:
            total += path.stat().st_size
            if total > CACHE_BYTES and path != self._cache:
                with suppress(OSError):
                    path.unlink()


class ArrayDataset(Labelled):
    """Labels without images, for codes that somebody else made."""

    image_shape = (0, 0, 0)
    fingerprint = ""
    source = "arrays"
    name = "the arrays"

    def __init__(self, labels: Index, names: Sequence[str], sizes: Sequence[int]) -> None:
        self._labels = labels
        self.every_factor = dict(zip(names, sizes, strict=True))

    def __len__(self) -> int:
        return len(self._labels)

    def images(self, index: ArrayLike) -> torch.Tensor:
        """Refuse: there are no images."""
        raise Unavailable("bare codes come without images")

    def every_label(self, index: ArrayLike) -> Index:
        """Return the labels at `index`, [N, K]."""
        return self._labels[self._index(index)]


class ArraySource(Source[Labelled]):
    """Bare arrays of codes and factors; a test set of its own where one is given."""

    def __init__(
        self, codes: Codes, dataset: ArrayDataset, test: "ArraySource | None" = None
    ) -> None:
        self._codes, self.dataset, self.test = codes, dataset, test

    def codes(self, index: Index) -> Codes:
        """Return the codes at `index`, [N, D]."""
        return self._codes[index]

    def posterior(self, index: Index) -> tuple[Codes, Codes]:
        """Refuse: bare codes have no posterior."""
        raise Unavailable("bare codes come without a posterior")

    def train_test(
        self: Any, n: int, m: int, rng: np.random.Generator
    ) -> tuple[Codes, Index, Codes, Index]:
        """Return rows as they are, each once; a random part of them where more than n + m are.

        Without a test set, rows that are to serve for both are dealt out in the ratio n : m.
        """
        if self.test is not None and m:
            z, v, _, _ = ArraySource(self._codes, self.dataset).train_test(n, 0, rng)
            test_z, test_v, _, _ = self.test.train_test(m, 0, rng)
            return z, v, test_z, test_v
        rows = np.arange(len(self))
        if len(rows) > n + m or m:
            rows = rng.permutation(rows)[: n + m]
        first = min(n, len(rows) if not m else max(1, round(len(rows) * n / (n + m))))
        train, test = np.sort(rows[:first]), np.sort(rows[first:])
        return self.codes(train), self.labels(train), self.codes(test), self.labels(test)


def array_source(
    codes: ArrayLike,
    factors: ArrayLike,
    test_codes: ArrayLike | None = None,
    test_factors: ArrayLike | None = None,
    names: Sequence[str] | None = None,
) -> ArraySource:
    """Return a source of arrays, checked: codes [N, D] finite, factors [N, K] discrete.

    Raises:
        UsageError: shapes that do not match, codes that are not finite, factors with almost as
            many values as rows.
    """
    z, v = _codes(codes, "codes"), _factors(factors, "factors", len(np.asarray(codes)))
    test_z, test_v = None, None
    if (test_codes is None) != (test_factors is None):
        raise UsageError("give test_codes and test_factors together, or neither")
    if test_codes is not None and test_factors is not None:
        test_z = _codes(test_codes, "test_codes")
        test_v = _factors(test_factors, "test_factors", len(test_z))
        if test_z.shape[1] != z.shape[1] or test_v.shape[1] != v.shape[1]:
            raise UsageError("test arrays need as many latents and factors as the others")
    names = names or [f"factor {k + 1}" for k in range(v.shape[1])]
    if len(names) != v.shape[1] or len(set(names)) != len(names):
        raise UsageError(f"{v.shape[1]} factors need as many different names; got {list(names)}")
    every = v if test_v is None else np.concatenate([v, test_v])
    labels = np.empty(every.shape, np.int64)
    for k in range(every.shape[1]):
        labels[:, k] = np.unique(every[:, k], return_inverse=True)[1]
    sizes = [int(size) for size in labels.max(axis=0) + 1]
    test = None
    if test_z is not None:
        test = ArraySource(test_z, ArrayDataset(labels[len(v) :], names, sizes))
    return ArraySource(z, ArrayDataset(labels[: len(v)], names, sizes), test)


def _codes(array: ArrayLike, name: str) -> Codes:
    try:
        z = np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} are numbers [N, D]: {error}") from error
    if z.ndim != 2 or 0 in z.shape:
        raise UsageError(f"{name} are [N, D], not {list(z.shape)}")
    bad = np.flatnonzero(~np.isfinite(z).all(axis=1))
    if len(bad):
        raise UsageError(f"{name} are not finite in {len(bad)} rows, the first of them {bad[0]}")
    return z


def _factors(array: ArrayLike, name: str, rows: int) -> NDArray[Any]:
    v = np.asarray(array)
    if v.ndim != 2 or v.shape[1] == 0:
        raise UsageError(f"{name} are [N, K], not {list(v.shape)}")
    if len(v) != rows:
        raise UsageError(f"{name} have {len(v)} rows, the codes {rows}")
    if v.dtype.kind == "f":
        if not np.isfinite(v).all():
            raise UsageError(f"{name} are not finite everywhere")
        for k in range(v.shape[1]):
            if len(np.unique(v[:, k])) > max(2, rows // 2):
                raise UsageError(
                    f"{name}: column {k} looks continuous ({rows} rows, nearly as many values); "
                    "metrics take discrete factors: bin it first"
                )
    elif v.dtype.kind not in "iub":
        raise DisentangleError(f"{name} are whole numbers, not {v.dtype}")
    return v
