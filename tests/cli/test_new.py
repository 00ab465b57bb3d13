"""`disentangle new`: complete packages, and names that are rejected."""

import ast
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from disentangle.cli.new import class_name, package
from disentangle.errors import UsageError

ROOT = Path(__file__).parents[2]
MADE = {"model": "new-vae", "dataset": "new-squares", "metric": "new-correlation"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a package of each kind."""
    folder = tmp_path_factory.mktemp("new")
    for kind, name in MADE.items():
        for path, text in package(kind, name):
            (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / name / path).write_text(text)
    return folder


def ran(folder, *words, **env):
    """Run a Python module and return its output; if it fails, the assertion shows the output."""
    result = subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.slow
def test_packages_pass_their_own_tests_once_installed(made):
    site = made / "site"
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--target", site]
    ran(made, "pip", "install", *options, *(f"./{name}" for name in MADE.values()))
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    config = [made / MADE["model"] / "pyproject.toml", "-W", "error"]
    out = ran(made, "pytest", "-q", "-c", *config, *MADE.values(), PYTHONPATH=path)
    assert "failed" not in out
    assert "skipped" not in out
    assert all((site / name.replace("-", "_") / "py.typed").exists() for name in MADE.values())


@pytest.mark.skipif(not find_spec("ruff"), reason="ruff is not installed")
def test_packages_are_formatted_and_linted(made):
    ran(made, "ruff", "format", "--check", "--no-cache", *MADE.values())
    ran(made, "ruff", "check", "--no-cache", *MADE.values())
    theirs = ["--config", ROOT / "pyproject.toml", "--ignore", "I"]  # which package is one's own
    ran(made, "ruff", "check", "--no-cache", *theirs, *MADE.values())


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("mypy"), reason="mypy is not installed")
def test_packages_are_strictly_typed(made):
    folders = [made / name / part for name in MADE.values() for part in ("src", "tests")]
    config = ["--config-file", ROOT / "pyproject.toml", "--cache-dir", ROOT / ".mypy_cache"]
    ran(ROOT, "mypy", *config, *folders)


def test_command_writes_the_package_and_says_what_is_next(command, tmp_path):
    code, out, _ = command("new", "model", "new-vae")
    assert code == 0
    assert "pip install -e './new-vae[test]'" in out
    assert "disentangle train new-vae dsprites" in out
    assert "class NewVAE(Model)" in (tmp_path / "new-vae/src/new_vae/model.py").read_text()
    project = (tmp_path / "new-vae/pyproject.toml").read_text()
    assert 'new-vae = "new_vae.model:NewVAE"' in project


@pytest.mark.parametrize("there", ["file", "folder"])
def test_nothing_is_overwritten(command, tmp_path, there):
    path = tmp_path / "new-vae"
    path.mkdir() if there == "folder" else path.write_text("mine")
    code, _, err = command("new", "model", "new-vae")
    assert code == 1
    assert "new-vae already exists and is not overwritten" in err
    assert path.read_text() == "mine" if there == "file" else not list(path.iterdir())


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("model", "beta-vae", "model 'beta-vae' already exists in disentangle-bench 0"),
        ("model", "twin", "already exists in strangers 3.1 and twins 0.2"),
        ("model", "My_VAE", "for example 'my-vae'"),
        ("model", "3d-vae", "for example 'd-vae'"),
        ("model", "../vae", "for example 'vae'"),
        ("model", "vae-", "starting with a letter, for example 'vae'"),
        ("metric", "é", "is not a valid plugin name: use lower-case letters"),
        ("metric", "lambda", "already has a meaning in Python"),
        ("metric", "float", "already has a meaning in Python"),
        ("dataset", "grid", "in the generated file of a dataset"),
        ("metric", "random", "a module or package 'random' already exists"),
        ("model", "disentangle-bench", "a module or package 'disentangle-bench' already exists"),
    ],
)
def test_names_that_would_not_do_are_refused(strangers, command, tmp_path, kind, name, message):
    code, _, err = command("new", kind, name)
    assert code == 2
    assert message in " ".join(err.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "expected"),
    [("beta-vae", "BetaVAE"), ("beta-tcvae", "BetaTCVAE"), ("info-gan", "InfoGAN"), ("mcc", "MCC")],
)
def test_classes_are_called_like_the_papers(name, expected):
    assert class_name(name) == expected


@pytest.mark.parametrize("kind", MADE)
def test_no_name_is_taken_for_one_that_the_file_imports(kind):
    files = {path.name: text for path, text in package(kind, MADE[kind])}
    found = ast.walk(ast.parse(files[f"{kind}.py"]))
    names = {a.name for node in found if isinstance(node, ast.ImportFrom) for a in node.names}
    for name in {n.lower() for n in names if class_name(n.lower()) == n or n == n.lower()}:
        with pytest.raises(UsageError):
            next(package(kind, name))
