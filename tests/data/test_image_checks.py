"""Images of the right type that show nothing: refused, or warned of, wherever a dataset enters."""

import numpy as np
import pytest
from PIL import Image

import disentangle
from disentangle.data.loading import load_dataset
from disentangle.errors import DisentangleError, InputWarning, UsageError

NOISE = np.random.default_rng(0).integers(0, 256, (40, 32, 32), np.uint8)


@pytest.fixture
def load(tmp_path):
    """A function that stores images as an npz and opens it."""

    def load(images):
        np.savez(tmp_path / "own.npz", images=images)
        return load_dataset(str(tmp_path / "own.npz"), data_dir=tmp_path / "data")

    return load


def test_images_of_zeros_and_ones_are_refused(load):
    with pytest.raises(
        DisentangleError,
        match=r"expected pixels from 0 to 255 in './own.npz', got 0 to 1\. .* by 255",
    ):
        load(NOISE % 2)


@pytest.mark.parametrize(("levels", "factor"), [(16, 17), (4, 85), (32, 8)])
def test_images_of_few_bits_are_warned_of_with_the_factor_that_mends_them(load, levels, factor):
    with pytest.warns(InputWarning, match=f"got 0 to {levels - 1}, .* by {factor}"):
        assert len(load(NOISE % levels)) == len(NOISE)


def test_washed_out_images_are_warned_of(load):
    with pytest.warns(InputWarning, match="got 240 to 255, .* Increase the contrast"):
        load(255 - NOISE % 16)


@pytest.mark.parametrize("images", [NOISE[:2], NOISE, np.repeat(NOISE[:2], 20, 0)])
def test_images_that_differ_are_taken_in_silence(load, images):
    assert len(load(images)) == len(images)


@pytest.mark.parametrize(
    ("image", "pixels"),
    [(NOISE[0] * 0, "every pixel is 0"), (NOISE[0], r"pixels are 0 to 25\d")],
)
def test_images_that_are_all_the_same_are_refused(load, image, pixels):
    with pytest.raises(DisentangleError, match=rf"all 50 images of .* are the same \({pixels}\)"):
        load(np.repeat(image[None], 50, 0))


def test_a_single_image_is_opened_but_not_trained_on(load, tmp_path):
    with pytest.raises(UsageError, match=r"'./own.npz' has one image; training needs at least two"):
        disentangle.train("vae", load(NOISE[:1]), results=tmp_path, steps=1, batch_size=1)


def test_few_odd_images_among_many_are_enough(load):
    images = np.repeat(NOISE[:1], 1500, 0)
    images[::50] = NOISE[1]
    assert len(load(images)) == 1500


def test_examining_stops_at_a_number_of_images(load):
    with pytest.raises(DisentangleError, match="all 1,024 examined images"):
        load(np.zeros((1500, 8, 8), np.uint8))


def test_white_shapes_on_transparency_are_refused_with_a_remedy(tmp_path):
    for i in range(3):
        pixels = np.full((64, 64, 4), 255, np.uint8)
        pixels[:, :, 3] = 0
        pixels[10 * i : 10 * i + 20, 10:30, 3] = 255
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    with pytest.raises(DisentangleError, match=r"Transparent parts .* `magick mogrify"):
        load_dataset(f"{tmp_path}/", data_dir=tmp_path / "data")


class Objects(disentangle.Dataset):
    """Images in memory, as a user's own class passes them."""

    image_shape, fingerprint, source = (1, 32, 32), "0" * 64, "a test"

    def __init__(self, pixels):
        self.pixels = pixels

    def __len__(self):
        return len(self.pixels)

    def images(self, index):
        import torch

        return torch.from_numpy(self.pixels[self._index(index)][:, None])


def test_dataset_object_that_is_trained_on_is_examined_too(tmp_path):
    with pytest.raises(DisentangleError, match=r"from 0 to 255 in .*, got 0 to 1"):
        disentangle.train("vae", Objects(NOISE % 2), results=tmp_path, steps=1, batch_size=4)


def test_dataset_object_that_is_encoded_is_examined_too():
    with pytest.raises(DisentangleError, match=r"from 0 to 255 in .*, got 0 to 1"):
        disentangle.score_encoder(lambda x: x[:, 0, 0, :3], Objects(NOISE % 2))
