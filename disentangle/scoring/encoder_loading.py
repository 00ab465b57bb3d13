"""Load an encoder by reference: of a plugin, a Python object, or a file with a network."""

import importlib.util
import logging
import os
import sys
import warnings
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any, cast

import torch

from disentangle.contracts import registry
from disentangle.contracts.entry_points import by_reference, explained
from disentangle.contracts.external_encoder import ExternalEncoder
from disentangle.contracts.references import Reference, parse_reference, split_options
from disentangle.data.file_kinds import kind_of, pickled_class
from disentangle.errors import DisentangleError, UsageError
from disentangle.nn.frozen import FrozenEncoder
from disentangle.runs.layout import RECORD
from disentangle.scoring.encoders import Function, file_name
from disentangle.scoring.exported_program import check_part, load_program

SUFFIXES = (".pt", ".pth", ".ts", ".pt2")
ARRAYS = (".npz", ".npy", ".csv", ".tsv", ".h5", ".hdf5")
EXPECTED = (
    "expected module:attribute, path/file.py:attribute, the path of a TorchScript file or "
    f"exported program ({', '.join(SUFFIXES)}), or PREFIX:NETWORK, such as "
    "torchvision:resnet18, with a prefix of `disentangle list encoders`"
)


def load_encoder(reference: str, *, download: bool = False) -> ExternalEncoder:
    """Load an encoder from a plugin's reference, a Python object, or a file with a network.

    A file whose suffix is the name of an encoder plugin is loaded by that plugin: `model.onnx` is
    `onnx:model.onnx`.

    Args:
        reference: `PREFIX:NAME` of a plugin, `module:attribute`, `path/file.py:attribute`, or the
            path of a TorchScript module or an exported program; options may follow, such as
            `:output=KEY,pool=mean`.
        download: whether weights may be downloaded.

    Raises:
        UsageError: there is no such encoder.
        DisentangleError: the file or the weights cannot be loaded.
    """
    words = [("weights", "none")]
    named = parse_reference("encoder", reference, words=words) or _of_suffix(reference)
    if named is not None:
        check_part(Path(named.name).expanduser())
        encoder = registry.encoders.load(named.prefix)(named, download=download)
        return replace(encoder, origin={"reference": str(named), **encoder.origin})
    name, options = reference, dict[str, str]()
    if not Path(reference).expanduser().exists():
        name, options = split_options(reference, "NAME")
    function, origin = _function(name)
    if not options:
        return ExternalEncoder(function, origin)
    Reference("", name, options).check_options("output", "pool")
    named_output = {key: str(Reference("", text, options)) for key, text in origin.items()}
    output, pool = (options.get(key, "") for key in ("output", "pool"))
    return ExternalEncoder(FrozenEncoder(function, output=output, pool=pool), named_output)


def _of_suffix(reference: str) -> Reference | None:
    """The reference to a file whose suffix is the name of an encoder plugin; else None."""
    name, options = split_options(reference, "FILE")
    suffix = Path(name).suffix[1:].lower()
    return (
        Reference(suffix, name, options, reference) if suffix in registry.encoders.entries else None
    )


def _function(reference: str) -> tuple[Function, dict[str, str]]:
    """The function that a reference without options names, and its origin for records."""
    path = Path(reference).expanduser()
    if reference.endswith(SUFFIXES) or path.exists():
        return _from_file(path), {"file": file_name(path)}
    module, _, attribute = reference.rpartition(":")
    if not module or not attribute:
        raise UsageError(f"'{reference}' does not name an encoder: {EXPECTED}")
    name, _, word = module.partition(":")
    if word.isidentifier():
        raise UsageError(
            f"'{reference}': options are written OPTION=VALUE, as in "
            f"`{name}:{word}:output={attribute}`"
        )
    if module.endswith(".py") or os.sep in module:
        encoder = _from_source(Path(module).expanduser(), attribute, reference)
    elif module.startswith("."):
        raise UsageError(f"'{reference}' is a relative import: {EXPECTED}")
    else:
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())  # as `python -m` does
        encoder = by_reference(reference, registry.encoders.entries)
    if isinstance(encoder, type):
        raise UsageError(
            f"expected a function or an object, but '{reference}' is a class: write "
            f"`encoder = {encoder.__name__}()` in a file, and give `--encoder FILE.py:encoder`"
        )
    if not callable(encoder):
        raise UsageError(f"'{reference}' must be callable, got type {type(encoder).__name__}")
    return encoder, {"reference": reference}


def _from_source(path: Path, attribute: str, reference: str) -> Any:
    """Import the attribute of a Python file, named with or without its suffix."""
    candidates = [path, Path(f"{path}.py"), path / "__init__.py"]
    file = next((c for c in candidates if c.suffix == ".py" and c.is_file()), None)
    if file is None:
        raise UsageError(f"'{reference}': no Python file {path if path.suffix else candidates[1]}")
    folder = str(file.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # as `python FILE` does, so that it can import its neighbours
    name = file.parent.resolve().name if file.name == "__init__.py" else file.stem
    loaded = sys.modules.get(name)
    if (
        loaded is not None
        and Path(getattr(loaded, "__file__", None) or "").resolve() != file.resolve()
    ):
        name = f"encoder_{name}"  # the plain name belongs to another module
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        return attrgetter(attribute)(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise UsageError(f"'{reference}' cannot be imported: {explained(error)}") from error


def _from_file(path: Path) -> Function:
    if not path.exists():
        raise DisentangleError(f"{path}: no such file")
    if (path / RECORD).exists():
        raise UsageError(
            f"{path}: a run, which `disentangle score {path}` scores; in Python, give the encoder "
            "of the loaded run, `run.encoder`"
        )
    if not path.is_file():
        raise DisentangleError(f"{path}: expected a file, got a folder")
    check_part(path)
    _check_kind(path)
    logging.disable(logging.CRITICAL)  # torch also logs a traceback
    try:
        if path.suffix == ".pt2":
            return cast(Function, load_program(path))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # TorchScript is deprecated
            script: Function = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
        return script
    except Exception as error:  # a wrong file may raise anything
        reason = str(error).strip().partition("\n")[0]
        raise DisentangleError(
            f"{path}: neither a TorchScript file nor an exported program: {reason}"
        ) from error
    finally:
        logging.disable(logging.NOTSET)


def _check_kind(path: Path) -> None:
    """Raise if a file is known not to be a network, with what to do instead."""
    if path.suffix == ".py":
        raise UsageError(f"{path}: add the name of the function or network, `{path}:NAME`")
    if path.suffix in ARRAYS:
        raise UsageError(
            f"{path} holds arrays: to score codes use `disentangle score --codes {path}`"
        )
    kind, pickled = kind_of(path), pickled_class(path)
    if pickled == "" or path.suffix == ".safetensors":
        raise DisentangleError(
            f"{path}: a state dict, which holds weights but no network. For a model of this "
            "package use `disentangle import FILE --model MODEL --dataset DATASET`; otherwise load "
            "it into your network in a Python file, and give `--encoder FILE.py:NAME`"
        )
    if pickled or kind == "a pickle":
        what = f"a pickled {pickled.rpartition(' ')[2]}" if pickled else "a pickle"
        raise DisentangleError(
            f"{path}: {what}, as `torch.save(model)` writes it; it needs your source and executes "
            "code, so it is not loaded from here. Load it in a Python file, "
            f"`net = torch.load('{path}', weights_only=False)`, and give `--encoder FILE.py:net`; "
            "or export the network by `torch.export.save` or `torch.jit.save`"
        )
    if kind and kind != "a zip file":
        raise DisentangleError(
            f"{path}: expected a TorchScript file or an exported program, got {kind}"
        )
