"""Contents of a bug report: versions, devices, folders, datasets, and plugins with problems."""

import importlib.metadata
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

from disentangle._utils.files import cache_folder, data_folder
from disentangle._utils.text import count
from disentangle._utils.versions import commit
from disentangle.contracts import registry
from disentangle.data.status import about, state
from disentangle.errors import DisentangleError

NEEDED = (
    "disentangle-bench",
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "scikit-learn",
    "pydantic",
    "typer",
)
OPTIONAL = (
    "lightgbm",
    "h5py",
    "ray",
    "submitit",
    "tensorboard",
    "mlflow-skinny",
    "wandb",
    "datasets",
    "pandas",
)


def examine(data_dir: str | Path | None = None) -> dict[str, Any]:
    """Examine this machine and installation; return the report's sections.

    Args:
        data_dir: folder of prepared datasets; see `data_folder`.
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
    """Describe the machine, the Python interpreter and the source tree's commit."""
    return {
        "platform": platform.platform(),
        "python": f"{platform.python_version()} ({sys.executable})",
        "commit": commit() or "none: not run from a source tree",
        "cores": str(os.cpu_count()),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set"),
        "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", "not set"),
    }


def version(name: str) -> str:
    """The version of a distribution, or a note that it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed" + (" (optional)" if name in OPTIONAL else "")


def devices() -> dict[str, str]:
    """The devices for training, by the names that `--device` accepts."""
    import torch

    descriptions = {"cpu": count(torch.get_num_threads(), "thread")}
    for number in range(torch.cuda.device_count()):
        gpu = torch.cuda.get_device_properties(number)
        descriptions[f"cuda:{number}"] = f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB"
    if torch.backends.mps.is_available():
        descriptions["mps"] = "Apple's GPU"
    return descriptions


def folder(path: Path) -> str:
    """Describe a folder: its path, problems and free space."""
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    space = f"{shutil.disk_usage(existing).free / 1e9:,.0f} GB free"
    if not os.access(existing, os.W_OK):
        return f"{path}: not writable, {space}"
    return f"{path}: {space}" + ("" if existing == path else ", does not exist yet")


def datasets(data_dir: str | Path | None) -> dict[str, str]:
    """The state of each dataset on this machine."""
    states = {}
    for name in registry.datasets.entries:
        try:
            states[name] = state(name, about(name), data_dir)
        except DisentangleError as error:
            states[name] = f"broken: {error}"
    return states


def problems() -> list[str]:
    """List the problems of plugins: ambiguous names and failed imports, each cause once."""
    return list(dict.fromkeys(problem for _, problem in registry.check_imports() if problem))
