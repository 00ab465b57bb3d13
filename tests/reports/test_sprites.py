"""Sprite sheets: every picture is in its own cell."""

import numpy as np
import pytest
import torch
from helpers.figure_checks import opened

from disentangle.errors import DisentangleError
from disentangle.reports import sprites


def test_pictures_lie_in_rows_and_columns_with_a_clear_pixel_around():
    images = torch.arange(6.0).view(2, 3, 1, 1, 1).expand(2, 3, 1, 4, 5) / 10
    sheet = sprites.sprite_sheet(images)
    assert sheet.shape == (12, 21, 4)
    assert sheet[1::6, 1::7, 0].tolist() == [[0, 26, 51], [76, 102, 128]]
    assert sheet[..., 3].tolist() == [
        ([0] + [255] * 5 + [0]) * 3 if r % 6 % 5 else [0] * 21 for r in range(12)
    ]


def test_colour_is_kept_and_values_outside_are_cut_off():
    images = torch.zeros(1, 1, 3, 2, 2)
    images[0, 0, 2], images[0, 0, 0] = 1.5, -0.5
    assert sprites.sprite_sheet(images)[1, 1].tolist() == [0, 0, 255, 255]


def test_what_is_embedded_is_the_sheet_but_for_compression():
    rng = torch.Generator().manual_seed(0)
    images = torch.rand((2, 4, 1, 1, 1), generator=rng).expand(2, 4, 1, 16, 16)
    shown, sheet = opened(sprites.data_uri(images)), sprites.sprite_sheet(images)
    assert (shown[..., 3] == sheet[..., 3]).all()
    inside = sheet[..., 3] == 255
    assert np.abs(shown[..., 0].astype(int) - sheet[..., 0])[inside].mean() < 6


def test_sheet_that_no_webp_holds_is_refused():
    with pytest.raises(DisentangleError, match="exceeds the WebP limit"):
        sprites.webp(np.zeros((1, 16_384, 4), np.uint8))
