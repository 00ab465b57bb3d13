"""Pictures in a page: sprite sheets, many small ones in one WebP, and drawn figures, as text."""

import base64
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from disentangle.errors import DisentangleError
from disentangle.figures.canvas import DPI

QUALITY = 80
INCH, COLOURS = 120, 48
"""Pixels of a page to an inch of a figure, so that its small type can be read; colours kept."""
LARGEST = 16_383
"""The most pixels that a WebP has on a side."""


def sprite_sheet(images: Tensor) -> NDArray[np.uint8]:
    """Return images [rows, columns, C, H, W] in [0, 1] as one picture [height, width, RGBA].

    Each has a transparent pixel all around, so that no neighbour shows where a page scales it.
    """
    rows, columns, channels, height, width = images.shape
    sheet = np.zeros((rows, height + 2, columns, width + 2, 4), np.uint8)
    pixels = (images.clamp(0, 1) * 255).round().byte().numpy().transpose(0, 3, 1, 4, 2)
    inner = sheet[:, 1:-1, :, 1:-1]
    inner[..., :3] = np.broadcast_to(pixels, (*pixels.shape[:-1], 3)) if channels == 1 else pixels
    inner[..., 3] = 255
    return sheet.reshape(rows * (height + 2), columns * (width + 2), 4)


def webp(picture: NDArray[np.uint8]) -> bytes:
    """Return a picture [height, width, RGBA] as WebP; transparency is kept exactly.

    Raises:
        DisentangleError: it is larger than a WebP can be.
    """
    if max(picture.shape[:2]) > LARGEST:
        raise DisentangleError(
            f"a sheet of {picture.shape[1]} x {picture.shape[0]} pixels is more than a WebP holds "
            f"({LARGEST} on a side); such a run's figures are drawn by: disentangle traverse"
        )
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "WEBP", quality=QUALITY, method=4)
    return out.getvalue()


def data_uri(images: Tensor) -> str:
    """Return images [rows, columns, C, H, W] in [0, 1] as a sprite sheet, in a data URI."""
    return "data:image/webp;base64," + base64.b64encode(webp(sprite_sheet(images))).decode()


def figure_uri(path: Path) -> tuple[str, int]:
    """Return a drawn figure in a data URI, in the few colours that it has, and its width in a page.

    Args:
        path: a PNG of `plate.DPI` pixels an inch.
    """
    out = io.BytesIO()
    with Image.open(path) as picture:
        width = round(picture.width * INCH / DPI)
        few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(out, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode(), width
