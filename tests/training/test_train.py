"""Training: exact to resume, safe to stop, and honest about failure."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
import torch
from helpers.training_runs import logged, stop_at, weights
from safetensors import SafetensorError

import disentangle
from disentangle._utils.device import choose_device
from disentangle._utils.seeds import derive
from disentangle.contracts import registry
from disentangle.contracts.common_options import Training
from disentangle.contracts.model import Batch
from disentangle.data.loading import load_dataset
from disentangle.errors import DisentangleError, UsageError
from disentangle.figures.traversals import draw_traversals
from disentangle.runs import checkpoint
from disentangle.training.batches import batches
from disentangle.training.checks import checked, term_sets
from disentangle.training.optimizers import make_optimizers, updating
from disentangle.training.stopping import Interrupted
from disentangle.training.train import train
from disentangle_plugins.models.vae import VAE

pytestmark = pytest.mark.usefixtures("strangers")
SMALL = {"batch_size": 8, "figures": False, "device": "cpu"}


@pytest.mark.parametrize(
    ("model", "options"),
    [
        pytest.param("beta-vae", {"kl_warmup": 12}, marks=pytest.mark.slow),
        pytest.param("duel", {}, marks=pytest.mark.slow),
        pytest.param("vae", {"optimizer": "adagrad", "precision": "bf16"}, marks=pytest.mark.slow),
        ("vae", {"optimizer": "adamw", "clip": 0.5}),
        ("factor-vae", {"clip_value": 0.01}),
        ("qlae", {"optimizer": "adamw", "weight_decay": 1.0}),  # two groups of parameters
        ("vae", {"correlate": ["side,x=0.3"]}),
        pytest.param("factor-vae", {"correlate": ["side,x=0.3"]}, marks=pytest.mark.slow),
        ("tripod", {"latents": 4}),
        ("bio-ae", {}),  # buffers
        ("nash-ae", {"latents": 4}),  # both of these, and an opponent
        # which factors differ in pairs, of a part that is no grid
        ("ml-vae", {"pairs": "locatello2020", "hold_out": ["side=2,x>=1"]}),
        ("slow-vae", {"kl_warmup": 9}),
        ("factor-qvae", {"lr_schedule": "cosine", "lr_steps": 19, "kl_warmup": 9}),
        pytest.param("dvae", {"cooling": 0.1}, marks=pytest.mark.slow),
        ("s2-beta-vae", {"labelled": 10}),  # turns of labelled images
        pytest.param("hfs-vae", {"scale_over": "batch"}, marks=pytest.mark.slow),
        pytest.param("jl1-vae", {"kl_warmup": 9, "latents": 4}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_stopped_and_resumed_run_equals_one_that_was_not_stopped(model, options, tmp_path):
    whole = train(model, "tiny", steps=23, results=tmp_path / "whole", **SMALL, **options)
    halves = {"steps": 23, "results": tmp_path / "halves", **SMALL, **options}
    for step in (7, 13):
        with pytest.raises(Interrupted):
            train(model, "tiny", report=stop_at(step), **halves)
    parts = train(model, "tiny", **halves)
    assert parts.path.name == whole.path.name
    assert logged(parts) == logged(whole)
    a, b = weights(whole), weights(parts)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_closed_terminal_stops_with_a_checkpoint_however_often_it_says_so(tmp_path):
    def hang_up(done, steps, entry):
        if done == 5:
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGHUP)

    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
    try:
        with pytest.raises(Interrupted, match="stopped after step 5") as stopped:
            train("vae", "tiny", steps=20, results=tmp_path, report=hang_up, **SMALL)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert stopped.value.exit_code == 129
    path = next(tmp_path.rglob("checkpoint.safetensors"))
    assert checkpoint.read_tensors(path)[1]["step"] == 5


def test_scheduler_that_repeats_its_signal_does_not_cost_the_checkpoint(tmp_path):
    def cancel(done, steps, entry):
        if done == 5:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted, match="stopped after step 5"):
        train("vae", "tiny", steps=20, results=tmp_path, report=cancel, **SMALL)
    path = next(tmp_path.rglob("checkpoint.safetensors"))
    assert checkpoint.read_tensors(path)[1]["step"] == 5


def test_nohup_outlives_the_terminal(tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        options = {"steps": 6, "report": stop_at(3, signal.SIGHUP), "results": tmp_path, **SMALL}
        assert train("vae", "tiny", **options).finished
    finally:
        signal.signal(signal.SIGHUP, before)


def test_run_that_died_between_checkpoints_goes_on_from_the_last(tmp_path):
    class Died(BaseException):
        pass

    def die(done, steps, entry):
        if done == 17:
            raise Died

    whole = train("vae", "tiny", steps=20, results=tmp_path / "whole", **SMALL)
    options = {"steps": 20, "results": tmp_path / "died", "checkpoint_every": 5, **SMALL}
    with pytest.raises(Died):
        train("vae", "tiny", report=die, **options)
    path = next((tmp_path / "died").rglob("run.json")).parent
    assert disentangle.load_run(path).log[-1]["step"] == 16
    again = disentangle.resume(path, figures=False, device="cpu")
    assert logged(again) == logged(whole)
    a, b = weights(whole), weights(again)
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_resume_of_a_finished_run_draws_nothing_and_needs_no_data(tmp_path, monkeypatch):
    said = []
    run = train("vae", "tiny", steps=3, results=tmp_path, **SMALL)
    monkeypatch.setattr(type(run), "_open", lambda self: pytest.fail("opened the dataset"))
    resumed = disentangle.resume(run.path, device="cpu", say=said.append)
    assert resumed.path == run.path
    assert said == [f"already finished: {run.path}"]
    assert not run.figures.exists()


def test_figures_that_were_declined_are_not_drawn_after_resuming(tmp_path):
    with pytest.raises(Interrupted):
        train("vae", "tiny", steps=9, results=tmp_path, report=stop_at(4), **SMALL)
    path = next(tmp_path.rglob("run.json")).parent
    run = disentangle.resume(path, device="cpu")
    assert run.finished
    assert not run.figures.exists()


def test_same_training_again_returns_the_finished_run(tmp_path):
    said = []
    first = train("vae", "tiny", steps=3, results=tmp_path, **SMALL)
    changed = first.checkpoint_path.stat().st_mtime_ns
    again = train("vae", "tiny", steps=3, results=tmp_path, say=said.append, **SMALL)
    assert again.path == first.path
    assert again.checkpoint_path.stat().st_mtime_ns == changed
    assert said == [f"already finished: {first.path}"]


@pytest.mark.parametrize(
    "options",
    [
        {"seed": 1},
        {"steps": 4},
        {"lr": 1e-3},
        {"beta": 5.0},
        {"latents": 3},
        {"kl_warmup": 2},
        {"clip": 1.0},
        {"clip_value": 1e-3},
        {"optimizer": "adamw", "weight_decay": 1.0},
    ],
    ids=str,
)
def test_another_configuration_is_another_run(options, tmp_path):
    base = {"steps": 3, "results": tmp_path, **SMALL}
    first = train("beta-vae", "tiny", **base)
    other = train("beta-vae", "tiny", **{**base, **options})
    assert first.path != other.path
    assert first.record.weights != other.record.weights


def test_default_given_by_hand_is_the_same_run(tmp_path):
    first = train("beta-vae", "tiny", steps=3, results=tmp_path, **SMALL)
    other = train("beta-vae", "tiny", steps=3, beta=4, seed=0, results=tmp_path, **SMALL)
    assert first.path == other.path


def test_options_that_came_later_leave_earlier_runs_what_they_were(tmp_path):
    first = train("beta-vae", "tiny", steps=3, results=tmp_path, **SMALL)
    record = json.loads((first.path / "run.json").read_text())
    for part, names in (
        ("settings", ["kl_warmup"]),
        ("training", ["clip", "clip_value", "compile", "weight_decay"]),
    ):
        for name in names:
            del record[part][name]
    (first.path / "run.json").write_text(json.dumps(record))
    earlier = disentangle.load_run(first.path).record
    assert earlier.id == first.record.id
    assert earlier.group == first.record.group  # one row of a table
    assert train("beta-vae", "tiny", steps=3, results=tmp_path, **SMALL).path == first.path
    assert disentangle.load_run(first.path).model.kl_warmup == 0


@pytest.mark.slow
def test_every_part_is_compiled_when_asked_for(tmp_path, monkeypatch):
    parts = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: parts.append(self))
    run = train("factor-vae", "tiny", steps=3, compile=True, results=tmp_path, **SMALL)
    assert len(parts) == 3  # encoder, decoder and discriminator
    parts.clear()
    other = train("factor-vae", "tiny", steps=3, results=tmp_path, **SMALL)
    assert not parts
    assert other.path != run.path
    assert list(weights(other)) == list(weights(run))


def test_compiler_that_fails_is_said(tmp_path, monkeypatch):
    from torch._dynamo.exc import TorchDynamoException

    def fail(self):
        raise TorchDynamoException("no C++ compiler\nand a long story")

    monkeypatch.setattr(torch.nn.Module, "compile", fail)
    with pytest.raises(DisentangleError, match=r"--compile failed: no C.. compiler; train without"):
        train("vae", "tiny", steps=3, compile=True, results=tmp_path, **SMALL)


def test_decay_and_clipping_are_torchs():
    model = torch.nn.Linear(2, 1, bias=False)
    model.opponent, model.undecayed = (lambda: None), (lambda: ())
    (optimizer,) = make_optimizers(model, Training(optimizer="adamw", lr=0.1, weight_decay=0.5))
    before = model.weight.detach().clone()
    model.weight.grad = torch.zeros_like(model.weight)
    optimizer.step()
    assert torch.allclose(model.weight, before * (1 - 0.1 * 0.5))


@pytest.mark.parametrize("limit", [0.0, 1e-2, 1e9])
def test_each_entry_of_the_gradient_is_clipped_before_the_step(limit):
    torch.manual_seed(0)
    model = registry.models.load("vae")(latents=2)
    model.build((1, 64, 64))
    training = Training(clip_value=limit)
    update = updating(model, make_optimizers(model, training), training, torch.device("cpu"))
    x = torch.rand(4, 1, 64, 64, generator=torch.Generator().manual_seed(1))

    def gradients(clip_value):
        rng = torch.Generator().manual_seed(2)
        batch = Batch(x=x, step=0, steps=1, dataset_size=4, rng=rng)
        loss = sum(term.loss for term in checked(term_sets(model.terms(batch)))[0].values())
        parts = torch.autograd.grad(loss, list(model.parameters()))
        return [part.clamp(-clip_value, clip_value) if clip_value else part for part in parts]

    expected = gradients(limit)
    unclipped = gradients(0.0)
    changed = any(not torch.equal(a, b) for a, b in zip(expected, unclipped, strict=True))
    assert changed == (limit == 1e-2)
    rng = torch.Generator().manual_seed(2)
    update(Batch(x=x, step=0, steps=1, dataset_size=4, rng=rng))
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


@pytest.mark.parametrize("name", ["beta-vae", "factor-vae", "qlae", "ae", "bio-ae", "nash-ae"])
def test_decay_leaves_out_what_the_model_names(name):
    model = registry.models.load(name)(latents=2)
    model.build((1, 64, 64))
    optimizer = make_optimizers(model, Training(optimizer="adamw", lr=0.1, weight_decay=0.5))[0]
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    shrunk = {
        name
        for name, p in model.named_parameters()
        if torch.allclose(p, before[name] * (1 - 0.1 * 0.5)) and bool(before[name].any())
    }
    kept = {name for name, p in model.named_parameters() if torch.equal(p, before[name])}
    assert shrunk | kept == set(before)
    if name == "qlae":
        assert kept == {k for k in before if k == "codebook" or k.endswith(".bias")}
    elif name in ("ae", "bio-ae"):
        assert kept == {k for k in before if k.endswith(".bias")}
    elif name == "nash-ae":
        assert kept == {k for k in before if k.endswith(".bias") or k.startswith("predictors.")}
    else:
        assert kept == {k for k in before if k.startswith("discriminator.")}


@pytest.mark.parametrize(
    ("model", "least"),
    [
        ("factor-vae", 4),
        ("factor-qvae", 4),
        ("factor-dvae", 4),
        ("beta-tcvae", 2),
        ("dip-vae-i", 2),
        ("dip-vae-ii", 2),
        ("tripod", 2),
        ("hfs-vae", 2),
        ("nash-ae", 2),
    ],
)
def test_batch_too_small_for_a_models_loss_is_refused(model, least, tmp_path):
    with pytest.raises(UsageError) as caught:
        train(model, "tiny", results=tmp_path, **{**SMALL, "batch_size": least - 1})
    assert str(caught.value) == (
        f"{model} needs batches of at least {least} images, as its loss compares the images of a "
        f"batch; got {least - 1}; use --batch-size {least} or more"
    )
    assert not list(tmp_path.iterdir())


def test_dataset_too_small_for_a_models_loss_is_refused(tmp_path):
    two = load_dataset("tiny").view(hold_out=["0.97"])
    assert len(two) == 2
    with pytest.raises(UsageError, match=r"factor-vae needs batches of at least 4 .* has only 2$"):
        train("factor-vae", two, results=tmp_path, **{**SMALL, "batch_size": 2})
    assert train("vae", two, steps=2, results=tmp_path, **{**SMALL, "batch_size": 2}).finished


@pytest.mark.parametrize("fused", [True, False])
def test_count_of_steps_goes_where_the_optimiser_reads_it(fused):
    there = torch.nn.Parameter(torch.zeros(2, device="meta"))
    optimizer = torch.optim.Adam([there], fused=False)
    optimizer.param_groups[0]["fused"] = fused  # torch refuses it on this device
    kept = {"0.step": torch.tensor(3.0), "0.exp_avg": torch.zeros(2)}
    checkpoint.restore_optimizer(optimizer, kept)
    state = optimizer.state[there]
    assert state["step"].device.type == ("meta" if fused else "cpu")
    assert state["exp_avg"].device.type == "meta"


def test_rise_of_the_kl_weight_is_said(tmp_path):
    said = []
    options = {"steps": 3, "results": tmp_path, "say": said.append, **SMALL}
    train("beta-vae", "tiny", kl_warmup=2, **options)
    assert "the weight of the KL term rises from 0 over 2 of 3 steps" in said
    assert not any("training ends before" in line for line in said)
    train("beta-vae", "tiny", kl_warmup=4, **options)
    assert any("warning: training ends before the warm-up" in line for line in said)
    said.clear()
    train("beta-vae", "tiny", **options)
    assert not any("rises" in line for line in said)


def test_finished_checkpoint_holds_weights_only(tmp_path):
    run = train("vae", "tiny", steps=3, results=tmp_path, **SMALL)
    assert {name.partition("/")[0] for name in weights(run)} == {"model"}


def test_loss_falls(tmp_path):
    run = train("beta-vae", "tiny", steps=60, lr=1e-3, results=tmp_path, **SMALL)
    losses = [sum(entry["terms"].values()) for entry in run.log]
    assert losses[-1] < losses[0] / 2


def test_log_has_terms_kl_of_each_latent_and_active_units(tmp_path):
    run = train("beta-vae", "tiny", steps=20, latents=4, results=tmp_path, **SMALL)
    assert [entry["step"] for entry in run.log] == list(range(2, 21, 2))
    entry = run.log[-1]
    assert set(entry["terms"]) == {"reconstruction", "kl"}
    assert len(entry["kl"]) == 4
    assert 0 <= entry["active"] <= 4
    assert (entry["spread"] > 0.01) == (entry["active"] > 0)


def test_opponent_learns_only_from_its_own_terms(tmp_path):
    run = train("duel", "tiny", steps=2, results=tmp_path, **SMALL)
    before, after = run.build().state_dict(), run.model.state_dict()
    assert not torch.equal(before["guesser.weight"], after["guesser.weight"])
    assert not torch.equal(before["decoder.0.weight"], after["decoder.0.weight"])


def test_loss_that_is_not_finite_stops_with_step_and_term_and_keeps_the_checkpoint(tmp_path):
    options = {"steps": 30, "results": tmp_path, "checkpoint_every": 2, **SMALL}
    with pytest.raises(DisentangleError, match="'kl' is not finite at step 6") as caught:
        train("exploding", "tiny", **options)
    assert "last good checkpoint is kept" in str(caught.value)
    path = next(tmp_path.rglob("checkpoint.safetensors"))
    tensors, about = checkpoint.read_tensors(path)
    assert about["step"] == 4
    assert all(t.isfinite().all() for k, t in tensors.items() if k.startswith("model/"))
    assert disentangle.load_run(path.parent).record.failed.startswith(
        "training of model 'exploding'"
    )


def test_full_disk_is_one_error_and_keeps_the_checkpoint_before(tmp_path, monkeypatch):
    def full(tensors, path, metadata):
        path.write_bytes(b"half")
        raise SafetensorError("No space left on device")

    def fill(done, steps, entry):
        if done == 12:
            monkeypatch.setattr(checkpoint, "save_file", full)

    options = {"steps": 30, "checkpoint_every": 5, "results": tmp_path, **SMALL}
    with pytest.raises(
        DisentangleError, match=r"cannot write the checkpoint .*No space left on device"
    ):
        train("vae", "tiny", report=fill, **options)
    (path,) = tmp_path.rglob("*.safetensors*")
    assert checkpoint.read_tensors(path)[1]["step"] == 10


def test_folder_that_is_removed_while_training_is_told(tmp_path):
    def remove(done, steps, entry):
        if done == 5:
            shutil.rmtree(next(tmp_path.rglob("run.json")).parent)

    options = {"steps": 9, "results": tmp_path, "checkpoint_every": 3, **SMALL}
    with pytest.raises(DisentangleError, match="the folder was removed while it was in use"):
        train("vae", "tiny", report=remove, **options)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda whole: whole[:-100], "the checkpoint is damaged"),
        (lambda whole: whole[:-100] + bytes([whole[-100] ^ 4]) + whole[-99:], "digest does not"),
        (lambda whole: b"", "the checkpoint is damaged"),
        (lambda whole: pickle.dumps({"model": 1}), "the checkpoint is damaged"),
        (
            lambda whole: whole.replace(b"disentangle-1", b"disentangle-9"),
            "format disentangle-1, got disentangle-9",
        ),
    ],
    ids=["cut", "bit", "empty", "pickle", "version"],
)
def test_checkpoint_that_is_not_whole_is_refused_and_left_as_it_is(damage, message, tmp_path):
    options = {"steps": 9, "results": tmp_path, **SMALL}
    with pytest.raises(Interrupted):
        train("vae", "tiny", report=stop_at(4), **options)
    path = next(tmp_path.rglob("checkpoint.safetensors"))
    path.write_bytes(damage(path.read_bytes()))
    damaged = path.read_bytes()
    with pytest.raises(DisentangleError, match=message):
        train("vae", "tiny", **options)
    assert path.read_bytes() == damaged


def test_missing_checkpoint_is_said_before_training_begins_again(tmp_path):
    said = []
    options = {"steps": 9, "results": tmp_path, **SMALL}
    with pytest.raises(Interrupted):
        train("vae", "tiny", report=stop_at(4), **options)
    next(tmp_path.rglob("checkpoint.safetensors")).unlink()
    run = train("vae", "tiny", say=said.append, **options)
    assert "there is no checkpoint: training restarts at the first step" in said
    assert [entry["step"] for entry in run.log] == list(range(1, 10))


def test_checkpoint_of_another_run_is_refused(tmp_path):
    paths = []
    for seed in (0, 1):
        with pytest.raises(Interrupted):
            train("vae", "tiny", steps=9, seed=seed, report=stop_at(5), results=tmp_path, **SMALL)
    paths = sorted(tmp_path.rglob("checkpoint.safetensors"))
    paths[0].write_bytes(paths[1].read_bytes())
    with pytest.raises(DisentangleError, match="expected the checkpoint of run"):
        disentangle.resume(paths[0].parent, figures=False)


def test_model_that_cannot_be_built_leaves_nothing_behind(tmp_path):
    with pytest.raises(DisentangleError, match=r"built with .* and latents=1000000000000"):
        train("vae", "tiny", latents=10**12, results=tmp_path, **SMALL)
    assert list(tmp_path.iterdir()) == []


class Picky(VAE):
    """It cannot be created with fewer than four latents."""

    def __post_init__(self):
        super().__post_init__()
        if self.latents < 4:
            raise ValueError("too few")


def test_model_that_cannot_be_created_leaves_nothing_behind(tmp_path):
    with pytest.raises(DisentangleError, match=r"built with .* and latents=3.*: too few"):
        train(Picky, "tiny", latents=3, results=tmp_path, **SMALL)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_pictures_of_an_unfinished_model_are_drawn_again_at_the_end(tmp_path):
    options = {"steps": 9, "results": tmp_path, **SMALL, "figures": True}
    with pytest.raises(Interrupted):
        train("vae", "tiny", report=stop_at(5), **options)
    path = next(tmp_path.rglob("run.json")).parent
    draw_traversals(disentangle.load_run(path))
    before = (path / "figures" / "traversals.png").read_bytes()
    run = train("vae", "tiny", **options)
    assert (run.figures / "traversals.png").read_bytes() != before


def test_trains_whatever_the_callers_torch_settings(tmp_path):
    expected = train("vae", "tiny", steps=2, results=tmp_path / "a", **SMALL).record.weights
    with torch.no_grad():
        run = train("vae", "tiny", steps=2, results=tmp_path / "b", **SMALL)
    assert run.record.weights == expected


def test_dataset_that_is_none_is_refused(tmp_path):
    with pytest.raises(UsageError, match="a name or an opened Dataset, got list"):
        train("vae", [1, 2], results=tmp_path, **SMALL)


def test_colons_in_the_results_folder_are_kept(tmp_path):
    run = train("vae", "tiny", steps=2, results=tmp_path / "a:b", **SMALL)
    assert run.path.is_relative_to(tmp_path / "a:b")


def test_bf16_trains(tmp_path):
    run = train("vae", "tiny", steps=3, precision="bf16", results=tmp_path, **SMALL)
    assert run.model.decoder[0].weight.dtype == torch.float32


def test_model_without_a_posterior_trains(tmp_path):
    run = train("plain-code", "tiny", steps=3, results=tmp_path, **SMALL)
    assert "kl" not in run.log[-1]


def test_likelihood_comes_from_the_dataset_unless_given(tmp_path):
    run = train("vae", "tiny-photos", steps=2, results=tmp_path, **SMALL)
    assert run.record.settings["likelihood"].model_dump() == {
        "value": "gaussian",
        "default": "bernoulli",
        "origin": "dataset",
    }


def test_record_says_beta_and_beta_norm(tmp_path):
    run = train("beta-vae", "tiny", steps=2, beta_norm=0.01, results=tmp_path, **SMALL)
    assert run.record.knobs["beta"] == pytest.approx(0.01 * 4096 / 10)
    assert run.record.normalised == {"beta_norm": pytest.approx(0.01)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps must be a whole number, at least 1; got 0"),
        ({"beta": float("nan")}, "beta must be a finite number, at least 0; got nan"),
        ({"lr": 0.0}, "lr must be a finite number, above 0"),
        ({"betta": 4.0}, "no option 'betta'; did you mean 'beta'"),
        ({"batch_size": 76}, "batch size 76 exceeds the 75 images of 'tiny'"),
        ({"network": "cnov"}, "no network 'cnov'; did you mean 'conv'"),
        ({"checkpoint_every": 0}, "checkpoint_every must be at least 1"),
        ({"device": "abacus"}, "no device 'abacus'"),
    ],
    ids=lambda x: str(x)[:30],
)
def test_bad_options_are_refused(options, message, tmp_path):
    with pytest.raises(UsageError) as caught:
        train("beta-vae", "tiny", results=tmp_path, **{**SMALL, "steps": 3, **options})
    assert message in str(caught.value)


def test_absent_device_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="device 'cuda' is not available"):
        choose_device("cuda")
    assert choose_device("auto").type in ("cpu", "mps")


def test_batches_of_an_epoch_hold_each_image_once():
    first = np.concatenate(list(batches(load_dataset("tiny"), 8, 0, 0, 9)))
    second = np.concatenate(list(batches(load_dataset("tiny"), 8, 0, 9, 18)))
    assert len(np.unique(first)) == len(first) == 72
    assert (first != second).any()


def test_batches_of_correlated_factors_are_drawn_by_weight():
    data = load_dataset("tiny").view(correlate=["side,x=0.00001"])
    drawn = data.labels(np.concatenate(list(batches(data, 8, 0, 0, 9))))
    assert {(int(side), int(x)) for side, x, _ in drawn} == {(0, 0), (1, 2), (2, 4)}


def test_order_of_uncorrelated_images_is_what_it_was():
    order = np.random.default_rng(derive(5, "order", 1)).permutation(75)
    (batch,) = batches(load_dataset("tiny"), 8, 5, 10, 11)  # the second of the second epoch
    assert (batch == order[8:16]).all()


def test_training_says_what_it_sees_of_correlated_images(tmp_path):
    lines = []
    options = {"steps": 1, "results": tmp_path, "say": lines.append, **SMALL}
    run = train("vae", "tiny", correlate="side,x=0.00001", **options)
    assert run.record.dataset.view == {"correlate": ("side,x=0.00001",)}
    assert (
        "correlated factors side,x=0.00001: training draws images by weight, effectively 15 of 75; "
        "scores are of uncorrelated images"
    ) in lines
    plain = train("vae", "tiny", **options)
    assert plain.path != run.path


def test_correlated_training_and_its_record_agree(tmp_path):
    options = {"steps": 2, "results": tmp_path, **SMALL}
    run = train("vae", "tiny", correlate=["side,x=0.3"], hold_out=["y=0"], **options)
    again = disentangle.load_run(run.path).dataset
    assert again.view_record == run.dataset.view_record
    assert (again.chances == run.dataset.chances).all()


def test_invalid_correlation_is_refused_before_the_dataset_is_opened(monkeypatch, tmp_path):
    monkeypatch.setattr("disentangle.data.request.load_dataset", None)
    for spec in ("pair-1", "side,x=0"):
        with pytest.raises(UsageError, match=f"--correlate {spec}"):
            train("vae", "tiny", correlate=[spec], results=tmp_path, **SMALL)
    assert not list(tmp_path.iterdir())


def test_batches_from_a_step_on_are_those_of_the_whole():
    data = load_dataset("tiny")
    for dataset in (data, data.view(correlate=["side,x=0.3"])):
        whole = list(batches(dataset, 8, 3, 0, 25))
        tail = list(batches(dataset, 8, 3, 11, 25))
        assert all((a == b).all() for a, b in zip(whole[11:], tail, strict=True))


def test_class_and_opened_dataset_train_without_being_registered(tmp_path):
    from strangers.dataset import Tiny
    from strangers.model import HalfVAE

    run = train(HalfVAE, Tiny(), steps=2, alpha=0.25, results=tmp_path, **SMALL)
    assert run.record.model == "strangers.model:HalfVAE"
    assert run.record.dataset.name == "strangers.dataset:Tiny"
    assert ":" not in str(run.path.relative_to(tmp_path))
    again = disentangle.load_run(run.path)
    assert again.model.alpha == 0.25
    with pytest.raises(DisentangleError, match=r"load_run\(path, dataset=\.\.\.\)"):
        _ = again.dataset
    assert disentangle.load_run(run.path, dataset=Tiny()).dataset.labels([0]).tolist() == [[0] * 3]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_signal_writes_a_checkpoint_and_sets_the_exit_code(number, code, tmp_path):
    command = [sys.executable, "-m", "disentangle", "train", "vae", "tiny", "--steps", "100000"]
    command += ["--batch-size", "8", "--device", "cpu", "--results", str(tmp_path)]
    listening = partial(signal.signal, number, signal.SIG_DFL)  # the tests may run under nohup
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=listening)
    deadline = time.monotonic() + 60
    while not any(p.stat().st_size for p in tmp_path.rglob("log.jsonl")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert "Run `disentangle resume" in said
    assert "Traceback" not in said
    path = next(tmp_path.rglob("checkpoint.safetensors"))
    _, about = checkpoint.read_tensors(path)
    last = json.loads((path.parent / "log.jsonl").read_text().splitlines()[-1])
    assert about["step"] >= last["step"]


def test_collapse_is_told_once_with_what_to_change(strangers, tmp_path, monkeypatch):
    monkeypatch.setattr("disentangle.training.monitor.PATIENCE", 5)
    said = []
    options = {"steps": 40, "batch_size": 8, "figures": False, "device": "cpu", "lr": 1e-2}
    train("beta-vae", "tiny", beta=1e5, results=tmp_path, say=said.append, **options)
    warnings = [line for line in said if line.startswith("warning: no latent is active")]
    assert len(warnings) == 1
    assert "no latent is active after" in warnings[0]
    assert (
        "smaller beta (now 100000, beta_norm 244), or --kl-warmup 4, or a smaller lr (now 0.01;"
        in warnings[0]
    )


def test_collapse_of_a_discrete_code_is_told_with_the_advice_of_its_model(
    strangers, tmp_path, monkeypatch
):
    monkeypatch.setattr("disentangle.training.monitor.PATIENCE", 5)
    said = []
    options = {"steps": 40, "batch_size": 8, "figures": False, "device": "cpu", "lr": 1e-1}
    train("qvae", "tiny", kl_weight=0, results=tmp_path, say=said.append, **options)
    (warning,) = [line for line in said if line.startswith("warning: no latent is active")]
    assert "if the KL is near its largest, latents times ln(values), try a larger" in warning
    assert "kl_warmup" not in warning


@pytest.mark.parametrize(
    ("spread", "told"),
    [
        (
            [1e-5, 1.3e-5],
            "variance of the means grew by a factor of 1.3 in 100 steps, so the model may recover; "
            "help",
        ),
        ([1e-5, 4e-5], "by a factor of 4 in 100 steps, so the model may recover; help"),
        ([4e-5, 1e-5], "and the variance of the means does not grow; help"),
        ([0.0, 1e-9], "and the variance of the means does not grow; help"),
        (
            [1e-5, 0.0],
            ", and the means are the same for all images (if the ReLUs are dead, training does "
            "not recover); help",
        ),
    ],
    ids=str,
)
def test_warning_says_whether_collapse_is_being_left(spread, told):
    from disentangle.training.monitor import watching

    said = []
    watched = watching(lambda *a: None, said.append, "help")
    for step, value in zip((900, 1000), spread, strict=True):
        watched(step, 10_000, {"step": step, "active": 0, "spread": value})
    assert len(said) == 1
    assert said[0].endswith(told)


def test_latents_that_live_bring_no_warning():
    from disentangle.training.monitor import watching

    said, seen = [], []
    watched = watching(lambda *a: seen.append(a), said.append, "help")
    for step in (1, 100, 2_000, 9_000):
        watched(step, 10_000, {"step": step, "active": 0 if step < 1_000 else 3, "spread": 1.0})
    assert not said
    assert len(seen) == 4
    watched(9_500, 10_000, None)
    watched(9_600, 10_000, {"step": 9_600, "active": 0, "spread": 0.0})
    watched(9_700, 10_000, {"step": 9_700, "active": 0, "spread": 0.0})
    assert len(said) == 1
