"""The command that trains a run again: it leads to the run from which it was made."""

import shlex

import numpy as np
import pytest

from disentangle.runs.named import load_run
from disentangle.runs.train_command import train_command

pytestmark = pytest.mark.usefixtures("strangers")
SHORT = ["--steps", "2", "--batch-size", "8", "--device", "cpu", "--no-figures"]


def trained(command, *words):
    code, out, err = command("train", *words, *SHORT)
    assert code == 0, err
    return load_run(out.strip())


@pytest.mark.parametrize(
    "words",
    [
        ["vae", "tiny"],
        ["beta-vae", "tiny", "--beta", "4", "--seed", "3", "--compile", "--clip", "0.5"],
        ["beta-vae", "tiny", "--beta-norm", "0.01", "--latents", "3"],
        ["vae", "tiny", "--hold-out", "0.25", "--hold-out-seed", "4"],
        ["vae", "tiny", "--hold-out", "side=1,x=2", "--factors", "x,y"],
        ["vae", "tiny", "--correlate", "side,-x+0.25=0.3", "--correlate", "side,y=0.2"],
        ["vae", "tiny-photos"],
        ["vae", "tiny", "--keep", "every:1", "--score-every", "1", "--metric", "mig:bins=5"],
        ["vae", "tiny", "--score-every", "2"],
    ],
    ids=" ".join,
)
def test_command_trains_the_same_run(command, monkeypatch, words):
    monkeypatch.setattr("torch.nn.Module.compile", lambda self: None)
    run = trained(command, *words)
    program, *again = shlex.split(train_command(run.record))
    assert program == "disentangle"
    code, out, err = command(*again, "--device", "cpu", "--no-figures")
    assert code == 0, err
    assert "already finished" in err
    assert load_run(out.strip()).path == run.path


def test_own_images_are_named_by_their_path(command, tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (16, 32, 32), np.uint8)
    np.savez(tmp_path / "my images.npz", images=images)
    run = trained(command, "vae", tmp_path / "my images.npz", "--image-size", "64")
    again = shlex.split(train_command(run.record))
    assert again[3] == str(tmp_path / "my images.npz")
    assert load_run(command(*again[1:], "--no-figures")[1].strip()).path == run.path


def test_preset_is_named_and_what_it_sets_is_not(run):
    settings = dict(run.record.settings)
    settings["network"] = settings["network"].model_copy(update={"origin": "preset"})
    record = run.record.model_copy(update={"settings": settings, "preset": "higgins2017"})
    command = train_command(record)
    assert "--preset higgins2017 --beta 2.0" in command
    assert "--network" not in command


@pytest.mark.parametrize(
    "change",
    [
        {"imported": "weights.pt"},
        {"model": "my.module:MyVAE"},
    ],
    ids=str,
)
def test_run_that_no_command_trains_has_none(run, change):
    assert train_command(run.record.model_copy(update=change)) is None
