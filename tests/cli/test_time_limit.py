"""`--time-limit`, through the real command."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

import disentangle
from disentangle.runs.checkpoint import read_tensors
from disentangle.training.stopping import Interrupted
from disentangle.training.train import train

pytestmark = [pytest.mark.usefixtures("strangers"), pytest.mark.slow]
STEPS = 100_000


def run(folder, limit, *words):
    """Run a command with a time limit; its exit code, standard error, and seconds."""
    command = [sys.executable, "-m", "disentangle", *words, "--time-limit", f"{limit}s"]
    environment = {**os.environ, "COLUMNS": "300"}
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, env=environment
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr, time.monotonic() - began


def stop_at(step):
    def report(done, steps, entry):
        if done == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return report


def bits(tensor):
    return tensor.numpy().tobytes()  # a NaN, which stands for what is not known, equals itself


def checkpoint(path):
    """The tensors and the step of the checkpoint in a folder."""
    tensors, about = read_tensors(next(path.rglob("checkpoint.safetensors")))
    return tensors, about["step"]


def test_training_ends_in_time_and_goes_on_with_the_same_bits(tmp_path):
    words = ("train", "vae", "tiny", "--steps", str(STEPS), "--batch-size", "8", "--device", "cpu")
    limit = 20
    code, said, took = run(tmp_path, limit, *words)
    assert code == 75, said
    assert took < limit
    assert "error: stopped at the time limit, after step" in said
    _, step = checkpoint(tmp_path)
    assert step > 0
    path = next(tmp_path.rglob("run.json")).parent
    options = {"steps": STEPS, "batch_size": 8, "device": "cpu", "report": stop_at(step + 10)}
    with pytest.raises(Interrupted):
        train("vae", "tiny", results=tmp_path / "whole", **options)
    with pytest.raises(Interrupted):
        disentangle.resume(path, device="cpu", report=stop_at(step + 10))
    (limited, at), (whole, there) = checkpoint(path), checkpoint(tmp_path / "whole")
    assert at == there == step + 10
    assert limited.keys() == whole.keys()
    assert all(bits(limited[name]) == bits(whole[name]) for name in whole)


def test_sweep_ends_in_time_with_checkpoints(tmp_path):
    (tmp_path / "mine.toml").write_text(
        'pictures = false\n[[runs]]\nmodel = "vae"\ndataset = "tiny"\nbatch_size = 8\n'
        f"seeds = 3\nsteps = {STEPS}\n"
    )
    limit = 45
    code, said, took = run(tmp_path, limit, "sweep", "mine.toml", "--device", "cpu", "--jobs", "1")
    assert code == 75, said
    assert took < limit
    assert "0 of 1 configuration whole, 0 of 3 runs done, 3 left" in said
    assert checkpoint(tmp_path)[1] > 0
    assert len([*tmp_path.rglob("run.json")]) == 1  # one after another
    shutil.rmtree(tmp_path / "results")


def test_limit_that_comes_while_nothing_is_trained_says_so(tmp_path):
    (tmp_path / "slow.py").write_text(
        "import time\n"
        "from disentangle._utils import time_limit\n"
        "from disentangle.cli import app, stopping\n"
        "from disentangle.data import request\n"
        "stopping.process_start = time.time\n"
        "request.DatasetRequest.open = lambda *given: time.sleep(60)\n"
        "app.main()\n"
    )
    words = ("train", "vae", "tiny", "--time-limit", "3s")
    done = subprocess.run(
        [sys.executable, "slow.py", *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 75, done.stderr
    assert "stopped at the time limit of 3s; what is complete is kept" in done.stderr
    assert not (tmp_path / "results").exists()
