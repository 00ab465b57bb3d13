"""Codes of a dataset: each image encoded at most once for a checkpoint, and kept in a cache."""

import hashlib
import os
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from disentangle import data
from disentangle.dataset import Dataset, Index
from disentangle.errors import Unavailable
from disentangle.files import atomic
from disentangle.metric import Codes, Source
from disentangle.model import Posterior
from disentangle.run import Run

CONTRACT = 2
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
        # Of the whole dataset, so that its views share what is known.
        self.whole = self.dataset.whole
        shape = (len(self.whole), self.model.latents)
        self._known = np.zeros(len(self.whole), bool)
        self._mean = np.empty(shape, np.float32)
        self._scale: NDArray[np.float32] | None = None
        self._load()

    @property
    def latents(self) -> int:
        """Return the model's number of latents."""
        return int(self.model.latents)

    def codes(self, index: Index) -> Codes:
        """Return the means of the codes at `index`, [N, D]."""
        place = self._encode(index)
        return self._mean[place].astype(np.float64)

    def posterior(self, index: Index) -> tuple[Codes, Codes]:
        """Return mean and scale of q(z|x) at `index`, each [N, D]."""
        mean = self.codes(index)
        if self._scale is None:
            raise Unavailable(f"'{self.run.record.model}' has codes without a posterior")
        return mean, self._scale[self.dataset.origin(index)].astype(np.float64)

    def _encode(self, index: Index) -> Index:
        """Encode what is not known yet of these images; return their places in the whole."""
        place = self.dataset.origin(index)
        missing = np.unique(place[~self._known[place]])
        if not len(missing):
            return place
        size = CHUNK["cpu" if self.device.type == "cpu" else "other"]
        self.model.to(self.device)
        for i in range(0, len(missing), size):
            chunk = missing[i : i + size]
            code = self.run.code(self.whole.images(chunk))
            self._mean[chunk] = code.mean.cpu().numpy()
            if isinstance(code, Posterior):
                if self._scale is None:
                    self._scale = np.empty_like(self._mean)
                self._scale[chunk] = code.scale.cpu().numpy()
            self._known[chunk] = True
            self.encoded += len(chunk)
            self.progress(self.encoded, len(self.dataset))
        return place

    @property
    def _cache(self) -> Path:
        key = f"{self.run.record.weights} {self.dataset.fingerprint} fp32 {CONTRACT}"
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
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with atomic(self._cache) as temporary, temporary.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
        except OSError as error:
            text = f"codes cannot be kept in {folder} ({error.strerror}): next time encodes again"
            warnings.warn(text, stacklevel=2)
            return
        files = sorted(folder.glob("*.npz"), key=os.path.getmtime, reverse=True)
        total = 0
        for path in files:
            total += path.stat().st_size
            if total > CACHE_BYTES and path != self._cache:
                with suppress(OSError):
                    path.unlink()
