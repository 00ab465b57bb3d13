"""Images embedded in pages as data URIs: sprite sheets (WebP) and figures (PNG)."""

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
"""Page pixels per inch of a figure, so that its small type is legible; colours kept in its PNG."""
LARGEST = 16_383
"""The largest side of a WebP image, in pixels."""


def sprite_sheet(images: Tensor) -> NDArray[np.uint8]:
    """Tile images [rows, columns, C, H, W] in [0, 1] into one picture [height, width, RGBA].

    Each image has a transparent border of one pixel, so that its neighbours do not bleed into it
    when the page scales the sheet.
    """
    rows, columns, channels, height, width = images.shape
    sheet = np.zeros((rows, height + 2, columns, width + 2, 4), np.uint8)
    pixels = (images.clamp(0, 1) * 255).round().byte().numpy().transpose(0, 3, 1, 4, 2)
    inner = sheet[:, 1:-1, :, 1:-1]
    inner[..., :3] = np.broadcast_to(pixels, (*pixels.shape[:-1], 3)) if channels == 1 else pixels
    inner[..., 3] = 255
    return sheet.reshape(rows * (height + 2), columns * (width + 2), 4)


def webp(picture: NDArray[np.uint8], lossless: bool = False) -> bytes:
    """Encode a picture [height, width, RGBA] as WebP; transparency is always lossless.

    Raises:
        DisentangleError: the picture is too large for WebP.
    """
    if max(picture.shape[:2]) > LARGEST:
        raise DisentangleError(
            f"the sprite sheet of {picture.shape[1]} x {picture.shape[0]} pixels exceeds the WebP "
            f"limit of {LARGEST} pixels per side. Run `disentangle traverse` to draw this run's "
            "figures instead."
        )
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "WEBP", quality=QUALITY, method=4, lossless=lossless)
    return out.getvalue()


def data_uri(images: Tensor, lossless: bool = False) -> str:
    """Encode images [rows, columns, C, H, W] in [0, 1] as a sprite sheet in a data URI."""
    picture = webp(sprite_sheet(images), lossless)
    return "data:image/webp;base64," + base64.b64encode(picture).decode()


def figure_uri(path: Path) -> tuple[str, int]:
    """Encode a figure as a data URI with a small palette; return it and its width on the page.

    Args:
        path: a PNG of `canvas.DPI` pixels per inch.
    """
    out = io.BytesIO()
    with Image.open(path) as picture:
        width = round(picture.width * INCH / DPI)
        # Unlike the default method, this one keeps colours that few pixels have.
        few = picture.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE)
        few.save(out, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode(), width


def figure_title(path: Path) -> str:
    """What a figure shows, by its metadata; by its name if it was drawn by an earlier version."""
    with Image.open(path) as picture:
        return str(picture.info.get("Title") or path.stem.replace("-", " "))
