"""Names of datasets: registered names, `module:attribute`, paths, and references to a collection.

A reference is `PREFIX:NAME[:OPTION=VALUE,...]`; its NAME may be a path, as in `hf:./cats.parquet`.
"""

import os
from dataclasses import replace
from pathlib import Path

from disentangle.contracts import registry
from disentangle.contracts.references import Reference, parse_reference


def reference_of(name: str) -> Reference | None:
    """The reference that a name is; None for any other name.

    A word without `=` is a split: `torchvision:MNIST:test` is `torchvision:MNIST:split=test`.
    """
    return parse_reference("collection", name, bare="split") if ":" in name else None


def is_path(name: str) -> bool:
    """True if the name is a path to images, or a reference to a path."""
    return inner_path(name) is not None


def path_of(name: str) -> Path | None:
    """The absolute path in a dataset's name; None if there is none."""
    path = inner_path(name)
    return None if path is None else Path(path).expanduser().resolve()


def with_path(name: str, path: str | Path) -> str:
    """The name with another path in it."""
    reference = reference_of(name)
    return str(path) if reference is None else str(replace(reference, name=str(path)))


def true_name(name: str) -> str:
    """The name up to case and to the order of options; a path is left as it is."""
    reference = reference_of(name)
    if reference is not None:
        return str(reference)
    return name if is_path(name) or ":" in name else registry.datasets.true_name(name)


def shown_name(name: str, path: Path | None = None) -> str:
    """The name for records, figures and messages, which holds the last part of a path alone.

    Args:
        name: any name of a dataset.
        path: the path where the images are now, if they have moved.
    """
    path = path or path_of(name)
    if path is None or not is_path(name):
        return true_name(name)
    # Names go into figures and folders of results; bytes that are not UTF-8 become escapes.
    return with_path(name, f"./{os.fsencode(path.name).decode(errors='backslashreplace')}")


def inner_path(name: str) -> str | None:
    """The path in a dataset's name, as it was given; None if there is none."""
    reference = reference_of(name)
    if reference is None:
        marked = "/" in name or os.sep in name or name.endswith(".npz") or name in (".", "..")
        return name if marked else None
    inner = reference.name
    starts = (".", "~", "/", os.sep)  # a name such as `ylecun/mnist` is no path
    return inner if inner.startswith(starts) or os.path.isabs(inner) else None
