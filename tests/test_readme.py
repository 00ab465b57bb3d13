"""The README's commands and code run: on a tiny dataset, for a few steps."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from blocks import ROOT, blocks_of, shrunk

from disentangle.scoring import current_scores
from disentangle.tabling import load_all

README = (ROOT / "README.md").read_text()
BLOCKS = [(block.kind, block.text) for block in blocks_of(README)]


def test_shell_blocks_with_disentangle_run(strangers, tmp_path, command):
    """Those that need a shell through one; the others' commands, as each start takes seconds."""
    blocks = [shrunk(b) for kind, b in BLOCKS if kind == "sh" and "disentangle " in b]
    scripts = [b for b in blocks if "$(" in b]
    others = [b for b in blocks if "$(" not in b]
    assert (len(scripts), len(others)) == (2, 4)
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    shell = ["sh", "-eu", "-c", "".join(scripts)]
    result = subprocess.run(shell, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "mig 0." in result.stderr
    printed = ""
    for line in "".join(others).splitlines():
        code, out, err = command(*shlex.split(line, comments=True)[1:])
        assert code == 0, (line, err)
        printed += out
    assert "], corrected" in printed
    assert "mig [bins=40" in (tmp_path / "results" / "scores.md").read_text()


@pytest.mark.parametrize(
    "code", [b for kind, b in BLOCKS if kind == "python" and "import disentangle" in b]
)
def test_python_blocks_run(code, strangers, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(shrunk(code), "README.md", "exec"), {})
    assert "mig" in capsys.readouterr().out


def test_study_in_the_readme_is_one(strangers, tmp_path, command):
    (text,) = [b for kind, b in BLOCKS if kind == "toml" and "[[runs]]" in b]
    (tmp_path / "study.toml").write_text(shrunk(text))
    code, _, err = command("sweep", "study.toml", "--dry-run", "--device", "cpu")
    assert code == 0, err
    assert "study: 15 runs: 15 to begin" in err


def test_demo_runs_what_the_readme_says():
    demo = (ROOT / "benchmarks" / "demo.sh").read_text().splitlines()
    commands = [line for line in demo if "disentangle " in line and not line.startswith("#")]
    assert "\n".join(commands) in README


def test_leaf_in_the_readme_is_the_leaf():
    leaf = (ROOT / "plugins" / "disentangle_plugins" / "models" / "beta_vae.py").read_text()
    (shown,) = [b for kind, b in BLOCKS if kind == "python" and "class BetaVAE" in b]
    assert shown in leaf


def test_published_results_are_whole_and_small():
    runs, problems = load_all(ROOT / "results" / "quick")
    assert not problems
    assert len(runs) == 12
    assert all(run.finished and run.log and current_scores(run) for run in runs)
    published = subprocess.run(
        ["git", "ls-files", "-z", "results"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = [ROOT / name for name in published.stdout.split("\0") if name]
    assert not [file for file in files if file.suffix == ".safetensors"]
    assert sum(file.stat().st_size for file in files if file.exists()) < 30e6
