"""Codes of a dataset: each image encoded at most once for a checkpoint, and kept in a cache."""

import hashlib
import time
import warnings
import zipfile
from abc import abstractmethod
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from disentangle._utils.callbacks import Progress, silent
from disentangle._utils.device import CHUNK
from disentangle._utils.files import atomic, cache_folder, drop_oldest
from disentangle._utils.memory import keep_freed_memory
from disentangle.contracts.dataset import Dataset, Index
from disentangle.contracts.model import Posterior
from disentangle.contracts.source import Codes, Source
from disentangle.errors import Unavailable
from disentangle.runs.run import Run

CONTRACT = 2
"""Raise it when codes come out otherwise for the same weights and images."""


CACHE_BYTES = 4 * 2**30
TRIAL = 256
"""Images that are encoded to tell how long the others will take."""

Encoded = tuple[NDArray[np.float32], NDArray[np.float32] | None]
"""Means and, of a posterior, scales: [N, D] each."""


class Encoder(Source[Dataset]):
    """Codes of images that are encoded as they are asked for, each at most once."""

    chunk = CHUNK["cpu"]

    def __init__(
        self, dataset: Dataset, latents: int, progress: Progress = silent, *, disjoint: bool = False
    ) -> None:
        self.dataset, self.progress, self.disjoint = dataset, progress, disjoint
        self.encoded = 0
        # Of the whole dataset, so that its views share what is known.
        self.whole = dataset.whole
        self._known = np.zeros(len(self.whole), bool)
        self._mean = np.empty((len(self.whole), latents), np.float32)
        self._scale: NDArray[np.float32] | None = None

    @abstractmethod
    def encode(self, index: Index) -> Encoded:
        """Return the codes of images of the whole dataset."""

    @property
    def latents(self) -> int:
        """Return the number of latents."""
        return self._mean.shape[1]

    def codes(self, index: Index) -> Codes:
        """Return the means of the codes at `index`, [N, D]."""
        place = self._encode(index)
        return self._mean[place].astype(np.float64)

    def posterior(self, index: Index) -> tuple[Codes, Codes]:
        """Return mean and scale of q(z|x) at `index`, each [N, D]."""
        mean = self.codes(index)
        if self._scale is None:
            raise Unavailable("these are codes without a posterior")
        return mean, self._scale[self.dataset.origin(index)].astype(np.float64)

    def seconds_to_encode(self) -> float:
        """Return how long encoding all that is not known yet will take, from a few of it."""
        missing = np.flatnonzero(~self._known[self.dataset.origin(np.arange(len(self)))])
        if len(missing) <= 2 * TRIAL:
            return 0.0
        self._encode(missing[:TRIAL])  # which also loads what is loaded once
        began = time.perf_counter()
        self._encode(missing[TRIAL : 2 * TRIAL])
        return (time.perf_counter() - began) * (len(missing) / TRIAL - 2)

    def _encode(self, index: Index) -> Index:
        """Encode what is not known yet of these images; return their places in the whole."""
        place = self.dataset.origin(index)
        missing = np.unique(place[~self._known[place]])
        for i in range(0, len(missing), self.chunk):
            chunk = missing[i : i + self.chunk]
            mean, scale = self.encode(chunk)
            self._mean[chunk] = mean
            if scale is not None:
                if self._scale is None:
                    self._scale = np.empty_like(self._mean)
                self._scale[chunk] = scale
            self._known[chunk] = True
            self.encoded += len(chunk)
            self.progress(self.encoded, len(self.dataset))
        return place


class RunSource(Encoder):
    """The codes of a run's model on a dataset, kept for the next time."""

    def __init__(
        self,
        run: Run,
        dataset: Dataset | None = None,
        device: torch.device | str = "cpu",
        progress: Progress = silent,
        *,
        disjoint: bool = False,
    ) -> None:
        self.run, self.model = run, run.model
        self.device = torch.device(device)
        self.model.to(self.device)
        if self.device.type == "cpu":
            keep_freed_memory()
        self.chunk = CHUNK["cpu" if self.device.type == "cpu" else "other"]
        super().__init__(
            dataset or run.dataset, int(self.model.latents), progress, disjoint=disjoint
        )
        self._load()

    def encode(self, index: Index) -> Encoded:
        """Return means and scales of the model's codes."""
        code = self.run.code(self.whole.images(index))
        scale = code.scale.cpu().numpy() if isinstance(code, Posterior) else None
        return code.mean.cpu().numpy(), scale

    @property
    def _cache(self) -> Path:
        key = f"{self.run.record.weights} {self.dataset.fingerprint} fp32 {CONTRACT}"
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        return cache_folder() / "codes" / f"{name}.npz"

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
        """Keep the codes for the next call, and drop the oldest ones above the cap."""
        if not self.encoded:
            return
        self.encoded = 0
        arrays = {"known": self._known, "mean": self._mean}
        if self._scale is not None:
            arrays["scale"] = self._scale
        folder = self._cache.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with atomic(self._cache) as temporary, temporary.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
        except OSError as error:
            text = f"codes cannot be kept in {folder} ({error.strerror}): next time encodes again"
            warnings.warn(text, stacklevel=2)
            return
        drop_oldest(self._cache, "*.npz", size=CACHE_BYTES)
