"""The versions, the commit and the time that records and tables name."""

import datetime
import importlib.metadata
import subprocess
from functools import cache
from pathlib import Path

__version__ = "0.2.0"
"""Of this package, and so of the contract of plugins; `pyproject.toml` reads it here."""


@cache
def package_versions() -> dict[str, str]:
    """Return the versions of what numbers depend on."""
    names = ("disentangle-bench", "torch", "numpy", "scipy", "scikit-learn")
    return {name: importlib.metadata.version(name) for name in names}


@cache
def commit() -> str | None:
    """Return the commit of the source tree that this package runs from, if it runs from one."""
    source = Path(__file__).parents[2]
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
