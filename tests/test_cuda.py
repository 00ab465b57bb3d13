"""Training on a GPU, where there is one: exact to resume, and the same when it is recorded."""

import signal

import pytest
import torch
from helpers.training_runs import logged, stop_at, weights

from disentangle._utils.seeds import initialising, numpy_rng
from disentangle.contracts import registry
from disentangle.contracts.common_options import Training
from disentangle.contracts.model import Batch
from disentangle.data.loading import load_dataset
from disentangle.errors import DisentangleError
from disentangle.training.batches import BatchLoader
from disentangle.training.loop import Interrupted, deterministic, make_optimizers, updating
from disentangle.training.train import train

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("strangers"),
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]
LR = 5e-4
SMALL = {"batch_size": 16, "figures": False, "device": "cuda", "steps": 60}
MODELS = ["beta-vae", "factor-vae", "beta-tcvae", "dip-vae-i", "dip-vae-ii", "ada-gvae", "qlae"]


@pytest.mark.parametrize("options", [{}, {"compile": True}, {"precision": "bf16"}], ids=str)
@pytest.mark.parametrize("model", ["beta-vae", "factor-vae", "qlae"])
def test_stopped_and_resumed_run_equals_one_that_was_not_stopped(model, options, tmp_path):
    whole = train(model, "tiny", results=tmp_path / "whole", **SMALL, **options)
    halves = {"results": tmp_path / "halves", **SMALL, **options}
    for step in (17, 43):
        with pytest.raises(Interrupted):
            train(model, "tiny", report=stop_at(step, signal.SIGTERM), **halves)
    again = train(model, "tiny", **halves)
    assert all(torch.equal(v, weights(again)[k]) for k, v in weights(whole).items())
    assert logged(again) == logged(whole)


def prepared(name, device, **options):
    """Return a model on a device, its optimisers, and the function that takes a step."""
    model = registry.models.load(name)()
    with initialising(0):
        model.build((1, 64, 64))
    model.to(device=device, memory_format=torch.channels_last).train()
    training = Training(lr=LR, **options)
    optimizers = make_optimizers(model, training)
    return model, optimizers, updating(model, optimizers, training, device)


def batch_of(model, dataset, step, rng):
    """Return the batch of a step, with noise that is the step's."""
    rng.manual_seed(step)
    index = numpy_rng(0, "images", step).permutation(len(dataset))[:16]
    pair = model.pair(dataset, index, numpy_rng(0, "pairs", step))
    feed = BatchLoader(dataset, rng.device)
    second = None if pair is None else feed(pair)
    about = {"steps": 60, "dataset_size": len(dataset), "rng": rng, "pair": second}
    return Batch(x=feed(index), step=step, **about)


@torch.no_grad()
def take_over(mine, theirs):
    """Give a model and its optimisers the state of others."""
    mine[0].load_state_dict(theirs[0].state_dict())
    for a, b in zip(mine[1], theirs[1], strict=True):
        ours, others = ([p for g in o.param_groups for p in g["params"]] for o in (a, b))
        for p, q in zip(ours, others, strict=True):
            a.state[p] = {k: v.clone() for k, v in b.state[q].items()}


def check_alike(plain, fast):
    """Refuse gradients that differ by more than roundings, and updates by well-known gradients.

    Where a gradient is next to nothing, its sign, and so the update by Adam, is one of roundings.
    Over many steps these grow a thousandfold: whole trainings are not to be compared.
    """
    for (name, p), q in zip(plain[0].named_parameters(), fast[0].parameters(), strict=True):
        if p.grad is None:
            assert q.grad is None, name
            continue
        size = p.grad.abs().max()
        assert (p.grad - q.grad).abs().max() <= 1e-4 * size, name
        known = p.grad.abs() > 0.01 * size
        assert ((p - q).abs()[known] <= 0.05 * LR).all(), name


def check_steps(model, options, device, *, recorded):
    """Refuse steps that differ, each from the same state, from those that are not recorded."""
    dataset = load_dataset("tiny")
    plain, fast = (prepared(model, device, compile=c, **options) for c in (False, recorded))
    rngs = torch.Generator(device), torch.Generator(device)
    with deterministic():
        for step in range(20):
            take_over(plain, fast)
            sets = [
                made[2](batch_of(made[0], dataset, step, rng))
                for made, rng in zip((plain, fast), rngs, strict=True)
            ]
            for mine, theirs in zip(*sets, strict=True):
                for name, term in mine.items():
                    torch.testing.assert_close(theirs[name], term, rtol=1e-4, atol=1e-4)
            check_alike(plain, fast)


@pytest.mark.parametrize("options", [{}, {"clip": 1.0}, {"optimizer": "adamw"}], ids=str)
@pytest.mark.parametrize("model", MODELS)
def test_recorded_step_is_the_step(model, options):
    check_steps(model, options, torch.device("cuda"), recorded=True)


@pytest.mark.parametrize("options", [{"model": "annealed-vae"}, {"kl_warmup": 10}], ids=str)
def test_loss_that_changes_with_the_step_is_not_recorded(options, tmp_path):
    wanted = {"model": "beta-vae", "dataset": "tiny", "compile": True, "results": tmp_path}
    with pytest.raises(DisentangleError, match="changes with the step"):
        train(**{**wanted, **SMALL, **options})


def test_optimiser_that_cannot_be_recorded_is_said(tmp_path):
    with pytest.raises(DisentangleError, match="use adam or adamw"):
        train("vae", "tiny", optimizer="adagrad", compile=True, results=tmp_path, **SMALL)
