"""Recorded steps are the steps: on a CPU, where a replay calls the recorded function."""

import numpy as np
import pytest
import torch

from disentangle._utils.seeds import initialising
from disentangle.contracts import registry
from disentangle.contracts.common_options import Training
from disentangle.contracts.model import Batch
from disentangle.data.loading import load_dataset
from disentangle.errors import DisentangleError
from disentangle.training.batches import BatchLoader, batches
from disentangle.training.history import History
from disentangle.training.optimizers import make_optimizers, updating
from disentangle.training.recorded_steps import (
    LONGEST,
    WARM,
    RecordedSteps,
    require_recordable,
    steps_per_graph,
)
from disentangle.training.steps import BlockReader, EagerSteps

CPU = torch.device("cpu")
STEPS, EVERY = 24, 4
TRAINING = Training(lr=1e-3, batch_size=4, steps=STEPS)


class Captures:
    """Records nothing: a replay calls the function, and both are counted."""

    def __init__(self):
        self.captured = self.replayed = 0

    def __call__(self, run, generators):
        self.captured += 1

        def replay():
            self.replayed += 1
            run()

        return replay


def trained(
    make, model="beta-vae", *, resident=True, start=0, training=TRAINING, correlate=(), **knobs
):
    """Take all steps; return the weights and the history."""
    data = load_dataset("tiny").view(correlate=correlate)
    made = registry.models.load(model)(latents=3, **knobs)
    with initialising(0):
        made.build(data.image_shape)
    made.train()
    update = updating(made, make_optimizers(made, training), training, CPU)
    history = History(EVERY, CPU)
    steps = make(update, history, BatchLoader(data, CPU, resident=resident), training)
    read = BlockReader(made, data, batches(data, 4, 0, start, STEPS), 0)
    done = start
    while done < STEPS:
        block = read(done, steps.block_length(done, STEPS))
        sets = steps.take(block)
        done += len(block)
    return made.state_dict(), history.means(sets, done)


def recorded(captures):
    return lambda *arguments: RecordedSteps(*arguments, EVERY, captures)


@pytest.mark.usefixtures("strangers")
@pytest.mark.parametrize("resident", [True, False])
@pytest.mark.parametrize(
    ("model", "knobs"),
    [
        ("beta-vae", {}),
        ("factor-vae", {}),
        ("ada-gvae", {}),
        ("ml-vae", {}),
        ("slow-vae", {}),
        ("annealed-vae", {"rise": 12}),
        ("factor-qvae", {}),
        ("hfs-vae", {}),
        ("jl1-vae", {"kl_warmup": 12}),
        ("nash-ae", {}),
        ("s2-beta-vae", {"labelled": 10}),
    ],
)
def test_recorded_steps_are_the_steps(model, knobs, resident):
    captures = Captures()
    eager = trained(EagerSteps, model, resident=resident, **knobs)
    weights, means = trained(recorded(captures), model, resident=resident, **knobs)
    assert (captures.captured, captures.replayed) == (1, STEPS // EVERY - 1)
    exact = {"rtol": 0, "atol": 0} if not knobs else {"rtol": 1e-3, "atol": 1e-5}
    torch.testing.assert_close(weights, dict(eager[0]), **exact)
    assert means["terms"] == pytest.approx(eager[1]["terms"], rel=1e-5 if knobs else 0, abs=0)


@pytest.mark.usefixtures("strangers")
@pytest.mark.parametrize("resident", [True, False])
@pytest.mark.parametrize("make", [EagerSteps, lambda *parts: recorded(Captures())(*parts)])
def test_model_is_given_the_factors_that_differ_in_each_pair(make, resident):
    data, seen = load_dataset("tiny"), []
    model = registry.models.load("ml-vae")(changes=0)
    steps = make(
        lambda batch: seen.append(batch.changed.clone()) or (),
        History(EVERY, CPU),
        BatchLoader(data, CPU, resident=resident),
        TRAINING,
    )
    read = BlockReader(model, data, batches(data, 4, 0, 0, STEPS), 0)
    expected = []
    while len(seen) < STEPS:
        block = read(len(seen), steps.block_length(len(seen), STEPS))
        for index, pair in zip(block.indices, block.pairs, strict=True):
            expected.append(data.labels(index) != data.labels(pair))
        steps.take(block)
    assert torch.equal(torch.stack(seen), torch.from_numpy(np.stack(expected)))
    assert 0 < np.mean(expected) < 1


@pytest.mark.usefixtures("strangers")
def test_only_models_that_read_them_are_given_the_factors_that_differ():
    data = load_dataset("tiny")
    model = registry.models.load("ada-ml-vae")()
    block = BlockReader(model, data, batches(data, 4, 0, 0, STEPS), 0)(0, 2)
    assert block.pairs is not None
    assert block.changed is None


@pytest.mark.usefixtures("strangers")
def test_recorded_steps_of_correlated_factors_are_the_steps():
    options = {"model": "factor-vae", "correlate": ["side,x=0.3"]}
    eager = trained(EagerSteps, **options)[0]
    weights = trained(recorded(Captures()), **options)[0]
    assert all(torch.equal(w, eager[k]) for k, w in weights.items())
    plain = trained(EagerSteps, model="factor-vae")[0]
    assert any(not torch.equal(w, eager[k]) for k, w in plain.items())


@pytest.mark.usefixtures("strangers")
def test_learning_rates_fall_in_recorded_steps_too():
    falling = {"lr": 1e-2, "batch_size": 4, "steps": STEPS, "lr_schedule": "cosine"}
    training = Training(**falling, lr_steps=16, lr_end=1e-3)
    eager = trained(EagerSteps, "factor-vae", training=training)[0]
    weights = trained(recorded(Captures()), "factor-vae", training=training)[0]
    torch.testing.assert_close(weights, dict(eager), rtol=1e-3, atol=1e-5)
    constant = trained(
        EagerSteps, "factor-vae", training=Training(**{**falling, "lr_schedule": "constant"})
    )
    assert not torch.equal(constant[0]["encoder.0.weight"], eager["encoder.0.weight"])


@pytest.mark.usefixtures("strangers")
def test_start_within_a_block_is_taken_up_to_its_end_first():
    captures = Captures()
    eager = trained(EagerSteps, start=6)[0]
    assert all(torch.equal(w, eager[k]) for k, w in trained(recorded(captures), start=6)[0].items())
    # Steps 6 and 7, then 8 to 11, warm up; 12 to 15, 16 to 19 and 20 to 23 are replayed.
    assert captures.replayed == 3


@pytest.mark.usefixtures("strangers")
def test_no_block_passes_the_given_step():
    data = load_dataset("tiny")
    steps = RecordedSteps(
        lambda batch: (), History(10, CPU), BatchLoader(data, CPU), TRAINING, 10, Captures()
    )
    assert [steps.block_length(step, 17) for step in (0, 3, 10, 16)] == [10, 7, 7, 1]


@pytest.mark.parametrize(("every", "steps"), [(100, 20), (1, 1), (97, 1), (6, 6), (45, 15)])
def test_a_graph_holds_as_many_steps_as_divide_the_interval_of_the_log(every, steps):
    assert steps_per_graph(every) == steps
    assert steps <= LONGEST
    assert WARM > 0


def test_optimiser_that_cannot_be_recorded_is_named():
    parameter = torch.nn.Parameter(torch.zeros(1))
    with pytest.raises(DisentangleError, match="SGD cannot be recorded on a GPU; use adam"):
        require_recordable([torch.optim.SGD([parameter])])


@pytest.mark.parametrize("step", [0, 3, 7, 10, 500])
def test_warm_up_by_a_step_on_the_device_is_the_warm_up(step):
    about = {"x": torch.zeros(1), "steps": 9, "dataset_size": 1, "rng": torch.Generator()}
    number = Batch(step=step, **about).risen(10)
    scalar = Batch(step=torch.tensor(step), **about).risen(10)
    assert scalar.dtype == torch.float32
    assert float(scalar) == pytest.approx(number, rel=1e-7)
    assert Batch(step=torch.tensor(step), **about).risen(0) == 1.0
