"""dSprites: Matthey et al. (2017), https://github.com/deepmind/dsprites-dataset, Apache-2.0.

The images come from the official npz if the user has it. Otherwise they are drawn from their
geometry, which was fitted to public images without one wrong pixel but is not proven identical.
`source` records which. Either way they are prepared once, bit-packed, in the data folder.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle import Grid
from disentangle.data import (
    LABEL_BYTES,
    About,
    Content,
    Location,
    Manifest,
    Preparation,
    Remote,
    about,
    open_npz,
)

if TYPE_CHECKING:
    from torch import Tensor

AXES = {"color": 1, "shape": 3, "scale": 6, "orientation": 40, "position_x": 32, "position_y": 32}
VALUES = (
    np.ones(1),
    np.arange(1, 4),
    np.linspace(0.5, 1, 6),
    np.linspace(0, 2 * np.pi, 40),
    np.linspace(0, 1, 32),
    np.linspace(0, 1, 32),
)
COUNT = 737_280
SHAPES = ("square", "ellipse", "heart")
KINDS = {
    "scale": "ordinal",
    "orientation": "cyclic=39",  # labels: 0 and 39 are the same angle
    "position_x": "ordinal",
    "position_y": "ordinal",
}
BLOCK = 32 * 32  # images of one shape, scale and orientation, which are consecutive
IMAGE_BYTES = 64 * 64 // 8  # bit-packed

URL = "https://github.com/deepmind/dsprites-dataset/raw/master/"
NPZ = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
REMEDY = f". Use {URL}{NPZ}, or no file: the images are then drawn from their geometry"
ABOUT = About(
    about="Squares, ellipses and hearts, white on black; drawn here",
    display="dSprites",
    images=COUNT,
    licence="Apache-2.0",
    home="https://github.com/deepmind/dsprites-dataset",
    files=(Remote(name=NPZ, urls=(URL + NPZ,), checksum="md5:7da33b31b13a06f4b04a70402ce90c2e"),),
    drawn=True,
)

Packed = NDArray[np.uint8]


class DSprites(Grid):
    """Every combination of shape, scale, orientation and position: 737,280 white-on-black images.

    Orientation is cyclic: values 0 and 39 give the same images, so that its period is 39 labels for
    a heart. By its symmetry a square repeats every 90 degrees, and an ellipse every 180; the factor
    is the angle all the same. Scale and positions are ordinal, the shape is categorical. There is
    only one colour, so it is never scored.
    """

    image_shape = (1, 64, 64)

    def __init__(self, packed: Packed, source: str, fingerprint: str) -> None:
        super().__init__(AXES)
        self.values = {
            name: SHAPES if name == "shape" else [f"{v:.4g}" for v in values]
            for name, values in zip(AXES, VALUES, strict=True)
        }
        self.kinds = KINDS
        self.packed, self.source, self.fingerprint = packed, source, fingerprint

    def images(self, index: ArrayLike) -> "Tensor":
        """Return the images at `index` [N] as uint8 [N, 1, 64, 64], 0 or 255."""
        from torch import from_numpy

        pixels = np.unpackbits(self.packed[self._index(index)], axis=1)  # [N, 4096]
        pixels *= 255
        return from_numpy(pixels).view(-1, *self.image_shape)


@about(ABOUT)
def open(location: Location) -> DSprites:
    """Open dSprites: the user's file, else prepared images, else a download, else drawn images.

    Raises:
        DisentangleError: a file is not dSprites, a download fails, or the folder is not writable.
    """

    def acceptable(manifest: Manifest) -> bool:
        official = bool(manifest.files)
        return official or not (location.download or location.present(ABOUT))

    def make(stack: ExitStack) -> Content:
        if not (location.file or location.download or location.present(ABOUT)):
            location.say("dsprites: drawing the images from their geometry once, about 5 seconds")
            drawn = (render(*block) for block in np.ndindex(3, 6, 40))
            return Content(blocks=drawn, shape=(COUNT, IMAGE_BYTES), source="regenerated")
        path = location.find(ABOUT)
        source, files = location.provenance(ABOUT, path)
        location.say(f"dsprites: reading {path} once, about 15 seconds")
        return Content(blocks=_read(path), shape=(COUNT, IMAGE_BYTES), source=source, files=files)

    preparation = Preparation(
        folder=location.folder, version=2, given=location.file, wanted=acceptable, say=location.say
    )
    prepared = preparation.get(make)
    return DSprites(prepared.rows, prepared.manifest.source, prepared.manifest.fingerprint)


def render(shape: int, scale: int, orientation: int) -> Packed:
    """Draw one block: the 32 x 32 positions of a shape at a scale and orientation.

    An outline point (X, Y) maps to x = cx + s (X cos t + Y sin t), y = cy + s (-X sin t + Y cos t).
    The polygon is filled as on a GPU, without anti-aliasing: y is flipped, vertices snap to 1/256
    pixel, and a pixel is white if its centre is inside by the even-odd rule.

    Returns:
        Bit-packed images [position_x * position_y = 1024, 64 rows * 8 bytes = 512].
    """
    X, Y = _OUTLINES[shape]
    s, t, centre = VALUES[2][scale], VALUES[3][orientation], 16 + 32 * VALUES[4][:, None]
    x0 = _snap(centre + s * (X * np.cos(t) + Y * np.sin(t)))  # [position_x, vertex]
    y0 = _snap(64 - (centre + s * (-X * np.sin(t) + Y * np.cos(t))))  # [position_y, vertex]
    x1, y1 = np.roll(x0, -1, axis=1), np.roll(y0, -1, axis=1)

    low, high = np.minimum(y0, y1)[:, None], np.maximum(y0, y1)[:, None]
    crossed = (low <= _ROW_CENTRES[:, None]) & (_ROW_CENTRES[:, None] < high)
    j, row, edge = np.nonzero(crossed)  # [crossing], sorted by position_y, then row
    dx, dy = (x1 - x0)[:, edge], (y1 - y0)[j, edge]
    # First column whose centre, 256 column + 128, is not left of the edge, by ceiling division.
    above = (x0[:, edge] - 128) * dy + (_ROW_CENTRES[row] - y0[j, edge]) * dx
    column = -(-above // (256 * dy))  # [position_x, crossing]

    lines = 64 * j + row
    first = np.flatnonzero(np.diff(lines, prepend=-1))
    images = np.zeros((32, 32 * 64), np.uint64)
    images[:, lines[first]] = np.bitwise_xor.reduceat(_FROM_COLUMN[column], first, axis=1)
    return images.astype(">u8").view(np.uint8).reshape(BLOCK, IMAGE_BYTES)


def _snap(pixels: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.floor(256 * pixels + 0.5).astype(np.int64)


def _outlines() -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]:
    """Return X and Y (pointing down) of the square, ellipse and heart at scale 1, in pixels."""
    square = 9.6 * np.array([1, 1, -1, -1]), 9.6 * np.array([1, -1, -1, 1])
    a = 2 * np.pi * np.arange(100) / 100
    ellipse = 9.6 * 1.33 * np.cos(a), 9.6 / 1.33 * np.sin(a)
    a = 2 * np.pi * np.arange(150) / 150
    lobes = 13 * np.cos(a) - 5 * np.cos(2 * a) - 2 * np.cos(3 * a) - np.cos(4 * a)
    return square, ellipse, (9.6 * np.sin(a) ** 3, -(19.2 / 29) * lobes - 1.44)


_OUTLINES = _outlines()
# The image's rows, top to bottom, in the flipped y of the rasteriser, in 1/256 pixel.
_ROW_CENTRES = 256 * np.arange(64)[::-1] + 128
# White from column c to the right edge; the highest bit is the left-most pixel; c = 64: no white.
_FROM_COLUMN = np.array([(2**64 - 1) >> c for c in range(65)], np.uint64)


def _read(path: Path) -> Iterator[Packed]:
    """Yield the blocks of the official npz, [1024, 512], without loading all of its 3 GB."""
    with open_npz(path, "dSprites", REMEDY) as arrays:
        if "imgs" not in arrays.keys:
            raise ValueError("it has no array 'imgs'")
        for name in ("latents_classes", "latents_values"):
            if name in arrays.keys:
                _check_latents(name, arrays.array(name, LABEL_BYTES))
        shape, dtype = arrays.header("imgs")
        if shape != (COUNT, 64, 64) or dtype != np.uint8:
            raise ValueError(f"expected 'imgs' as uint8 {(COUNT, 64, 64)}, got {dtype} {shape}")
        blocks = arrays.blocks("imgs", BLOCK)
        for block, pixels in zip(np.ndindex(3, 6, 40), blocks, strict=True):
            yield _pack(pixels, block)


def _check_latents(name: str, latents: NDArray[np.generic]) -> None:
    """Raise unless the latents are in row-major order over the axes."""
    classes = np.unravel_index(np.arange(COUNT), tuple(AXES.values()))
    if latents.shape != (COUNT, len(AXES)):
        shape = (COUNT, len(AXES))
        raise ValueError(f"expected '{name}' of shape {shape}, got {latents.shape}")
    for column, labels, values in zip(latents.T, classes, VALUES, strict=True):
        expected = labels if name == "latents_classes" else values[labels]
        # Published values differ from linspace in the last bit, and some copies are float32.
        if not np.allclose(column, expected, rtol=0, atol=1e-3):
            raise ValueError(f"'{name}' is not in the published order")


def _pack(pixels: NDArray[np.uint8], block: tuple[int, ...]) -> Packed:
    """Bit-pack a block of images, [1024, 512]; raise unless they are the published ones."""
    if pixels.max() > 1:
        raise ValueError(f"expected only 0 and 1 in 'imgs', got values up to {pixels.max()}")
    packed = np.packbits(pixels).reshape(BLOCK, IMAGE_BYTES)
    drawn = render(*block)
    # The geometry may be wrong in a few pixels; a different image differs in hundreds.
    if np.unpackbits(packed ^ drawn).sum() > 0.01 * np.unpackbits(drawn).sum():
        raise ValueError("the images in 'imgs', or their order, differ from the published file")
    return packed
