"""Files of weights: state dicts of torch and safetensors, read without executing anything."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from disentangle.data.file_kinds import kind_of, pickled_class, unusable
from disentangle.errors import DisentangleError

EXPECTED = (
    "expected a state dict, as written by `torch.save(model.state_dict(), ...)` or safetensors"
)


def read_state(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file by name, without executing anything in it."""
    if not path.is_file():
        raise DisentangleError(f"{path}: no such file")
    if problem := unusable(path):
        raise DisentangleError(f"cannot use {path} as weights: {problem}")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load

            return load(path.read_bytes())  # it opens no path that is not UTF-8
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a wrong file may raise anything
        raise DisentangleError(
            f"cannot use {path} as weights: {EXPECTED}, got {_kind(path)}"
        ) from error
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    items = content.items() if isinstance(content, Mapping) else ()
    tensors = {str(name): value for name, value in items if isinstance(value, Tensor)}
    if not tensors:
        kind = type(content).__name__
        raise DisentangleError(
            f"cannot use {path} as weights: {EXPECTED}, got a {kind} without named tensors"
        )
    return tensors


def _kind(path: Path) -> str:
    """Name what a file is that torch or safetensors cannot read as weights."""
    if name := pickled_class(path):
        return f"a pickle of {name.replace(' ', '.')}, which is never loaded"
    kind = kind_of(path)
    if kind != "a zip file":
        return kind or "something else"
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return "a damaged or truncated zip file"
    if any(name.endswith("/constants.pkl") for name in names):
        return "a TorchScript module"
    return "an npz file" if all(name.endswith(".npy") for name in names) else "a zip file"
