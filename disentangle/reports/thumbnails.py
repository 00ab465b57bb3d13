"""A small picture of a run: traversals, decoded from its weights or cut out of its figure."""

import base64
import io

import torch
from PIL import Image
from torch import Tensor

from disentangle._utils.tensors import as_tensor
from disentangle.errors import DisentangleError
from disentangle.figures.canvas import DPI
from disentangle.figures.image_grids import mosaic
from disentangle.runs.layout import FILES
from disentangle.runs.log_tail import LOG, last_entry
from disentangle.runs.run import Run

WIDTH, SHAPE = 480, 0.45
"""Pixels of a picture, which a page shows at half this width; its height over its width."""
ROWS, COLUMNS = 4, 9
"""Latents and values of each that are decoded."""
TOP, PANELS, BEYOND = 0.68, 5.0, 0.25
"""In inches: where the traversals of a figure begin, the width from which it has two panels side by
side, and how far the first of these reaches beyond the middle."""


def thumbnail(run: Run) -> str:
    """The traversals of a run as a data URI; empty without weights and without figure.

    Raises:
        DisentangleError: the weights cannot be used, for example without the model's plugin.
    """
    figure = run.figures / FILES[0]
    if run.checkpoint_path.exists():
        picture = Image.fromarray(mosaic(decoded(run)))
        return as_uri(picture.resize((WIDTH, round(picture.height * WIDTH / picture.width))))
    if figure.exists():
        try:
            with Image.open(figure) as picture:
                return as_uri(first_panel(picture.convert("RGB")))
        except OSError as error:
            raise DisentangleError(f"{figure}: {error}. Delete it, or draw it again.") from error
    return ""


def decoded(run: Run) -> Tensor:
    """Traversals of the latents of largest KL from the origin, [rows, columns, C, H, W].

    The log has the KL, so that the dataset need not be opened. Without it, the first latents.
    """
    kl = (last_entry(run.path / LOG) or {}).get("kl") or [0.0] * run.model.latents
    rows = sorted(range(run.model.latents), key=lambda d: -kl[d])[:ROWS]
    values = torch.stack([as_tensor(run.model.traversal(d, COLUMNS)) for d in rows])
    z = torch.zeros(*values.shape, run.model.latents)
    for row, d in enumerate(rows):
        z[row, :, d] = values[row]
    images = run.decode(z.flatten(0, 1))
    return images.reshape(*values.shape, *images.shape[1:])


def first_panel(figure: Image.Image) -> Image.Image:
    """The first latents of the first base, cut out of the figure that training draws."""
    right = figure.width / 2 + BEYOND * DPI if figure.width > PANELS * DPI else figure.width
    part = figure.crop((0, round(TOP * DPI), round(right), round(TOP * DPI + SHAPE * right)))
    return part.resize((WIDTH, round(WIDTH * SHAPE)), Image.Resampling.LANCZOS)


def as_uri(picture: Image.Image) -> str:
    """A picture as WebP in a data URI."""
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=50, method=6)
    return "data:image/webp;base64," + base64.b64encode(out.getvalue()).decode()
