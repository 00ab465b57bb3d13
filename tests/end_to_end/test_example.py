"""The example package as its users get it: a wheel, installed, and run from the command line."""

import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "disentangle-example"
PAGE = (ROOT / "docs" / "plugins.md").read_text()
BLOCKS = re.findall(
    r'^```(?:python|toml) title="([^"]+)"\n(.*?)^```$', PAGE, re.DOTALL | re.MULTILINE
)
SHRINK = (
    ("--steps 1000", "--steps 3 --batch-size 8 --latents 3 --no-figures"),
    ("z-max-variance", "z-max-variance:votes=20,images=8,variances=200"),
    ("--metric mig", "--metric mig:samples=200"),
)
COMMANDS = re.findall(r"^\$ (disentangle (?:list|show|train|score|table).*)$", PAGE, re.MULTILINE)


def ran(folder, *words, **env):
    """Run a Python module; return what it printed, which is shown where it failed."""
    result = subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=folder,
        env={**os.environ, "COLUMNS": "120", **env},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The PYTHONPATH of a folder into which the package is installed from its wheel."""
    folder = tmp_path_factory.mktemp("example")
    build = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder]
    ran(folder, "pip", "wheel", *build, EXAMPLE)
    (wheel,) = folder.glob("disentangle_example-0.1.0-*.whl")
    options = ["--quiet", "--no-deps", "--no-index", "--target", folder / "site"]
    ran(folder, "pip", "install", *options, wheel)
    return os.pathsep.join(filter(None, [str(folder / "site"), os.environ.get("PYTHONPATH")]))


@pytest.mark.slow
def test_commands_on_the_page_run(path, tmp_path):
    printed = ""
    for line in COMMANDS:
        for large, small in SHRINK:
            line = line.replace(large, small)
        printed += ran(tmp_path, *shlex.split(line), PYTHONPATH=path)
    assert re.search(r"cyclical-vae +A VAE whose .*\(disentangle-example 0\.1\.0\)", printed)
    assert re.search(r"xy-squares +A red, .*\(disentangle-example 0\.1\.0\)", printed)
    assert "model cyclical-vae, from disentangle-example 0.1.0" in printed
    table = (tmp_path / "results" / "scores.md").read_text()
    assert "xy-squares" in table
    assert "| mig" in table
    assert "| z-max-variance" in table


@pytest.mark.slow
def test_package_passes_its_own_tests(path):
    out = ran(
        EXAMPLE, "pytest", "-q", "-rs", "-W", "error", "-p", "no:cacheprovider", PYTHONPATH=path
    )
    assert "failed" not in out
    reasons = {line.rpartition(": ")[2] for line in out.splitlines() if line.startswith("SKIPPED")}
    assert reasons <= {"the metric needs a Grid"}  # two cases of the audit have rows without a grid


@pytest.mark.parametrize("file", sorted({name for name, _ in BLOCKS}))
def test_code_on_the_page_is_the_package(file):
    text = (EXAMPLE / file).read_text()
    assert all(block in text for name, block in BLOCKS if name == file)


def test_page_shows_each_plugin_and_runs_each_command():
    shown = {name for name, _ in BLOCKS}
    assert {path.name for path in map(Path, shown)} >= {"model.py", "dataset.py", "metric.py"}
    assert [line.split()[1] for line in COMMANDS] == ["list", "show", "train", "score", "table"]


@pytest.mark.parametrize("file", ["model.py", "dataset.py", "metric.py"])
def test_leaf_is_short(file):
    lines = (EXAMPLE / "src" / "disentangle_example" / file).read_text().splitlines()
    assert len(lines) <= 60


@pytest.mark.skipif(not find_spec("ruff"), reason="ruff is not installed")
def test_package_is_formatted_and_linted():
    ran(EXAMPLE, "ruff", "format", "--check", "--no-cache", ".")
    ran(EXAMPLE, "ruff", "check", "--no-cache", ".")
    theirs = ["--config", ROOT / "pyproject.toml", "--ignore", "I"]  # which package is one's own
    ran(EXAMPLE, "ruff", "check", "--no-cache", *theirs, ".")


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("mypy"), reason="mypy is not installed")
def test_package_is_strictly_typed():
    config = ["--config-file", ROOT / "pyproject.toml", "--cache-dir", ROOT / ".mypy_cache"]
    ran(ROOT, "mypy", *config, EXAMPLE / "src", EXAMPLE / "tests")
