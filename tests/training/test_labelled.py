"""Which images' labels a model is given, and how they reach it."""

import numpy as np
import pytest
import torch

from disentangle.contracts import registry
from disentangle.contracts.common_options import Training
from disentangle.data.loading import load_dataset
from disentangle.training.batches import BatchLoader, batches
from disentangle.training.history import History
from disentangle.training.labelled import draw_labelled, in_turn, scaled_labels
from disentangle.training.recorded_steps import RecordedSteps
from disentangle.training.steps import BlockReader, EagerSteps

pytestmark = pytest.mark.usefixtures("strangers")
CPU, STEPS, BATCH = torch.device("cpu"), 12, 4


def recorded(*parts):
    """Steps that are recorded on a CPU: a replay calls the function."""
    return RecordedSteps(*parts, 4, lambda run, generators: run)


def test_labelled_images_are_distinct_and_the_seeds():
    data = load_dataset("tiny")
    first, again, other = (draw_labelled(data, 30, seed) for seed in (0, 0, 1))
    assert len(set(first.tolist())) == 30
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert sorted(draw_labelled(data, 75, 0)) == list(range(75))


def test_labelled_images_follow_correlated_factors():
    view = load_dataset("tiny").view(correlate=["side,x=0.00001"])
    side, x, _ = view.labels(draw_labelled(view, 40, 0)).T
    assert (x == 2 * side).all()


def test_labelled_images_are_images_that_are_trained_on():
    view = load_dataset("tiny").view(hold_out=["side=0"], split="train")
    images = view.origin(draw_labelled(view, len(view), 0))
    assert (view.whole.labels(images)[:, 0] != 0).all()


def test_images_take_turns():
    images = np.array([5, 7, 9])
    assert [in_turn(images, step, 2).tolist() for step in range(3)] == [[5, 7], [9, 5], [7, 9]]
    assert in_turn(images, 1, 4).tolist() == [7, 9, 5, 7]


def test_labels_are_divided_by_the_number_of_values():
    data = load_dataset("tiny")
    labels = scaled_labels(data, np.arange(75))
    assert labels.dtype == np.float32
    for column, size in zip(labels.T, data.factors.values(), strict=True):
        np.testing.assert_allclose(np.unique(column), np.arange(size) / size)


@pytest.mark.parametrize("resident", [True, False])
@pytest.mark.parametrize("make", [EagerSteps, recorded])
def test_model_is_given_the_labels_of_its_second_images(make, resident):
    data, seen = load_dataset("tiny"), []
    model = registry.models.load("s2-beta-vae")(labelled=10)
    feed = BatchLoader(data, CPU, resident=resident)
    steps = make(
        lambda batch: seen.append((batch.pair.clone(), batch.labels.clone())) or (),
        History(4, CPU),
        feed,
        Training(batch_size=BATCH, steps=STEPS),
    )
    read = BlockReader(model, data, batches(data, BATCH, 0, 0, STEPS), 0)
    while len(seen) < STEPS:
        steps.take(read(len(seen), steps.block_length(len(seen), STEPS)))
    known = draw_labelled(data, 10, 0)
    for step, (images, labels) in enumerate(seen):
        index = in_turn(known, step, BATCH)
        assert torch.equal(images, feed(index))
        assert torch.equal(labels, torch.from_numpy(scaled_labels(data, index)))


def test_models_without_labels_are_given_none():
    data = load_dataset("tiny")
    for name in ("factor-vae", "ada-gvae", "vae"):
        model = registry.models.load(name)()
        block = BlockReader(model, data, batches(data, BATCH, 0, 0, STEPS), 0)(0, 2)
        assert block.labels is None
