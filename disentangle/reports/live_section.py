"""Data of the panel "Move the latents": its sliders, and the bases that they start from."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from disentangle.contracts.dataset import Index
from disentangle.data import status
from disentangle.errors import UsageError
from disentangle.figures.bases import Base, find_bases
from disentangle.figures.image_grids import as_float
from disentangle.figures.latents import Latents, has_prior
from disentangle.reports.sprites import data_uri
from disentangle.runs.run import Run

SIDES = {"wide": 256, "narrow": 192, "small": 128}
"""The largest side, in page pixels, of the decoded picture in a wide window and in a narrow one,
and of the picture beside it in a narrow window; pictures are enlarged by whole factors.
"""
MOST_VALUES = 256
"""The most values of a discrete latent that its slider offers."""


def live_panel(run: Run, latents: Latents, specs: Sequence[str], shown: Index) -> dict[str, Any]:
    """The latents and the bases of the panel.

    Args:
        run: a run with a checkpoint.
        latents: the order of the sliders.
        specs: the base images of the traversals; see `figures.bases.find_bases`.
        shown: indices of the images that the page reconstructs: bases too.
    """
    prior = has_prior(run)
    bases = all_bases(run, specs, shown, prior)
    images = [as_float(base.image) for base in bases if base.image is not None]
    places = iter(range(len(images)))
    _, height, width = run.record.dataset.image_shape
    return {
        "latents": rows(run, latents),
        "bases": [
            {
                "label": base.label,
                "z": [round(float(value), 6) for value in base.z],
                "place": None if base.image is None else next(places),
            }
            for base in bases
        ],
        "sheet": data_uri(torch.stack(images)[None], lossless=True) if images else None,
        "prior": prior,
        "crop": crop_of(run.record.dataset.name),
        "zooms": {name: max(1, side // max(height, width)) for name, side in SIDES.items()},
    }


def crop_of(dataset: str) -> dict[str, int] | None:
    """How the dataset's published images are cropped: `side`, `width` and `height` in pixels.

    None if they are not, or if the dataset has no registered name, as one made in Python.
    """
    try:
        crop = status.about(dataset).crop
    except UsageError:
        return None
    return asdict(crop) if crop else None


def all_bases(run: Run, specs: Sequence[str], shown: Index, prior: bool) -> list[Base]:
    """The bases of the traversals, the images that the page reconstructs and the prior's mean."""
    bases = find_bases(run, specs)
    names = {base.short for base in bases}
    images = run.dataset.images(shown)
    for i, image, z in zip(shown, images, run.encode(images), strict=True):
        if f"#{i}" not in names:
            bases.append(Base(f"image {i}", f"#{i}", z, image))
    if prior:
        bases.append(Base("mean of the prior", "mean", torch.zeros(run.model.latents)))
    return bases


def rows(run: Run, latents: Latents) -> list[dict[str, Any]]:
    """The panel's rows: each latent with the ends of its slider, or with its discrete values."""
    discrete = run.code(run.dataset.images([0])).discrete
    return [
        {
            "latent": d,
            "name": f"z{d}",
            "weight": weight,
            "active": active,
            **slider(run.model.traversal(d, MOST_VALUES), discrete),
        }
        for d, weight, active in zip(latents.order, latents.weights, latents.active, strict=True)
    ]


def slider(values: Tensor, discrete: bool) -> dict[str, Any]:
    """The ends of a slider; of a discrete latent also all its values."""
    places = [round(float(value), 6) for value in values]
    return {"low": places[0], "high": places[-1], "values": places if discrete else None}
