"""Encoders that were not trained here: a function of images, or a file that holds one."""

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
from numpy.typing import NDArray

from disentangle._utils.callbacks import Progress, silent
from disentangle._utils.device import CHUNK
from disentangle._utils.tensors import to_device
from disentangle.contracts.dataset import Dataset, Index
from disentangle.contracts.entry_points import by_reference
from disentangle.errors import DisentangleError, UsageError
from disentangle.scoring.codes import Encoded, Encoder

Function = Callable[[Any], Any]
"""Images [N, C, H, W] to codes [N, D], as tensors or NumPy arrays."""
Input = Literal["float", "uint8"]
"""What the function takes: float32 in [0, 1], or uint8, 0 to 255."""
SUFFIXES = (".pt", ".pth", ".ts", ".pt2")


class FunctionSource(Encoder):
    """The codes that a function gives."""

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
            raise UsageError(f"an encoder takes float or uint8 images, not {takes!r}")
        if not callable(function):
            raise UsageError(f"an encoder is a function of images, not {type(function).__name__}")
        self.function, self.takes, self.device = function, takes, torch.device(device)
        self.chunk = CHUNK["cpu" if self.device.type == "cpu" else "other"]
        self.whole = dataset.whole
        few = np.arange(min(2, len(self.whole)))
        first, _ = self.encode(few)
        super().__init__(dataset, first.shape[1], progress, disjoint=disjoint)
        self._mean[few], self._known[few] = first, True

    def encode(self, index: Index) -> Encoded:
        """Return the function's codes of images of the whole dataset."""
        images = self.whole.images(index)
        x = images.to(self.device) if self.takes == "uint8" else to_device(images, self.device)
        try:
            with torch.no_grad():
                found = self.function(x)
        except Exception as error:  # it is the user's own
            reason = str(error).strip().partition("\n")[0]
            raise DisentangleError(
                f"the encoder failed on images {list(x.shape)}, {x.dtype}: "
                f"{type(error).__name__}: {reason}"
            ) from error
        codes = as_codes(found, len(index))
        width = getattr(self, "_mean", codes).shape[1]
        if codes.shape[1] != width:
            raise UsageError(f"the encoder gives {codes.shape[1]} latents here, {width} before")
        return codes, None


def as_codes(found: Any, count: int) -> NDArray[np.float32]:
    """Return what an encoder gave for `count` images as [N, D], or say what is wrong with it."""
    if isinstance(found, torch.Tensor):
        found = found.detach().cpu()
        found = (found if found.is_complex() else found.float()).numpy()
    if isinstance(found, tuple | list | dict):
        raise UsageError(
            f"the encoder gives a {type(found).__name__}, and codes are one array [N, D]; wrap it "
            "in a function that picks them, such as lambda x: encoder(x)[0]"
        )
    codes = np.asarray(found)
    if codes.ndim != 2 or len(codes) != count or not codes.shape[1]:
        raise UsageError(f"the encoder gives {list(codes.shape)} for {count} images, not [N, D]")
    if codes.dtype.kind not in "fiub":
        raise UsageError(f"the encoder gives {codes.dtype}, not numbers")
    with np.errstate(over="ignore"):
        single = codes.astype(np.float32)
    if not np.isfinite(single).all():
        raise DisentangleError("the encoder gives codes that are not finite in single precision")
    return single


@contextmanager
def evaluating(function: Function, device: torch.device) -> Iterator[None]:
    """Put a module into evaluation mode on the device; back into its own mode afterwards."""
    if not isinstance(function, torch.nn.Module):
        yield
        return
    modes = {module: module.training for module in function.modules()}
    try:
        try:
            function.eval()
        except NotImplementedError:  # an exported program has one mode only
            modes = {}
        function.to(device)
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def load_encoder(reference: str) -> tuple[Function, str]:
    """Return the encoder that `module:attribute` or a file names, and what to call it in records.

    A file holds a TorchScript module, or an exported program (`.pt2`).

    Raises:
        UsageError: there is no such function.
        DisentangleError: the file cannot be loaded.
    """
    if reference.endswith(SUFFIXES) or os.path.exists(reference):
        path = Path(reference).expanduser()
        return _from_file(path), file_name(path)
    if not reference.partition(":")[2]:
        raise UsageError(
            f"'{reference}' names no encoder: module:attribute does, and the path of a TorchScript "
            f"file or exported program ({', '.join(SUFFIXES)})"
        )
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` does
    found = by_reference(reference)
    if not callable(found):
        raise UsageError(f"'{reference}' is a {type(found).__name__}, which cannot be called")
    return found, reference


def file_name(path: Path) -> str:
    """Return a file's name and a digest of its content."""
    with path.open("rb") as file:
        return f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"


def _from_file(path: Path) -> Function:
    if not path.is_file():
        raise DisentangleError(f"{path}: no such file")
    logging.disable(logging.CRITICAL)  # torch logs a traceback of its own
    try:
        if path.suffix == ".pt2":
            program: Any = torch.export.load(path)
            return cast(Function, program.module())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # TorchScript is on its way out
            script: Function = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
        return script
    except Exception as error:  # a wrong file fails in any way
        reason = str(error).strip().partition("\n")[0]
        raise DisentangleError(
            f"{path}: neither a TorchScript file nor an exported program: {reason}; weights alone, "
            "a state dict, are taken up by: disentangle import FILE --model MODEL --dataset DATASET"
        ) from error
    finally:
        logging.disable(logging.NOTSET)
