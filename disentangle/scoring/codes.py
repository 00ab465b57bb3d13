"""Codes of a dataset: each image is encoded at most once per checkpoint, and cached on disk."""

import hashlib
import time
import warnings
import zipfile
from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from disentangle._utils.callbacks import Progress, silent
from disentangle._utils.device import CHUNK
from disentangle._utils.files import atomic, cache_folder, drop_oldest
from disentangle._utils.memory import keep_freed_memory, sparse_table
from disentangle._utils.seeds import OwnRandomness
from disentangle.contracts.dataset import Dataset, Index
from disentangle.contracts.model import Posterior
from disentangle.contracts.source import Codes, Source
from disentangle.errors import DisentangleError, Unavailable
from disentangle.runs.run import Run
from disentangle.scoring.reduction import Blocks, Real, ordered_blocks, without_reduction

CONTRACT = 3
"""Version of the cache: increase it if the same weights and images give other codes."""


CACHE_BYTES = 4 * 2**30
TRIAL = 256
"""Number of images that are timed to estimate the encoding time."""

Encoded = tuple[Real, Real | None]
"""Means and, for a posterior, scales; [N, D] each."""


class Encoder(Source[Dataset]):
    """Codes of images, encoded on demand, each image at most once.

    Its progress counts the images of one request at a time: a metric draws those that it needs when
    it is run, so how many are encoded in all is not known before the last one.

    Attributes:
        encoded: number of images encoded so far.
        asked: the same once the latest request is encoded.
        begun: the same when the latest request began.
    """

    chunk = CHUNK["cpu"]
    pace = 0.0
    """Seconds per image, measured on a few; 0 if not measured."""

    def __init__(
        self, dataset: Dataset, latents: int, progress: Progress = silent, *, disjoint: bool = False
    ) -> None:
        self.dataset, self.progress, self.disjoint = dataset, progress, disjoint
        self.encoded = self.asked = self.begun = 0
        # Codes are kept for the whole dataset, so that its views share them.
        self.whole = dataset.whole
        self._known = np.zeros(len(self.whole), bool)
        self._latents = latents
        self._scale: Real | None = None
        self._blocks: Blocks | None = None

    @cached_property
    def randomness(self) -> OwnRandomness:
        """The random state of the encoder's code: no draw of it is taken for a metric's."""
        return OwnRandomness()

    @abstractmethod
    def encode(self, index: Index) -> Encoded:
        """Encode images, given by their indices in the whole dataset."""

    @property
    def latents(self) -> int:
        """The number of latents."""
        return self._latents

    @property
    def blocks(self) -> Blocks | None:
        """The blocks of the codes; None for codes [N, D]."""
        return self._blocks

    def shaped(self, codes: Real) -> Real:
        """Codes [n, D] in their blocks, [n, B, M], if they have any."""
        return codes.reshape(len(codes), *self._blocks) if self._blocks else codes

    def unreduced(self, origin: Index) -> Real:
        """The codes of images, given by their indices in the whole dataset, in their blocks."""
        with self.randomness():
            return self.shaped(self.encode(origin)[0])

    def save(self) -> None:
        """Keep the codes for later, if there is a place for them."""

    @cached_property
    def _mean(self) -> Real:
        """The codes of all images, of which those are valid that `_known` marks."""
        shape = (len(self.whole), self._latents)
        try:
            return sparse_table(shape)
        except MemoryError as error:
            raise DisentangleError(
                f"codes of {shape[1]:,} latents of {shape[0]:,} images do not fit into memory; "
                "reduce those of an encoder by `--reduce pca:10`"
            ) from error

    def codes(self, index: Index) -> Codes:
        """The means of the codes at `index`, [N, D].

        Raises:
            UsageError: the codes are in blocks, of which only a reduction can be scored.
        """
        origin = self._encode(index)
        if self._blocks:
            raise without_reduction(self._blocks)
        return self._mean[origin].astype(np.float64)

    def posterior(self, index: Index) -> tuple[Codes, Codes]:
        """Mean and scale of q(z|x) at `index`, each [N, D]."""
        origin = self._encode(index)
        if self._scale is None:
            raise Unavailable("these codes have no posterior")
        return self.codes(index), self._scale[origin].astype(np.float64)

    def seconds_to_encode(self) -> float:
        """Estimate the seconds left to encode, from a timed sample of images."""
        missing = np.flatnonzero(~self._known[self.dataset.origin(np.arange(len(self)))])
        if len(missing) <= 2 * TRIAL:
            return 0.0
        self._encode(missing[:TRIAL])  # warm-up
        began = time.perf_counter()
        self._encode(missing[TRIAL : 2 * TRIAL])
        return (time.perf_counter() - began) * (len(missing) / TRIAL - 2)

    def lookup(self, *used: Index) -> Callable[[Index], Codes]:
        """Return a fast function from indices to codes; see `Source`."""
        if used:
            index = np.concatenate([np.ravel(each) for each in used])
            self._ask(self._missing(self.dataset.origin(index)))
        return super().lookup(*used)

    def _missing(self, origin: Index) -> Index:
        """Those of the images of the whole dataset that are not encoded yet."""
        return np.unique(origin[~self._known[origin]])

    def _ask(self, missing: Index) -> None:
        """Begin to count a request, unless it is a part of the latest one."""
        if self.encoded + len(missing) > self.asked:
            self.begun, self.asked = self.encoded, self.encoded + len(missing)
            self.progress(0, len(missing))

    def _encode(self, index: Index) -> Index:
        """Encode those of the images that are not encoded yet; return indices in the whole."""
        return self._encode_origin(self.dataset.origin(index))

    def _encode_origin(self, origin: Index) -> Index:
        """The same by the images' indices in the whole dataset."""
        missing = self._missing(origin)
        self._ask(missing)
        for i in range(0, len(missing), self.chunk):
            chunk = missing[i : i + self.chunk]
            with self.randomness():
                mean, scale = self.encode(chunk)
            if mean.dtype.itemsize > self._mean.dtype.itemsize:  # keep all digits
                self._mean = self._mean.astype(mean.dtype)
            self._mean[chunk] = mean
            if scale is not None:
                if self._scale is None:
                    self._scale = np.empty_like(self._mean)
                self._scale[chunk] = scale
            self._known[chunk] = True
            self.encoded += len(chunk)
            self.progress(self.encoded - self.begun, self.asked - self.begun)
        return origin


class RunSource(Encoder):
    """The codes of a run's model on a dataset, cached on disk."""

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
        self._discrete: bool | None = None
        self.device = torch.device(device)
        self.model.to(self.device)
        if self.device.type == "cpu":
            keep_freed_memory()
        self.chunk = CHUNK["cpu" if self.device.type == "cpu" else "other"]
        super().__init__(
            dataset or run.dataset, int(self.model.latents), progress, disjoint=disjoint
        )
        self._load()

    @property
    def discrete(self) -> bool:
        """True if the model's code is discrete."""
        if self._discrete is None:
            self._encode(np.arange(1))
        return bool(self._discrete)

    @property
    def blocks(self) -> Blocks | None:
        """The blocks of the model's code; None for codes [N, D]."""
        if self._discrete is None:
            self._encode(np.arange(1))
        return self._blocks

    def unreduced(self, origin: Index) -> Real:
        """The codes of images, which are kept; see `Encoder`."""
        return self.shaped(self._mean[self._encode_origin(origin)])

    def encode(self, index: Index) -> Encoded:
        """Means and scales of the model's codes."""
        code = self.run.code(self.whole.images(index))
        self._discrete, self._blocks = code.discrete, ordered_blocks(code)
        scale = code.scale.cpu().numpy() if isinstance(code, Posterior) else None
        return code.mean.cpu().numpy(), scale

    @property
    def _cache(self) -> Path:
        key = f"{self.run.record.weights} {self.dataset.fingerprint} fp32 {CONTRACT}"
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        return cache_folder() / "codes" / f"{name}.npz"

    def _load(self) -> None:
        """Load cached codes; ignore a damaged file."""
        try:
            with self._cache.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                known, mean, discrete = kept["known"], kept["mean"], bool(kept["discrete"])
                scale = kept["scale"] if "scale" in kept else None
                blocks = kept["blocks"] if "blocks" in kept else None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return
        if known.shape == self._known.shape and mean.shape == self._mean.shape:
            self._known, self._mean, self._scale = known, mean, scale
            self._discrete = discrete
            self._blocks = None if blocks is None else (int(blocks[0]), int(blocks[1]))

    def save(self) -> None:
        """Write the codes to the cache; delete its oldest files if it exceeds `CACHE_BYTES`."""
        if not self.encoded:
            return
        self.encoded = self.asked = self.begun = 0
        arrays = {"known": self._known, "mean": self._mean, "discrete": np.array(self.discrete)}
        if self._scale is not None:
            arrays["scale"] = self._scale
        if self._blocks:
            arrays["blocks"] = np.array(self._blocks)
        folder = self._cache.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with atomic(self._cache) as temporary, temporary.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
        except OSError as error:
            text = f"cannot cache codes in {folder} ({error.strerror}); they will be encoded again"
            warnings.warn(text, stacklevel=2)
            return
        drop_oldest(self._cache, "*.npz", size=CACHE_BYTES)
