"""The package of iVAE and PCL: a third party's encoders of vectors, trained and scored."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "examples" / "identifiable-encoders"


def ran(folder: Path, *words: object) -> str:
    """Run a Python module with the package on its path; return what it printed."""
    path = os.pathsep.join(filter(None, [str(PACKAGE / "src"), os.environ.get("PYTHONPATH")]))
    result = subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.slow
def test_package_passes_its_own_tests():
    out = ran(PACKAGE, "pytest", "-q", "-W", "error", "-p", "no:cacheprovider")
    assert "6 passed" in out


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("ruff"), reason="ruff is not installed")
def test_package_is_formatted_and_linted():
    ran(PACKAGE, "ruff", "format", "--check", "--no-cache", ".")
    ran(PACKAGE, "ruff", "check", "--no-cache", ".")
    theirs = ["--config", ROOT / "pyproject.toml", "--ignore", "I"]  # which package is one's own
    ran(PACKAGE, "ruff", "check", "--no-cache", *theirs, ".")


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("mypy"), reason="mypy is not installed")
def test_package_is_strictly_typed():
    config = ["--config-file", ROOT / "pyproject.toml", "--cache-dir", ROOT / ".mypy_cache"]
    ran(ROOT, "mypy", *config, PACKAGE / "src", PACKAGE / "tests")
