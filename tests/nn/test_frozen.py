"""Frozen networks as encoders: preprocessing, blocks, and weights that must fit."""

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.transforms.v2 import functional as reference

from disentangle.errors import DisentangleError, UsageError
from disentangle.nn import frozen
from disentangle.nn.frozen import FrozenEncoder, Preprocessing, load_weights, random_weights

IMAGES = torch.randint(0, 256, (3, 3, 64, 64), generator=torch.Generator().manual_seed(0)).byte()


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("side", [24, 64, 96])
def test_images_are_resized_and_normalised_as_torchvision_does(mode, side):
    mean, std = frozen.IMAGENET
    x = IMAGES.float() / 255
    resized = reference.resize(x, [side, side], getattr(reference.InterpolationMode, mode.upper()))
    expected = reference.normalize(resized.clamp(0, 1), mean, std)
    found = Preprocessing((side, side), mean, std, interpolation=mode)(x)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_bytes_and_numbers_from_0_to_1_are_the_same_images():
    preprocessing = Preprocessing((32, 32), *frozen.IMAGENET)
    torch.testing.assert_close(preprocessing(IMAGES), preprocessing(IMAGES.float() / 255))


def test_grey_is_repeated_and_colour_is_not_made_grey():
    grey = IMAGES[:, :1].float() / 255
    assert torch.equal(Preprocessing()(grey), grey.expand(-1, 3, -1, -1))
    with pytest.raises(UsageError, match="images of 1 channels, got 3"):
        Preprocessing(channels=1)(IMAGES)


def test_preprocessing_in_words_holds_what_changes_the_numbers():
    assert str(Preprocessing((224, 160), *frozen.IMAGENET, interpolation="bicubic")) == (
        "RGB, 224 x 160 pixels (bicubic), mean 0.485 0.456 0.406, deviation 0.229 0.224 0.225"
    )
    assert str(Preprocessing(channels=1)) == "grey"


def test_network_gets_as_many_images_at_once_as_fit(monkeypatch):
    sizes = []

    def network(x):
        sizes.append(len(x))
        return x.flatten(1)

    monkeypatch.setattr(frozen, "NUMBERS", 2 * 3 * 8 * 8)
    encoder = FrozenEncoder(network, Preprocessing((8, 8)))
    whole = Preprocessing((8, 8))(IMAGES).flatten(1)
    torch.testing.assert_close(encoder(IMAGES), whole)
    assert sizes == [2, 1]


def test_features_of_one_pixel_are_vectors():
    found = FrozenEncoder(lambda x: {"pooled": x.mean((2, 3), keepdim=True)}, output="pooled")
    assert found(IMAGES.float()).shape == (3, 3)


def test_arrays_of_other_libraries_are_pooled_too():
    found = FrozenEncoder(lambda x: x.numpy(), Preprocessing(), pool="mean")(IMAGES)
    np.testing.assert_allclose(found, IMAGES.float().mean((2, 3)) / 255, rtol=1e-5)


def network():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 4))


def test_weights_fit_with_or_without_the_classifier_that_is_removed():
    source, target = network(), network()
    target[2] = nn.Identity()
    state = source.state_dict() | {"2.weight": torch.zeros(9, 9)}
    load_weights(target, state, "file", without=["2"])
    assert torch.equal(target[0].weight, source[0].weight)


def test_old_files_without_the_count_of_batches_fit():
    state = {k: v for k, v in network().state_dict().items() if "num_batches" not in k}
    load_weights(network(), state, "file")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("0.bias"), "1 tensors are missing, such as 0.bias"),
        (lambda s: s.update(other=torch.zeros(1)), "1 tensors are not of this network, such as o"),
        (
            lambda s: s.update({"0.bias": torch.zeros(7)}),
            r"1 tensors have another shape, such as 0.bias \[3\], got \[7\]",
        ),
    ],
)
def test_weights_of_another_network_are_refused_and_nothing_is_loaded(change, message):
    target = network()
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    state = network().state_dict()
    change(state)
    with pytest.raises(DisentangleError, match=f"^file: weights of another network: {message}"):
        load_weights(target, state, "file")
    for name, tensor in target.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_random_weights_depend_on_the_seed_alone():
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first, words = random_weights(network)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(4)
    again, same = random_weights(network)
    assert words == same
    assert torch.equal(first[0].weight, again[0].weight)
    assert words.startswith("random (seed 0) ")
    assert random_weights(network, seed=1)[1] != words
