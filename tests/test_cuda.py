"""Training on a GPU, where there is one: exact to resume, and the same when it is recorded."""

import signal

import pytest
import torch
from test_training import logged, stop_at, weights

from disentangle.errors import DisentangleError
from disentangle.experiment import train
from disentangle.training import Interrupted

pytestmark = [
    pytest.mark.usefixtures("strangers"),
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]
SMALL = {"batch_size": 16, "figures": False, "device": "cuda", "steps": 60}
MODELS = ["beta-vae", "factor-vae", "beta-tcvae", "dip-vae-i", "dip-vae-ii", "ada-gvae", "qlae"]


@pytest.mark.parametrize("options", [{}, {"compile": True}, {"precision": "bf16"}], ids=str)
@pytest.mark.parametrize("model", ["beta-vae", "factor-vae"])
def test_stopped_and_resumed_run_equals_one_that_was_not_stopped(model, options, tmp_path):
    whole = train(model, "tiny", results=tmp_path / "whole", **SMALL, **options)
    halves = {"results": tmp_path / "halves", **SMALL, **options}
    for step in (17, 43):
        with pytest.raises(Interrupted):
            train(model, "tiny", report=stop_at(step, signal.SIGTERM), **halves)
    again = train(model, "tiny", **halves)
    assert all(torch.equal(v, weights(again)[k]) for k, v in weights(whole).items())
    assert logged(again) == logged(whole)


@pytest.mark.parametrize("options", [{}, {"clip": 1.0}, {"optimizer": "adamw"}], ids=str)
@pytest.mark.parametrize("model", MODELS)
def test_recorded_step_is_the_step(model, options, tmp_path):
    plain = train(model, "tiny", results=tmp_path / "plain", **SMALL, **options)
    fast = train(model, "tiny", compile=True, results=tmp_path / "fast", **SMALL, **options)
    for name, value in weights(plain).items():
        torch.testing.assert_close(weights(fast)[name], value, rtol=1e-3, atol=5e-5)


@pytest.mark.parametrize("options", [{"model": "annealed-vae"}, {"kl_warmup": 10}], ids=str)
def test_loss_that_changes_with_the_step_is_not_recorded(options, tmp_path):
    wanted = {"model": "beta-vae", "dataset": "tiny", "compile": True, "results": tmp_path}
    with pytest.raises(DisentangleError, match="changes with the step"):
        train(**{**wanted, **SMALL, **options})


def test_optimiser_that_cannot_be_recorded_is_said(tmp_path):
    with pytest.raises(DisentangleError, match="choose adam or adamw"):
        train("vae", "tiny", optimizer="adagrad", compile=True, results=tmp_path, **SMALL)
