"""Image grids, measured."""

import numpy as np
import torch
from PIL import Image

from disentangle.figures.image_grids import MARGIN, mosaic, save_animation


def test_picture_is_in_rows_and_columns_a_pixel_apart():
    images = torch.arange(6.0).view(2, 3, 1, 1, 1) / 10
    picture = mosaic(images)
    assert picture.shape == (3, 5, 3)
    assert picture[::2, ::2, 0].tolist() == [[0, 26, 51], [76, 102, 128]]
    assert (picture[1] == 128).all()


def test_colour_is_kept():
    images = torch.zeros(1, 1, 3, 2, 2)
    images[0, 0, 2] = 1
    assert (mosaic(images) == np.array([0, 0, 255])).all()


def test_source_below_moving_pictures_is_wrapped_to_their_width(tmp_path):
    blocks, path = torch.zeros(1, 1, 3, 1, 32, 32), tmp_path / "a.gif"
    save_animation(blocks, ["a"], ["z0"], [True], path, software="one", source="source " * 12)
    with Image.open(path) as image:
        frame = np.array(image.convert("L"))
    assert frame.shape[1] == MARGIN + 32
    below = frame[16 + 32 + 4 :]
    assert (below < 200).any(axis=1).sum() > 20  # several lines
    assert (below[:, -3:] == 255).all()
