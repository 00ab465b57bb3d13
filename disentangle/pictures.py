"""The pieces that figures are made of: image grids, insets, files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional

from disentangle.files import atomic

HEAD = 16  # pixels above a moving picture

Picture: TypeAlias = NDArray[np.uint8]
"""RGB, [height, width, 3]."""


def as_float(images: Tensor) -> Tensor:
    """Return uint8 images as float in [0, 1], and float images as they are."""
    return images.to(torch.float32) / 255 if images.dtype == torch.uint8 else images


def mosaic(images: Tensor) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return images [rows, columns, C, H, W] in [0, 1] as one uint8 picture, a pixel apart; RGB."""
    rows, _, channels, height, _ = images.shape
    apart = functional.pad(images, (0, 1, 0, 1), value=0.5)
    grid = apart.permute(0, 3, 1, 4, 2).reshape(rows * (height + 1), -1, channels)
    picture = (grid[:-1, :-1].clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    return np.ascontiguousarray(np.broadcast_to(picture, (*picture.shape[:2], 3)))


def show(axes: Any, picture: np.ndarray[Any, Any]) -> None:
    """Show a picture pixel for pixel, without a frame."""
    axes.imshow(picture, extent=(0, picture.shape[1], picture.shape[0], 0), interpolation="lanczos")
    for spine in axes.spines.values():
        spine.set_visible(False)


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png")


def inset(figure: Any, place: tuple[float, float, float, float], *images: Tensor) -> None:
    """Show the base's image and its reconstruction, small, above the right end of its block."""
    size = 0.42
    width, height = size / figure.get_figwidth(), size / figure.get_figheight()
    right, top = place[0] + place[2], place[1] + place[3]
    for number, image in enumerate(reversed(images)):
        axes = figure.add_axes((right - (number + 1) * 1.08 * width, top + 0.006, width, height))
        show(axes, mosaic(as_float(image)[None, None]))
        axes.set_xticks([])
        axes.set_yticks([])


def save_gif(
    blocks: Tensor,
    heads: Sequence[str],
    labels: Sequence[str],
    strong: Sequence[bool],
    path: Path,
    margin: int = 96,
) -> None:
    """Write images in motion, there and back, whole or not at all.

    Args:
        blocks: [column, row, time, C, H, W] in [0, 1].
        heads: of the columns, written above them.
        labels: of the rows, written in a margin of so many pixels.
        strong: whether each label is black, or grey.
        path: the GIF.
        margin: the width of the labels, in pixels.
    """
    size, length = blocks.shape[-2] + 1, blocks.shape[2]
    frames = []
    for t in [*range(length), *range(length - 2, 0, -1)]:
        picture = mosaic(blocks[:, :, t].transpose(0, 1))
        frame = Image.new("RGB", (picture.shape[1] + margin, picture.shape[0] + HEAD), "white")
        frame.paste(Image.fromarray(picture), (margin, HEAD))
        draw = ImageDraw.Draw(frame)
        for column, head in enumerate(heads):
            middle = (margin + size * column + size // 2, HEAD // 2)
            draw.text(middle, head, "black", anchor="mm")
        for row, (label, dark) in enumerate(zip(labels, strong, strict=True)):
            middle = (4, HEAD + size * row + size // 2)
            draw.multiline_text(middle, label, "black" if dark else "gray", anchor="lm")
        frames.append(frame)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary:
        frames[0].save(
            temporary, format="GIF", save_all=True, append_images=frames[1:], duration=60, loop=0
        )
