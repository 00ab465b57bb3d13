"""What a bug report needs: versions, devices, folders, datasets, and plugins with problems."""

import importlib.metadata
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

from disentangle._utils.files import cache_folder, data_folder
from disentangle._utils.versions import commit
from disentangle.contracts import registry
from disentangle.data.status import about, state
from disentangle.errors import DisentangleError

NEEDED = ("disentangle-bench", "torch", "numpy", "scipy", "scikit-learn", "pydantic", "typer")
OPTIONAL = ("lightgbm", "h5py", "ray", "tensorboard", "pandas")


def examine(data_dir: str | Path | None = None) -> dict[str, Any]:
    """Return what is known of this machine and installation, in sections.

    Args:
        data_dir: where datasets keep what they prepare; see `data_folder`.
    """
    return {
        "system": system(),
        "packages": {name: version(name) for name in (*NEEDED, *OPTIONAL)},
        "devices": devices(),
        "folders": {"data": folder(data_folder(data_dir)), "cache": folder(cache_folder())},
        "datasets": datasets(data_dir),
        "problems": problems(),
    }


def system() -> dict[str, str]:
    """Return the machine, its interpreter, and the commit that this runs from."""
    return {
        "platform": platform.platform(),
        "python": f"{platform.python_version()} ({sys.executable})",
        "commit": commit() or "none: not run from a source tree",
        "cores": str(os.cpu_count()),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set"),
        "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", "not set"),
    }


def version(name: str) -> str:
    """Return a distribution's version, or that it is not there."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed" + (" (optional)" if name in OPTIONAL else "")


def devices() -> dict[str, str]:
    """Return where training can run, by the names that `--device` takes."""
    import torch

    found = {"cpu": f"{torch.get_num_threads()} threads"}
    for number in range(torch.cuda.device_count()):
        about_it = torch.cuda.get_device_properties(number)
        found[f"cuda:{number}"] = f"{about_it.name}, {about_it.total_memory / 2**30:.0f} GiB"
    if torch.backends.mps.is_available():
        found["mps"] = "Apple's GPU"
    return found


def folder(path: Path) -> str:
    """Return a folder, what is wrong with it, and the space that it has."""
    there = next(place for place in (path, *path.parents) if place.exists())
    space = f"{shutil.disk_usage(there).free / 1e9:,.0f} GB free"
    if not os.access(there, os.W_OK):
        return f"{path}: not writable, {space}"
    return f"{path}: {space}" + ("" if there == path else ", does not exist yet")


def datasets(data_dir: str | Path | None) -> dict[str, str]:
    """Return what is here of each dataset."""
    found = {}
    for name in registry.datasets.entries:
        try:
            found[name] = state(name, about(name), data_dir)
        except DisentangleError as error:
            found[name] = f"broken: {error}"
    return found


def problems() -> list[str]:
    """Return what is wrong with plugins: names that two register, and what cannot be imported."""
    return list(dict.fromkeys(problem for _, problem in registry.check_imports() if problem))
