"""Standard output holds results alone, whoever prints."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

CHATTY = """
import os, sys

print("imported")

def encode(x):
    print("batch", len(x))
    sys.stdout.write("more\\n")
    return x.flatten(1)[:, :3]

def low(x):
    os.write(1, b"from a library\\n")
    os.system("echo from a child")
    return x.flatten(1)[:, :3]
"""


@pytest.fixture
def chatty(tmp_path):
    """The arguments that score an encoder that prints."""
    (tmp_path / "chatty.py").write_text(CHATTY)
    labels = np.stack(np.meshgrid(range(4), range(4), indexing="ij"), -1).reshape(-1, 2)
    images = np.random.default_rng(0).integers(0, 255, (16, 32, 32), dtype=np.uint8)
    np.savez(tmp_path / "m.npz", images=images, factors=labels)
    return ["score", "--dataset", "./m.npz", "--metric", "mig", "--data-dir", "data", "--encoder"]


def test_what_an_encoder_prints_goes_to_standard_error(command, chatty):
    code, out, err = command(*chatty, "./chatty.py:encode", "--json")
    assert code == 0
    assert json.loads(out)["scores"].keys() == {"mig"}
    assert {"imported", "batch 16", "more"} <= set(err.splitlines())


def test_results_are_on_standard_output(command):
    assert "Usage: disentangle" in command("--help")[1]
    assert "mig" in command("list")[1]
    assert command("--version")[1].startswith("disentangle ")


def test_libraries_and_children_write_to_standard_error(chatty, tmp_path):
    call = [str(Path(sys.executable).parent / "disentangle"), *chatty, "./chatty.py:low", "--json"]
    done = subprocess.run(call, cwd=tmp_path, env={**os.environ}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["scores"].keys() == {"mig"}
    assert {"from a library", "from a child"} <= set(done.stderr.splitlines())


def test_closed_standard_output_is_said(command, monkeypatch, tmp_path):
    np.savez(tmp_path / "c.npz", codes=np.arange(60.0)[:, None], factors=np.arange(60)[:, None] % 2)
    monkeypatch.setattr(sys, "stdout", None)
    code, out, err = command("score", "--codes", "c.npz", "--metric", "mig")
    assert (code, out) == (0, "")
    assert "warning: standard output is closed" in err


def test_reader_that_stops_early_is_no_error(tmp_path):
    program = Path(sys.executable).parent / "disentangle"
    done = subprocess.run(
        ["bash", "-c", f"{program} list | head -1"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("Models   disentangle train MODEL DATASET\n", "")
