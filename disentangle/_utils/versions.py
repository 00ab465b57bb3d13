"""The versions, the commit and the time stored in records and tables."""

import datetime
import importlib.metadata
import subprocess
from functools import cache
from pathlib import Path

__version__ = "0.2.0"
"""The version of this package and of the plugin contract; `pyproject.toml` reads it here."""


@cache
def package_versions() -> dict[str, str]:
    """Return the versions of the packages that results depend on."""
    names = ("disentangle-bench", "torch", "numpy", "scipy", "scikit-learn")
    return {name: importlib.metadata.version(name) for name in names}


@cache
def commit() -> str | None:
    """Return the git commit of the source tree that this package runs from; None without git."""
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
    """Return the software and date for a table or a figure: version, commit and day."""
    version = importlib.metadata.version("disentangle-bench")
    revision = commit()
    return f"disentangle {version}{f' ({revision})' if revision else ''}, {now()[:10]}"


def now() -> str:
    """Return the current time in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
