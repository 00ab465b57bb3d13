"""Batches: the same images, wherever they lie."""

import numpy as np
import pytest
import torch

from disentangle.data.loading import load_dataset
from disentangle.errors import DisentangleError
from disentangle.training import resident as feeding
from disentangle.training.batches import BatchLoader
from disentangle.training.resident import ResidentImages

CPU = torch.device("cpu")


@pytest.fixture
def data(strangers):
    return load_dataset("tiny")


@pytest.mark.parametrize("resident", [True, False])
def test_batch_is_the_images_as_floats_channels_last(data, resident):
    index = np.array([5, 0, 74, 5])
    batch = BatchLoader(data, CPU, resident=resident)(index)
    assert batch.dtype == torch.float32
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(batch, data.images(index) / 255)


@pytest.mark.parametrize("resident", [True, False])
def test_index_that_is_none_is_refused(data, resident):
    with pytest.raises(DisentangleError):
        BatchLoader(data, CPU, resident=resident)(np.array([75]))


def test_view_lies_whole_in_its_own_order(data, monkeypatch):
    monkeypatch.setattr(feeding, "CHUNK", 7)
    part = data.view(hold_out=["0.2"], split="train")
    every = torch.arange(len(part))
    assert torch.equal(ResidentImages(part, CPU, np.inf)(every), part.images(every) / 255)
    assert torch.equal(
        BatchLoader(part, CPU, resident=True)(np.array([3, 1])), part.images([3, 1]) / 255
    )


def test_correlated_trainings_of_a_process_share_their_images(data):
    shared = {}
    views = [data, data.view(correlate=["side,x=0.2"]), data.view(correlate=["side,y=0.2"])]
    loaders = [BatchLoader(view, CPU, resident=True, shared=shared) for view in views]
    assert len({id(loader.images) for loader in loaders}) == len(shared) == 1
    part = data.view(correlate=["side,x=0.2"], hold_out=["side=0"])
    assert BatchLoader(part, CPU, resident=True, shared=shared).images is not loaders[0].images


def test_images_on_a_cpu_stay_where_they_are(data):
    assert BatchLoader(data, CPU).images is None
