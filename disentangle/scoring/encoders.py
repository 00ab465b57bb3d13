"""External encoders: a function of images, or a file with an exported module."""

import hashlib
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch

from disentangle._utils.callbacks import Progress, silent
from disentangle._utils.device import CHUNK
from disentangle._utils.tensors import to_device
from disentangle.contracts.dataset import Dataset, Index
from disentangle.contracts.entry_points import by_reference
from disentangle.errors import DisentangleError, UsageError
from disentangle.scoring.arrays import FARTHEST
from disentangle.scoring.codes import Encoded, Encoder, Real

Function = Callable[[Any], Any]
"""A function from images [N, C, H, W] to codes [N, D], as tensors or NumPy arrays."""
Input = Literal["float", "uint8"]
"""The function's input: float32 in [0, 1], or uint8 from 0 to 255."""
SUFFIXES = (".pt", ".pth", ".ts", ".pt2")


class FunctionSource(Encoder):
    """Codes computed by a function of images."""

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
        if not callable(function):
            raise UsageError(
                f"an encoder must be a function of images, got {type(function).__name__}"
            )
        self.function, self.takes, self.device = function, takes, torch.device(device)
        self.chunk = CHUNK["cpu" if self.device.type == "cpu" else "other"]
        self.whole = dataset.whole
        few = np.arange(min(2, len(self.whole)))
        first, _ = self.encode(few)
        super().__init__(dataset, first.shape[1], progress, disjoint=disjoint)
        self._mean = np.empty((len(self.whole), first.shape[1]), first.dtype)
        self._mean[few], self._known[few] = first, True

    def encode(self, index: Index) -> Encoded:
        """Encode images, given by their indices in the whole dataset."""
        images = self.whole.images(index)
        x = images.to(self.device) if self.takes == "uint8" else to_device(images, self.device)
        try:
            with torch.no_grad():
                output = self.function(x)
        except Exception as error:  # the user's function may raise anything
            reason = str(error).strip().partition("\n")[0]
            raise DisentangleError(
                f"the encoder failed on images {list(x.shape)}, {x.dtype}: "
                f"{type(error).__name__}: {reason}"
            ) from error
        codes = as_codes(output, len(index))
        width = getattr(self, "_mean", codes).shape[1]
        if codes.shape[1] != width:
            raise UsageError(
                f"the encoder must always return the same number of latents: expected {width}, "
                f"got {codes.shape[1]}"
            )
        return codes, None


def as_codes(output: Any, count: int) -> Real:
    """Validate an encoder's output and return it as [count, D], without loss of digits.

    The result is float32, but float64 if the output is float64 or of whole numbers.
    """
    if isinstance(output, torch.Tensor):
        output = output.detach().cpu()
        half = output.dtype in (torch.bfloat16, torch.float16)
        output = (output.float() if half else output).resolve_conj().resolve_neg().numpy()
    if isinstance(output, tuple | list | dict):
        raise UsageError(
            f"the encoder must return one array [N, D], got a {type(output).__name__}; wrap it "
            "in a function that selects the codes, such as lambda x: encoder(x)[0]"
        )
    codes = np.asarray(output)
    if codes.ndim != 2 or len(codes) != count or not codes.shape[1]:
        raise UsageError(
            f"the encoder must return [N, D] for {count} images, got {list(codes.shape)}"
        )
    if codes.dtype.kind not in "fiub":
        raise UsageError(f"the encoder must return numbers, got {codes.dtype}")
    codes = codes.astype(np.float32 if codes.dtype in (np.float16, np.float32) else np.float64)
    if not np.isfinite(codes).all():
        raise DisentangleError("the encoder returned codes that are not finite")
    largest = float(np.abs(codes).max())
    if largest and not 1 / FARTHEST < largest < FARTHEST:
        raise DisentangleError(
            f"the largest magnitude of the encoder's codes is {largest:.3g}: rescale them to avoid "
            "overflow"
        )
    return codes


@contextmanager
def evaluating(function: Function, device: torch.device) -> Iterator[None]:
    """Put a module into evaluation mode on the device; restore its mode afterwards."""
    if not isinstance(function, torch.nn.Module):
        yield
        return
    modes = {module: module.training for module in function.modules()}
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


def load_encoder(reference: str) -> tuple[Function, str]:
    """Load an encoder from `module:attribute` or a file; return it and its name for records.

    A file holds a TorchScript module or an exported program (`.pt2`).

    Raises:
        UsageError: the function does not exist.
        DisentangleError: the file cannot be loaded.
    """
    if reference.endswith(SUFFIXES) or os.path.exists(reference):
        path = Path(reference).expanduser()
        return _from_file(path), file_name(path)
    if not reference.partition(":")[2]:
        raise UsageError(
            f"'{reference}' does not name an encoder: expected module:attribute, or the path of a "
            f"TorchScript file or exported program ({', '.join(SUFFIXES)})"
        )
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` does
    encoder = by_reference(reference)
    if not callable(encoder):
        raise UsageError(f"'{reference}' must be callable, got a {type(encoder).__name__}")
    return encoder, reference


def file_name(path: Path) -> str:
    """A file's name followed by a digest of its content."""
    with path.open("rb") as file:
        return f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"


def _from_file(path: Path) -> Function:
    if not path.is_file():
        raise DisentangleError(f"{path}: no such file")
    logging.disable(logging.CRITICAL)  # torch also logs a traceback
    try:
        if path.suffix == ".pt2":
            program: Any = torch.export.load(path)
            return cast(Function, program.module())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # TorchScript is deprecated
            script: Function = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
        return script
    except Exception as error:  # a wrong file may raise anything
        reason = str(error).strip().partition("\n")[0]
        raise DisentangleError(
            f"{path}: neither a TorchScript file nor an exported program: {reason}. For a state "
            "dict, use `disentangle import FILE --model MODEL --dataset DATASET`."
        ) from error
    finally:
        logging.disable(logging.NOTSET)
