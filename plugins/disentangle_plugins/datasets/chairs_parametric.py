"""Parametric chairs: every combination of six factors, drawn by this module without a download.

They resemble the 3D chairs of Aubry et al. (2014), "Seeing 3D chairs",
https://www.di.ens.fr/willow/research/seeing3Dchairs/, where only the view is a known factor. Here:

    legs       straight, splayed, a pedestal on a star, cantilever
    style      of the back: panel, ladder, spindles
    width      of the seat: 34 to 66 cm
    height     of the back above the seat: 24 to 56 cm
    elevation  of the camera: 8, 22 and 36 degrees
    azimuth    of the camera: 0 to 345 degrees in steps of 15; 0 is in front of the chair

Azimuth is cyclic, with a period of 24 labels; legs and style are categorical, and the others
ordinal.

The seat is always red and everything else is wood, so colour does not reveal the legs or the back.

A chair is a union of convex prisms; a ray shows the first prism that it meets. Lengths are in
metres along axes fixed to the chair: x to the right as seen from its front, y up, z to its front.
The origin is on the floor below the middle of the seat.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle import Dataset
from disentangle.data import About, Content, Location, Preparation, about, as_dataset, counted

AXES: Mapping[str, Sequence[Any]] = {
    "legs": ("straight", "splayed", "pedestal", "cantilever"),
    "style": ("panel", "ladder", "spindles"),
    "width": (34, 42, 50, 58, 66),  # cm
    "height": (24, 32, 40, 48, 56),  # cm
    "elevation": (8, 22, 36),  # degrees
    "azimuth": range(0, 360, 15),  # degrees
}
KINDS = {"width": "ordinal", "height": "ordinal", "elevation": "ordinal", "azimuth": "cyclic=24"}
ABOUT = About(
    about="Chairs in colour, every combination of six factors; drawn here",
    display="Parametric chairs",
    images=21_600,
    licence="Apache-2.0 (drawn by disentangle)",
    drawn=True,
)

BLOCK = 72  # images of one chair, which are consecutive
SIZE, RAYS = 64, 192  # pixels and rays along each side of the image; more rays for anti-aliasing
TARGET = np.array([0, 0.5, -0.03])  # the point that the camera looks at
DISTANCE = 3.2  # from the target to the camera
VIEW = 0.232  # half the side of the image, at distance 1

DEPTH, SEAT, CUSHION = 0.46, 0.45, 0.06  # the seat's depth, height of its underside, thickness
RECLINE = 0.16  # how far the back leans, per unit of its height
RED, WOOD = np.array([0.80, 0.25, 0.20]), np.array([0.76, 0.54, 0.32])
AMBIENT = 0.4
# From the front, 70 degrees up: in the chair's plane of symmetry, so that its images mirror.
LIGHT = np.array([0, np.sin(np.radians(70)), np.cos(np.radians(70))])

Floats: TypeAlias = NDArray[np.float64]
Images: TypeAlias = NDArray[np.uint8]
Point: TypeAlias = Sequence[float] | Floats
Size: TypeAlias = tuple[float, float]


@about(ABOUT)
def open(location: Location) -> Dataset:
    """Open the chairs, which are drawn on first use: a grid of colour images [64, 64], on white.

    Raises:
        DisentangleError: the folder is not writable, or the disk is full.
    """

    def make(stack: ExitStack) -> Content:
        labels = np.array(list(np.ndindex(*map(len, AXES.values()))))
        location.say(f"{location.name}: drawing {len(labels):,} images once, about 30 seconds")
        # One thread: two are no faster, as with arrays this small most time is spent in Python.
        blocks = (render(labels[i : i + BLOCK]) for i in range(0, len(labels), BLOCK))
        return Content(
            blocks=counted(blocks, len(labels), location.progress),
            shape=(len(labels), SIZE, SIZE, 3),
            source="drawn",
            factors=AXES,
        )

    preparation = Preparation(folder=location.folder, version=1, say=location.say)
    return as_dataset(preparation.get(make), kinds=KINDS)


def render(labels: ArrayLike) -> Images:
    """Draw the images [N, 64, 64, 3] at labels [N, 6], which are indices along AXES."""
    rows = np.asarray(labels, np.int64).reshape(-1, len(AXES))
    images = np.empty((len(rows), SIZE, SIZE, 3), np.uint8)
    for image, row in zip(images, rows, strict=True):
        legs, style, width, height, elevation, azimuth = (
            values[i] for values, i in zip(AXES.values(), row, strict=True)
        )
        eye, axes = camera(np.radians(elevation), np.radians(azimuth))
        image[:] = draw(chair(legs, style, width / 100, height / 100), eye, axes)
    return images


class Prism(NamedTuple):
    """A convex body with four sides and two ends: all x with normals @ x <= offsets."""

    corners: Floats  # [8, 3]
    normals: Floats  # [6, 3], outward and of length 1
    offsets: Floats  # [6], distances of the faces from the origin, along their normals
    colours: NDArray[np.uint8]  # [6, 3], of the lit faces


@lru_cache(maxsize=1)  # neighbours in the grid are views of the same chair
def chair(legs: str, style: str, width: float, height: float) -> tuple[Prism, ...]:
    """Return the parts of a chair with a seat of this width and a back of this height."""
    seat = bar([0, SEAT, 0], [0, SEAT + CUSHION, 0], (width, DEPTH), RED)
    return seat, *LEGS[legs](width), *STYLES[style](width, height)


def camera(elevation: float, azimuth: float) -> tuple[Floats, Floats]:
    """Return the camera's position [3] and axes forward, right, down [3, 3]; angles in radians."""
    ce, se, ca, sa = np.cos(elevation), np.sin(elevation), np.cos(azimuth), np.sin(azimuth)
    axes = np.array([[-ce * sa, -se, -ce * ca], [ca, 0, -sa], [se * sa, -ce, se * ca]])
    return TARGET - DISTANCE * axes[0], axes


def draw(parts: Sequence[Prism], eye: Floats, axes: Floats) -> Images:
    """Draw bodies that are in view on white: an image [64, 64, 3].

    The ray forward + u right + v down meets the plane n.x = d at the distance t with

        1 / t = n.(forward + u right + v down) / (d - n.eye),

    which is linear in u and v. The ray enters a body at the last of the planes that the eye is in
    front of, unless it has already left the body through another plane. It shows the body with the
    largest 1 / t.
    """
    slopes = (VIEW / RAYS * np.arange(1 - RAYS, RAYS, 2)).astype(np.float32)  # u of columns, v
    nearest = np.zeros((RAYS, RAYS), np.float32)  # 1 / t
    canvas = np.full((RAYS, RAYS, 3), 255, np.uint8)
    for corners, normals, offsets, colours in parts:
        seen = (corners - eye) @ axes.T
        x, y = (RAYS / 2 * (1 + seen[:, 1:] / seen[:, :1] / VIEW)).T.astype(np.int64)
        window = slice(y.min(), y.max() + 1), slice(x.min(), x.max() + 1)
        v, u = slopes[window[0], None], slopes[window[1]]
        gap = offsets - normals @ eye
        a, b, c = (normals @ axes.T / gap[:, None]).T.astype(np.float32)[:, :, None, None]
        inverse = a + c * v + b * u  # [face, row, column]
        front = gap < 0
        planes, leave = inverse[front], inverse[~front].max(0)
        enter = planes.min(0)
        shown = (enter >= leave) & (enter > nearest[window])
        nearest[window][shown] = enter[shown]
        canvas[window][shown] = colours[front][planes.argmin(0)[shown]]
    n = RAYS // SIZE
    # One axis at a time: summing both at once takes numpy three times as long.
    total = canvas.reshape(SIZE, n, SIZE, n, 3).sum(1, dtype=np.uint16).sum(2, dtype=np.uint16)
    image: Images = ((total + n * n // 2) // (n * n)).astype(np.uint8)
    return image


def prism(first: Floats, second: Floats, colour: Floats = WOOD) -> Prism:
    """Return the body between two ends [4, 3], whose corresponding sides are parallel.

    Its faces are lit by wrapped Lambert shading, (1 + n.l) / 2, so that faces turned away from the
    light differ too.
    """
    along, across = np.roll(first, -1, axis=0) - first, second - first
    normals = np.concatenate([np.cross(along, across), np.cross(along[[0, 0]], along[[1, 1]])])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    points = np.concatenate([first, first[:1], second[:1]])  # one on each face
    corners = np.concatenate([first, second])
    normals *= np.sign(((points - corners.mean(0)) * normals).sum(1, keepdims=True))
    light = AMBIENT + (1 - AMBIENT) * (1 + normals @ LIGHT) / 2
    colours = np.rint(255 * light[:, None] * colour).astype(np.uint8)
    return Prism(corners, normals, (points * normals).sum(1), colours)


def bar(low: Point, high: Point, size: Size, colour: Floats = WOOD, taper: float = 1) -> Prism:
    """Return a bar with horizontal ends, from one point to another above it.

    Its upper end measures `size` along x and z, its lower end `taper` times `size`.
    """
    end = np.array([[1, 0, 1], [1, 0, -1], [-1, 0, -1], [-1, 0, 1]]) / 2 * [size[0], 0, size[1]]
    return prism(low + taper * end, high + end, colour)


def straight(width: float) -> Iterator[Prism]:
    """Yield four upright legs."""
    for i, j in np.ndindex(2, 2):
        x, z = (2 * i - 1) * (width / 2 - 0.025), (2 * j - 1) * (DEPTH / 2 - 0.025)
        yield bar([x, 0, z], [x, SEAT, z], (0.05, 0.05))


def splayed(width: float) -> Iterator[Prism]:
    """Yield four legs that lean outward and taper."""
    for i, j in np.ndindex(2, 2):
        outward = np.array([2 * i - 1, 0, 2 * j - 1])
        top = outward * [width / 2 - 0.07, 0, DEPTH / 2 - 0.07] + [0, SEAT, 0]
        foot = outward * [width / 2 + 0.04, 0, DEPTH / 2 + 0.03]
        yield bar(foot, top, (0.06, 0.06), taper=0.6)


def pedestal(width: float) -> Iterator[Prism]:
    """Yield a column and the five arms of its star-shaped base."""
    yield bar([0, 0.05, 0], [0, SEAT, 0], (0.07, 0.07))
    for turn in 2 * np.pi * np.arange(5) / 5:
        out = np.array([np.sin(turn), 0, np.cos(turn)])
        side = np.array([np.cos(turn), 0, -np.sin(turn)])
        end = np.array([0.02 * side, -0.02 * side, -0.02 * side, 0.02 * side])
        end[:2, 1] = 0.08
        yield prism(end, end / 2 + (0.14 + width / 4) * out)


def cantilever(width: float) -> Iterator[Prism]:
    """Yield two front legs, with a runner from each to the crossbar at the back."""
    z = DEPTH / 2 - 0.025
    for x in (0.025 - width / 2, width / 2 - 0.025):
        yield bar([x, 0, z], [x, SEAT, z], (0.05, 0.05))
        yield bar([x, 0, 0], [x, 0.05, 0], (0.05, DEPTH))
    yield bar([0, 0, -z], [0, 0.05, -z], (width, 0.05))


def panel(width: float, height: float) -> Iterator[Prism]:
    """Yield one thick panel."""
    yield _plank(0, 0, height, (width, 0.07))


def ladder(width: float, height: float) -> Iterator[Prism]:
    """Yield two posts and three rungs between them."""
    yield from _posts(width, height)
    for top in height * np.array([0.4, 0.7, 1]):
        yield _plank(0, top - 0.16 * height, top, (width - 0.06, 0.03))


def spindles(width: float, height: float) -> Iterator[Prism]:
    """Yield two posts and three spindles under a thick rail."""
    yield from _posts(width, height - 0.05)
    yield _plank(0, height - 0.07, height, (width, 0.09))
    for x in (width - 0.05) * np.array([-0.25, 0, 0.25]):
        yield _plank(x, 0, height - 0.05, (0.03, 0.03))


def _posts(width: float, height: float) -> Iterator[Prism]:
    for x in (0.025 - width / 2, width / 2 - 0.025):
        yield _plank(x, 0, height, (0.05, 0.04))


def _plank(x: float, low: float, high: float, size: Size) -> Prism:
    """Return a part of the leaning back, from one height above the seat to another."""
    foot, top = ([x, SEAT + CUSHION + y, 0.035 - DEPTH / 2 - RECLINE * y] for y in (low, high))
    return bar(foot, top, size)


LEGS = {"straight": straight, "splayed": splayed, "pedestal": pedestal, "cantilever": cantilever}
STYLES = {"panel": panel, "ladder": ladder, "spindles": spindles}
