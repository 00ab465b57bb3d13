"""3D Chairs: Aubry et al. (2014), https://www.di.ens.fr/willow/research/seeing3Dchairs/.

Computer models of chairs, rendered on white at 600 x 600, cropped to the central 400 x 400 and
resized to 64 x 64 (LANCZOS), in colour, or in grey as in Higgins et al. (2017). File names hold the
chair and the view, which are the labels for metrics: azimuth, of 31 views around the chair, is
cyclic, elevation is ordinal, and identity is categorical.
"""

import re
from contextlib import ExitStack

import numpy as np
from PIL import Image

from disentangle import Dataset, DisentangleError
from disentangle.data import (
    About,
    Content,
    Crop,
    Location,
    Preparation,
    Remote,
    about,
    as_dataset,
    centre_crop,
    decoded,
    flat,
    grid_order,
    pieces,
    resized,
    uncompressed,
)

CROP = Crop(side=400, width=600, height=600)
ABOUT = About(
    about="Rendered chairs in colour, by identity and view",
    display="3D Chairs",
    images=86_366,
    licence="for research",
    home="https://www.di.ens.fr/willow/research/seeing3Dchairs/",
    files=(
        Remote(
            name="rendered_chairs.tar",
            urls=("https://www.di.ens.fr/willow/research/seeing3Dchairs/data/rendered_chairs.tar",),
        ),
    ),
    crop=CROP,
)
SIDE = 64  # pixels
KINDS = {"azimuth": "cyclic=31", "elevation": "ordinal"}
VIEW = re.compile(r"(?:^|/)([0-9a-f]{32})/renders/image_\d+_p(\d{1,4})_t(\d{1,4})_r\d+\.png$")


@about(ABOUT)
def open(location: Location) -> Dataset:
    """Open the chairs in colour: a grid of identity x azimuth x elevation.

    If views are missing, they are labelled images instead of a grid. Identity, with 1,393 values,
    is a nuisance factor: it is not scored by default.

    Raises:
        DisentangleError: the images are missing or wrong.
    """
    return _open(location, channels=3)


@about(ABOUT, about="The chairs in grey, as in Higgins et al.", display="3D Chairs (grey)")
def open_grey(location: Location) -> Dataset:
    """Open the chairs in grey, as in Higgins et al. (2017); otherwise like `open`."""
    return _open(location, channels=1)


def _open(location: Location, channels: int) -> Dataset:
    preparation = Preparation(
        folder=location.folder, version=1, given=location.file, say=location.say
    )

    def make(stack: ExitStack) -> Content:
        return _read(location, channels, stack)

    return as_dataset(preparation.get(make), nuisance=["identity"], kinds=KINDS)


def _read(location: Location, channels: int, stack: ExitStack) -> Content:
    source = location.find(ABOUT)
    plain = stack.enter_context(uncompressed(source, location.folder))
    images = pieces(plain, lambda name: VIEW.search(name) is not None, source)
    if not images:
        raise DisentangleError(
            f"{source}: no chairs in it; expected files "
            "rendered_chairs/<32 hex digits>/renders/image_NNN_pEEE_tAAA_rRRR.png"
        )
    views = np.array([match.groups() for piece in images if (match := VIEW.search(piece.name))])
    columns = [
        np.unique(column, return_inverse=True)
        for column in (views[:, 0], views[:, 2].astype(int), views[:, 1].astype(int))
    ]
    values = [identities, azimuths, elevations] = [names for names, _ in columns]
    labels = np.stack([label for _, label in columns], 1)  # [N, 3]
    cell = np.ravel_multi_index(tuple(labels.T), [len(names) for names in values])
    _, first, counts = np.unique(cell, return_index=True, return_counts=True)
    if (counts > 1).any():
        twice = images[first[counts > 1][0]].name
        raise DisentangleError(
            f"{source}: {twice} and another file show the same chair from the same view"
        )

    order = grid_order(labels, [len(names) for names in values])
    if order is None:
        total = len(identities) * len(azimuths) * len(elevations)
        location.say(
            f"{location.name}: {total - len(images):,} of {total:,} views are missing, so these "
            "are labelled images instead of a grid"
        )
    else:
        images = [images[i] for i in order]

    def fit(image: Image.Image) -> Image.Image:
        return resized(centre_crop(flat(image, channels), CROP.side), SIDE)

    provenance, sums = location.provenance(ABOUT, source)
    location.say(f"{location.name}: preparing {len(images):,} images of {len(identities):,} chairs")
    return Content(
        blocks=decoded(images, fit, size=(CROP.width, CROP.height), progress=location.progress),
        shape=(len(images), SIDE, SIDE, channels),
        source=provenance,
        files=sums,
        factors={
            "identity": identities.tolist(),
            "azimuth": azimuths.tolist(),
            "elevation": elevations.tolist(),
        },
        labels=labels if order is None else None,
    )
