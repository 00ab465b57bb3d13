"""Training on a GPU, where there is one: exact to resume, and the same when it is recorded."""

import signal

import pytest
import torch
from helpers.training_runs import logged, stop_at, weights

from disentangle._utils.seeds import initialising
from disentangle.contracts import registry
from disentangle.contracts.common_options import Training
from disentangle.data.loading import load_dataset
from disentangle.errors import DisentangleError
from disentangle.runs.run import read_run
from disentangle.studies.local_executor import Local
from disentangle.studies.plan import load_plan
from disentangle.training.batches import BatchLoader, batches
from disentangle.training.history import History
from disentangle.training.loop import deterministic
from disentangle.training.optimizers import make_optimizers, updating
from disentangle.training.recorded_steps import RecordedSteps, own_stream, require_recordable
from disentangle.training.resident import ResidentImages, free_bytes
from disentangle.training.steps import BlockReader, EagerSteps
from disentangle.training.stopping import Interrupted
from disentangle.training.train import train

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("strangers"),
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]
LR = 5e-4
NONE: dict = {}
SMALL = {"batch_size": 16, "figures": False, "device": "cuda", "steps": 60}
ONE = """
[[runs]]
model = "vae"
dataset = "tiny"
batch_size = 16
compile = true
steps = {steps}
lr = {lr}
"""
MODELS = [
    "beta-vae",
    "factor-vae",
    "beta-tcvae",
    "dip-vae-i",
    "dip-vae-ii",
    "ada-gvae",
    "qlae",
    "tripod",
]
MODELS += ["ada-ml-vae", "gvae", "ml-vae", "slow-vae"]
MODELS += ["qvae", "dvae", "factor-qvae", "factor-dvae"]
MODELS += ["hfs-vae", "jl1-vae", "nash-ae"]


@pytest.mark.parametrize("options", [{}, {"compile": True}, {"precision": "bf16"}], ids=str)
@pytest.mark.parametrize("model", ["beta-vae", "factor-vae", "qlae", "factor-qvae"])
def test_stopped_and_resumed_run_equals_one_that_was_not_stopped(model, options, tmp_path):
    whole = train(model, "tiny", results=tmp_path / "whole", **SMALL, **options)
    halves = {"results": tmp_path / "halves", **SMALL, **options}
    for step in (17, 43):
        with pytest.raises(Interrupted):
            train(model, "tiny", report=stop_at(step, signal.SIGTERM), **halves)
    again = train(model, "tiny", **halves)
    assert all(torch.equal(v, weights(again)[k]) for k, v in weights(whole).items())
    assert logged(again) == logged(whole)


def prepared(name, device, make, *, every, knobs, **options):
    """Return a model on a device, its optimisers, and what takes its steps."""
    dataset = load_dataset("tiny")
    model = registry.models.load(name)(**knobs)
    with initialising(0):
        model.build(dataset.image_shape)
    model.to(device=device, memory_format=torch.channels_last).train()
    training = Training(lr=LR, batch_size=16, steps=60, **options)
    optimizers = make_optimizers(model, training)
    update = updating(model, optimizers, training, device)
    feed = BatchLoader(dataset, device, resident=True)
    return model, optimizers, make(update, History(every, device), feed, training)


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


def check_steps(model, options, device, record, knobs=NONE):
    """Refuse steps that differ, each from the same state, from those that are not recorded.

    Args:
        record: makes what takes the recorded steps, one per graph.
    """
    made = [
        prepared(model, device, m, every=1, knobs=knobs, **options) for m in (EagerSteps, record)
    ]
    plain, fast = made
    readers = [reader(one[0]) for one in made]
    require_recordable([*plain[1], *fast[1]])  # both keep their state on the device
    with deterministic():
        for step in range(20):
            take_over(plain, fast)
            sets = [one[2].take(read(step, 1)) for one, read in zip(made, readers, strict=True)]
            for mine, theirs in zip(*sets, strict=True):
                for name, term in mine.items():
                    torch.testing.assert_close(theirs[name].loss, term.loss, rtol=1e-4, atol=1e-4)
            check_alike(plain, fast)


def reader(model):
    """Return what reads the blocks of a training on the tiny dataset."""
    dataset = load_dataset("tiny")
    return BlockReader(model, dataset, batches(dataset, 16, 0, 0, 60), 0)


def recorded(*arguments):
    """Return steps that are recorded one by one."""
    return RecordedSteps(*arguments, 1)


@pytest.mark.parametrize(
    "options", [{}, {"clip": 1.0, "clip_value": 1.0}, {"optimizer": "adamw"}], ids=str
)
@pytest.mark.parametrize("model", MODELS)
def test_recorded_step_is_the_step(model, options):
    device = torch.device("cuda")
    with own_stream(Training(compile=True), device):
        check_steps(model, options, device, recorded)


@pytest.mark.parametrize(
    ("model", "knobs"),
    [
        ("annealed-vae", {"rise": 10}),
        ("beta-vae", {"kl_warmup": 10}),
        ("s2-beta-vae", {"labelled": 10}),
        ("hfs-vae", {"combinations": 0, "scale_over": "batch"}),
    ],
)
def test_loss_that_changes_with_the_step_or_reads_more_is_recorded(model, knobs):
    device = torch.device("cuda")
    with own_stream(Training(compile=True), device):
        check_steps(model, {}, device, recorded, knobs)


@pytest.mark.parametrize("model", ["beta-vae", "factor-vae", "annealed-vae"])
def test_run_that_stops_within_a_block_ends_with_the_same_bits(model, tmp_path):
    options = {**SMALL, "compile": True}
    whole = train(model, "tiny", results=tmp_path / "whole", **options)
    with pytest.raises(Interrupted):
        train(
            model,
            "tiny",
            results=tmp_path / "parts",
            checkpoint_every=7,  # no multiple of the six steps of a block
            report=stop_at(7, signal.SIGTERM),
            **options,
        )
    again = train(model, "tiny", results=tmp_path / "parts", **options)
    assert all(torch.equal(v, weights(again)[k]) for k, v in weights(whole).items())
    assert logged(again) == logged(whole)


def sweep_of(tmp_path, extra=""):
    """Plan four seeds of beta-VAE with recorded steps."""
    file = tmp_path / "many.toml"
    file.write_text(
        'pictures = false\n[[runs]]\nmodel = "beta-vae"\ndataset = "tiny"\nbatch_size = 16\n'
        f"compile = true\nsteps = 60\nseeds = 4\n{extra}"
    )
    return load_plan(file, results=tmp_path / "together", device="cuda").jobs


def kinds_of(events):
    return [event.kind for event in events if event is not None]


def test_several_together_equal_each_alone(tmp_path):
    jobs = sweep_of(tmp_path)
    assert kinds_of(Local(together=4).run(jobs, "cuda")).count("done") == 4
    for seed, job in enumerate(jobs):
        alone = train(
            "beta-vae", "tiny", results=tmp_path / "alone", seed=seed, compile=True, **SMALL
        )
        together = read_run(job.path)
        assert all(torch.equal(v, weights(together)[k]) for k, v in weights(alone).items())
        assert logged(together) == logged(alone)


def test_several_that_are_stopped_continue_to_the_same_bits(tmp_path):
    jobs = sweep_of(tmp_path, ONE.format(steps=20_000, lr=LR))
    events = Local(together=5).run(jobs, "cuda")
    seen = []
    for event in events:
        seen.append(event)
        log = jobs[-1].path / "log.jsonl"
        if log.exists() and log.read_text():
            break
    events.close()
    assert jobs[-1].state() == "unfinished"
    assert kinds_of(Local(together=5).run(jobs, "cuda")).count("done") >= 1
    alone = train(
        "vae",
        "tiny",
        results=tmp_path / "alone",
        compile=True,
        lr=LR,
        **{**SMALL, "steps": 20_000},
    )
    together = read_run(jobs[-1].path)
    assert all(torch.equal(v, weights(together)[k]) for k, v in weights(alone).items())


def test_one_that_fails_ends_no_other(tmp_path):
    jobs = sweep_of(tmp_path, ONE.format(steps=60, lr=1e30))
    kinds = kinds_of(Local(together=5).run(jobs, "cuda"))
    assert (kinds.count("done"), kinds.count("failed")) == (4, 1)


def test_optimiser_that_cannot_be_recorded_is_said(tmp_path):
    with pytest.raises(DisentangleError, match="use adam or adamw"):
        train("vae", "tiny", optimizer="adagrad", compile=True, results=tmp_path, **SMALL)


def test_loss_that_branches_on_the_step_is_refused(tmp_path):
    class Branching(registry.models.load("vae")):
        def terms(self, batch):
            return super().terms(batch) if batch.step >= 0 else {}

    with pytest.raises(DisentangleError, match=r"not branch on it"):
        train(Branching, "tiny", compile=True, results=tmp_path, **SMALL)


@pytest.mark.parametrize("dataset", ["tiny"])
def test_images_on_the_gpu_are_the_images(dataset):
    images = load_dataset(dataset)
    rows = torch.arange(len(images))
    device = torch.device("cuda")
    lying = ResidentImages(images, device, free_bytes(device))(rows.to(device))
    assert torch.equal(lying.cpu(), images.images(rows) / 255)
