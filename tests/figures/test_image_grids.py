"""Image grids, measured."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from disentangle.figures.image_grids import MARGIN, mosaic, save_animation, save_figure


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


@pytest.mark.parametrize(("colour", "mode"), [("0.3", "L"), ("tab:blue", "RGB")])
def test_png_keeps_its_pixels_texts_and_resolution_without_channels_that_say_nothing(
    tmp_path, colour, mode
):
    figure, path, plain = Figure(figsize=(2, 1), dpi=200), tmp_path / "a.png", tmp_path / "b.png"
    figure.text(0.2, 0.4, "z0", color=colour)
    save_figure(figure, path, "one", "a source", caption="a caption, β = 4")
    figure.savefig(plain)
    with Image.open(path) as image, Image.open(plain) as whole:
        assert image.mode == mode
        assert image.convert("RGBA").tobytes() == whole.convert("RGBA").tobytes()
        assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)
        assert image.text["Source"] == "a source"
        assert image.text["Description"] == "a caption, β = 4"
    assert path.stat().st_size < plain.stat().st_size


def test_transparent_figure_keeps_its_alpha(tmp_path):
    figure = Figure(figsize=(2, 1), facecolor="none")
    save_figure(figure, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "RGBA"


def test_source_below_moving_pictures_is_wrapped_to_their_width(tmp_path):
    blocks, path = torch.zeros(1, 1, 3, 1, 32, 32), tmp_path / "a.gif"
    save_animation(blocks, ["a"], ["z0"], [True], path, software="one", source="source " * 12)
    with Image.open(path) as image:
        frame = np.array(image.convert("L"))
    assert frame.shape[1] == MARGIN + 32
    below = frame[16 + 32 + 4 :]
    assert (below < 200).any(axis=1).sum() > 20  # several lines
    assert (below[:, -3:] == 255).all()
