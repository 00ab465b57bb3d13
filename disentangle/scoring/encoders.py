"""External encoders: any function of images as a source of codes."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from disentangle._utils.callbacks import Progress, silent
from disentangle._utils.device import CHUNK
from disentangle._utils.tensors import to_device
from disentangle.contracts.dataset import Dataset, Index
from disentangle.contracts.entry_points import explained
from disentangle.contracts.model import Code
from disentangle.contracts.vectors import encoder_inputs, has_vectors
from disentangle.errors import DisentangleError, UsageError
from disentangle.nn.frozen import entries, listed
from disentangle.runs.modules import Encoding
from disentangle.scoring.arrays import FARTHEST
from disentangle.scoring.block_reduction import fit_blocks
from disentangle.scoring.codes import Encoded, Encoder
from disentangle.scoring.reduction import (
    Real,
    Reduction,
    check_reduction,
    fit_reduction,
    fitted_images,
    ordered_blocks,
)

Function = Callable[[Any], Any]
"""A function from images [N, C, H, W], or from vectors of a dataset of vectors, to codes [N, D], or
[N, B, M] in blocks, as tensors, NumPy arrays or a `Code`."""
Input = Literal["float", "uint8"]
"""The function's input: float32 in [0, 1], or uint8 from 0 to 255."""
FEW = 16
"""Images that are encoded again to see whether codes are a function of the image alone."""
SPREAD = 48
"""Images from all over a dataset by whose codes an encoder is recognised, besides the first few."""


class FunctionSource(Encoder):
    """Codes computed by a function of images, which may return a `Code` to say it is discrete."""

    returns_discrete = False
    reducible = True

    def __init__(
        self,
        function: Function,
        dataset: Dataset,
        *,
        takes: Input = "float",
        device: torch.device | str = "cpu",
        progress: Progress = silent,
        disjoint: bool = False,
    ) -> None:
        if takes not in ("float", "uint8"):
            raise UsageError(f"takes must be 'float' or 'uint8', got {takes!r}")
        if takes == "uint8" and has_vectors(dataset):
            raise UsageError(f"'{dataset.name}' has vectors, which are float32: omit takes='uint8'")
        if isinstance(function, type) or not callable(function):
            kind = "the class " if isinstance(function, type) else ""
            name = getattr(function, "__name__", type(function).__name__)
            hint = "; give its `.encoder`" if hasattr(function, "encoder") else ""
            raise UsageError(f"an encoder must be a function of images, got {kind}{name}{hint}")
        self.function, self.takes, self.device = function, takes, torch.device(device)
        self.chunk = CHUNK["cpu" if self.device.type == "cpu" else "other"]
        self.whole = dataset.whole
        few = np.arange(min(2, len(self.whole)))
        with self.randomness():
            first, _ = self.encode(few)
        blocks = self._blocks
        super().__init__(dataset, first.shape[1], progress, disjoint=disjoint)
        self._blocks = blocks

    @property
    def discrete(self) -> bool:
        """True if the function returns a `Code` that is discrete."""
        return self.returns_discrete

    def encode(self, index: Index) -> Encoded:
        """Encode images, given by their indices in the whole dataset."""
        inputs = encoder_inputs(self.whole, index)
        x = inputs.to(self.device) if self.takes == "uint8" else to_device(inputs, self.device)
        try:
            with torch.no_grad():
                output = self.function(x)
        except DisentangleError:
            raise
        except (Exception, SystemExit) as error:  # the user's function may raise anything
            why, hint = explained(error), ""
            what = "vectors" if x.ndim == 2 else "images"
            if x.shape[1] == 1 and "channels" in why:
                hint = (
                    ". For an encoder of RGB images: `lambda x: encoder(x.expand(-1, 3, -1, -1))`"
                )
            raise DisentangleError(
                f"the encoder failed on {what} {list(x.shape)}, {x.dtype}, {x.device}: {why}{hint}"
            ) from error
        blocks = None
        if isinstance(output, Code):
            self.returns_discrete, blocks = output.discrete, ordered_blocks(output)
            output = output.mean
        codes = as_codes(mean_of(output), len(index))
        if codes.ndim == 3:
            blocks, codes = codes.shape[1:], codes.reshape(len(codes), -1)
        width = getattr(self, "_latents", codes.shape[1])
        if codes.shape[1] != width:
            raise UsageError(
                f"the encoder must always return the same number of latents: expected {width}, "
                f"got {codes.shape[1]}"
            )
        self._blocks = blocks
        return codes, None

    def sample_codes(self) -> Real:
        """The codes of a few images of the whole dataset, by which it is recognised.

        They are the first ones, and others from all over the dataset, as the first may look alike.
        """
        few = np.arange(min(FEW, len(self.whole)))
        spread = np.linspace(len(few), len(self.whole) - 1, SPREAD).astype(np.int64)
        index = np.concatenate([few, spread if len(self.whole) > len(few) else few[:0]])
        with self.randomness():
            return self.encode(index)[0]

    def instability(self) -> str:
        """Why codes are not a function of the image alone, by encoding a few again; "" if they are.

        The tolerances leave room for rounding, which differs between batches of different sizes.
        """
        few = np.arange(min(FEW, len(self.whole)))
        with self.randomness():
            first = self.encode(few)[0]
            began = time.perf_counter()
            again = self.encode(few)[0]
            self.pace = (time.perf_counter() - began) / len(few)
            half = self.encode(few[: (len(few) + 1) // 2])[0]
        spread, largest = first.std(axis=0), np.abs(first).max(axis=0)
        noise = 64 * np.finfo(np.float32).eps * largest
        if (np.abs(first - again) > 0.01 * spread + noise).any():
            return (
                "the encoder returns different codes for the same images, so its scores cannot be "
                "reproduced: it samples or uses dropout. Return the mean instead of a sample, "
                "and call `model.eval()` on the modules that it uses"
            )
        if (np.abs(first[: len(half)] - half) > 0.05 * spread + 0.01 * largest).any():
            return (
                "the encoder's code of an image depends on the other images of its batch, as with "
                "batch normalisation in training mode. Call `model.eval()` on the modules that it "
                "uses"
            )
        return ""


def mean_of(output: Any) -> Any:
    """The mean in the output of `Run.encoder` or of an exported one; any other output unchanged."""
    if isinstance(output, Encoding):
        return output.mean
    if isinstance(output, Mapping) and set(output) <= {"mean", "scale"}:
        return output.get("mean", output)
    return output


class ReducedEncoder(Encoder):
    """The reduced codes of another encoder, which alone are kept, unless it keeps its own.

    `pca:K` is fitted to at most 10,000 images, and other reductions that are fitted to all.
    """

    def __init__(self, base: Encoder, reduction: str, seed: int) -> None:
        self.base, self.chunk, self.pace = base, base.chunk, base.pace
        self.progress, base.progress = base.progress, silent  # one of them reports
        self.reduction: Reduction
        if reduction.startswith("pca:"):
            self._fit_few(reduction, seed)
            return
        self.reduction = fit_blocks(reduction, base.blocks, len(base), self._every_part)
        self._begin()

    def _begin(self) -> None:
        """Make the table of the reduced codes."""
        base = self.base
        latents = self.reduction.latents
        super().__init__(base.dataset, latents, self.progress, disjoint=base.disjoint)

    def _every_part(self) -> Iterator[Real]:
        """The codes of all images, in parts."""
        index = self.base.dataset.origin(np.arange(len(self.base)))
        for start in range(0, len(index), self.chunk):
            yield self.base.unreduced(index[start : start + self.chunk])
            self.progress(min(start + self.chunk, len(index)), len(index))

    def _fit_few(self, reduction: str, seed: int) -> None:
        """Fit `pca:K` to at most 10,000 images; keep their components."""
        base = self.base
        index = base.dataset.origin(fitted_images(len(base), seed))
        check_reduction(reduction, base.latents, len(index))  # before an hour of encoding
        codes = np.empty((len(index), base.latents), np.float32)
        for start in range(0, len(index), self.chunk):
            part = slice(start, start + self.chunk)
            mean = base.unreduced(index[part])
            codes = codes.astype(np.promote_types(codes.dtype, mean.dtype), copy=False)
            codes[part] = mean
            self.progress(min(start + self.chunk, len(index)), len(index))
        self.reduction = fit_reduction(reduction, codes)
        self._begin()
        self._mean[index], self._known[index] = self.reduction(codes), True
        self.encoded = self.asked = len(index)

    def encode(self, index: Index) -> Encoded:
        """Encode images, given by their indices in the whole dataset."""
        return self.reduction(self.base.unreduced(index)).astype(np.float32), None

    @property
    def discrete(self) -> bool:
        """True if the latents are the numbers of values."""
        return self.reduction.discrete

    def save(self) -> None:
        """Keep the codes of the encoder before their reduction."""
        self.base.save()


def as_codes(output: Any, count: int) -> Real:
    """Validate an encoder's output and return it, [count, D] or in blocks [count, B, M].

    No digits are lost: the result is float32, but float64 if the output is float64 or of whole
    numbers.
    """
    if parts := listed(output):
        raise UsageError(
            f"the encoder must return one array [N, D], got a {type(output).__name__} of {parts}. "
            f"Choose one by `--encoder REFERENCE:output={next(iter(entries(output)))}`, or wrap "
            "the encoder in a function that does"
        )
    if not (isinstance(output, torch.Tensor) or hasattr(output, "__array__")):
        raise UsageError(
            f"the encoder must return one array [N, D], got {_kind(output)}; wrap it in a function "
            "that returns the codes"
        )
    codes = _as_array(output)
    if codes.ndim not in (2, 3) or len(codes) != count or 0 in codes.shape:
        hint = "; flatten or pool the features of each image"
        if codes.ndim == 4:
            hint += ", for example by `--encoder REFERENCE:pool=mean`"
        hint = hint if codes.ndim > 3 else ""
        raise UsageError(
            f"the encoder must return blocks [N, B, M] or codes [N, D] for {count} images, got "
            f"{list(codes.shape)}{hint}"
        )
    if codes.dtype.kind not in "fiub":
        raise UsageError(f"the encoder must return numbers, got {codes.dtype}")
    codes = codes.astype(np.float32 if codes.dtype in (np.float16, np.float32) else np.float64)
    bad = np.argwhere(~np.isfinite(codes))
    if len(bad):
        image, *place = bad[0].tolist()
        where = f"latent {place[0]}" if codes.ndim == 2 else f"block {place[0]}"
        raise DisentangleError(
            f"the encoder returned codes that are not finite: {codes[tuple(bad[0])]} in {where} of "
            f"image {image} of a batch of {count}"
        )
    largest = float(np.abs(codes).max())
    if largest and not 1 / FARTHEST < largest < FARTHEST:
        raise DisentangleError(
            f"the largest magnitude of the encoder's codes is {largest:.3g}: rescale them to avoid "
            "overflow"
        )
    return codes


def _kind(output: Any) -> str:
    """What an encoder returned, for messages."""
    return "None: is its `return` missing?" if output is None else f"a {type(output).__name__}"


def _as_array(output: Any) -> NDArray[Any]:
    """A tensor of any type, device and layout, or any array, as a NumPy array."""
    try:
        if isinstance(output, torch.Tensor):
            output = output.detach().to_dense() if output.is_sparse else output.detach()
            output = output.cpu().resolve_conj().resolve_neg()
            output = output.float() if output.dtype == torch.bfloat16 else output
            return np.asarray(output.numpy())
        return np.asarray(output)
    except Exception as error:  # other frameworks' arrays may raise anything
        raise UsageError(
            "the encoder must return an array that NumPy can read, got a "
            f"{type(output).__name__}: {explained(error)}"
        ) from error


@contextmanager
def evaluating(function: Function, device: torch.device) -> Iterator[None]:
    """Put a module into evaluation mode on the device; restore both afterwards."""
    if not isinstance(function, torch.nn.Module):
        yield
        return
    modes = {module: module.training for module in function.modules()}
    homes = {tensor.device for tensor in (*function.parameters(), *function.buffers())}
    try:
        try:
            function.eval()
        except NotImplementedError:  # an exported program has only one mode
            modes = {}
        function.to(device)
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        if len(homes) == 1:
            function.to(homes.pop())


def file_name(path: Path) -> str:
    """A file's name followed by a digest of its content."""
    with path.open("rb") as file:
        return f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
