"""XYSquares: Michlo et al. (2023), https://arxiv.org/abs/2202.13341."""

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from disentangle import Grid
from disentangle.data import About, Location, about
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from torch import Tensor

PLACES, SIDE = 8, 8  # places along each axis; side of a square in pixels
ABOUT = About(
    about="A red, a green and a blue square on a grid; drawn here",
    display="XYSquares",
    images=PLACES**6,
    licence="CC0-1.0",
    drawn=True,
)


class XYSquares(Grid):
    """A red, a green and a blue square, each in one of 8 x 8 places that do not overlap.

    In squared error all places of a square are equally far apart, however close in x and y.
    """

    image_shape = (3, 64, 64)
    source = "drawn"

    def __init__(self) -> None:
        super().__init__({f"{axis}_{colour}": PLACES for colour in "RGB" for axis in "xy"})
        cells = np.eye(PLACES**2, dtype=np.uint8).reshape(-1, PLACES, PLACES)
        self._planes = np.kron(cells, np.full((SIDE, SIDE), 255, np.uint8))  # [place, row, column]
        content = repr(self.every_factor).encode() + self._planes.tobytes()
        self.fingerprint = hashlib.sha256(content).hexdigest()

    def images(self, index: ArrayLike) -> "Tensor":
        """Return the images at `index` [N] as uint8 [N, 3, 64, 64], 0 or 255."""
        from torch import from_numpy

        places = self.every_label(index).reshape(-1, 3, 2)  # [N, colour, x and y]
        return from_numpy(self._planes[PLACES * places[..., 1] + places[..., 0]])


@about(ABOUT)
def open(location: Location) -> XYSquares:
    """Open the dataset, which needs no file; others find theirs through `location`."""
    return XYSquares()
