"""What an external encoder is, for its record: where its code and its weights come from."""

import importlib.metadata
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch

from disentangle._utils.tensors import digest
from disentangle.contracts.external_encoder import ExternalEncoder
from disentangle.contracts.references import split_options
from disentangle.scoring.encoders import Function, file_name


def described(function: Function) -> ExternalEncoder:
    """A function or an object of Python as an encoder, with its qualified name."""
    kind = function if hasattr(function, "__qualname__") else type(function)
    return ExternalEncoder(function, {"reference": f"{kind.__module__}:{kind.__qualname__}"})


def full_origin(encoder: ExternalEncoder) -> dict[str, str]:
    """The origin of an encoder, with its library or Python file, and its weights, if not stated."""
    origin = dict(encoder.origin)
    if "file" not in origin:
        if "library" not in origin:
            origin |= code_of(origin.get("reference", ""))
        if "weights" not in origin and isinstance(encoder.function, torch.nn.Module):
            state = encoder.function.state_dict().items()
            tensors = {key: value for key, value in state if isinstance(value, torch.Tensor)}
            if not tensors:
                return origin
            with suppress(RuntimeError):  # quantised tensors have no bytes to read
                origin["weights"] = digest(tensors)[:16]
    return origin


def code_of(reference: str) -> dict[str, str]:
    """The installed package that `module:name` is of, with its version, or the Python file.

    Options may follow the name.
    """
    module = split_options(reference, "NAME")[0].rpartition(":")[0]
    file = Path(getattr(sys.modules.get(module), "__file__", None) or module).expanduser()
    if {"site-packages", "dist-packages"} & set(file.parts):
        for package in packages().get(module.partition(".")[0], ()):
            return {"library": f"{package} {importlib.metadata.version(package)}"}
    return {"code": file_name(file)} if file.is_file() else {}


@cache
def packages() -> Mapping[str, list[str]]:
    """Module -> the installed packages that it is of; this takes a second."""
    return importlib.metadata.packages_distributions()
