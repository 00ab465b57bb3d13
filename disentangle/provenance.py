"""The record of a run that is about to start: what it is, on what, with which versions."""

import datetime
import importlib.metadata
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from disentangle import data, registry
from disentangle.device import device_name
from disentangle.options import Setting, normalised_forms
from disentangle.record import DatasetRecord, RunRecord, SettingRecord

if TYPE_CHECKING:
    import torch

    from disentangle.model import Model


def make_record(
    name: "str | type[Model]",
    kind: "type[Model]",
    settings: Mapping[str, Setting],
    recipe: Mapping[str, Setting],
    dataset: DatasetRecord,
    device: "torch.device",
    preset: str | None = None,
) -> RunRecord:
    """Return the record of a run that is about to start."""
    import torch

    values = {k: setting.value for k, setting in settings.items()}
    entry = registry.models.entry(name) if isinstance(name, str) else None
    return RunRecord(
        model=name if isinstance(name, str) else data.reference_of(kind),
        model_version=kind.version,
        network_version=registry.networks.load(values["network"]).version,
        distribution=f"{entry.distribution} {entry.version}" if entry else "none",
        supervision=kind.supervision,
        settings={k: SettingRecord(**vars(s)) for k, s in settings.items()},
        normalised=normalised_forms(kind, values, dataset.image_shape),
        training={k: SettingRecord(**vars(s)) for k, s in recipe.items()},
        preset=preset,
        dataset=dataset,
        device=device_name(device),
        threads=torch.get_num_threads(),
        packages=package_versions(),
        commit=commit(),
        started=now(),
    )


@cache
def package_versions() -> dict[str, str]:
    """Return the versions of what numbers depend on."""
    names = ("disentangle-bench", "torch", "numpy", "scipy", "scikit-learn")
    return {name: importlib.metadata.version(name) for name in names}


@cache
def commit() -> str | None:
    """Return the commit of the source tree that this package runs from, if it runs from one."""
    source = Path(__file__).parent.parent
    if not (source / ".git").exists():
        return None
    command = ["git", "-C", str(source), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip() or None


def made_by() -> str:
    """Return what made a table or a figure, and when: version, commit and day."""
    version = importlib.metadata.version("disentangle-bench")
    found = commit()
    return f"disentangle {version}{f' ({found})' if found else ''}, {now()[:10]}"


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
