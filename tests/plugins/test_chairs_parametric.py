"""The chairs against ray casting by the slab method, and against what must hold of any of them."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from disentangle.contracts.dataset import Grid
from disentangle.data.location import Location
from disentangle_plugins.datasets import chairs_parametric
from disentangle_plugins.datasets.chairs_parametric import (
    ABOUT,
    AXES,
    DISTANCE,
    RAYS,
    RED,
    SIZE,
    TARGET,
    VIEW,
    WOOD,
    bar,
    camera,
    chair,
    draw,
    render,
)

SIZES = tuple(len(values) for values in AXES.values())
SOME = np.random.default_rng(0).integers(0, SIZES, (60, 6))  # labels
CHAIRS = [
    chair(legs, style, width / 100, height / 100)
    for legs in AXES["legs"]
    for style in AXES["style"]
    for width in AXES["width"]
    for height in AXES["height"]
]
# Of SOME. Other images need another version of the preparation, or old ones stay in use.
VERSION_1 = "58cb0895bf0fb354bc8c8d1cb29a38a11f4d170662c531792d3e6ce6f2928e69"


def unlike(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return in how many pixels images [..., 64, 64, 3] differ visibly."""
    return (np.abs(a.astype(int) - b).max(-1) > 8).sum((-2, -1))


def test_images_are_those_of_version_1_drawn_alone_or_together() -> None:
    images = render(SOME)
    np.testing.assert_array_equal(np.concatenate([render(row) for row in SOME[::-1]])[::-1], images)
    assert hashlib.sha256(images).hexdigest() == VERSION_1


def few_chairs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, progress: Callable[..., None] = lambda *n: None
) -> Grid:
    """Return the dataset of eight chairs, of two values each of style, height and azimuth."""
    few = {name: values[1 : 2 + k % 2] for k, (name, values) in enumerate(AXES.items())}
    monkeypatch.setattr(chairs_parametric, "AXES", few)
    data = chairs_parametric.open(Location(folder=folder, progress=progress))
    assert isinstance(data, Grid)
    return data


def test_as_many_images_are_promised_as_there_are_combinations() -> None:
    assert np.prod(SIZES) == ABOUT.images


def test_the_dataset_is_a_grid_of_the_axes_that_vary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = few_chairs(tmp_path, monkeypatch)
    assert (len(data), data.image_shape, data.source) == (8, (3, 64, 64), "drawn")
    assert data.factors == {"style": 2, "height": 2, "azimuth": 2}
    assert data.values["legs"] == ("splayed",)
    assert data.values["height"] == ("32", "40")
    assert data.values["azimuth"] == ("15", "30")


def test_images_are_found_by_their_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = few_chairs(tmp_path, monkeypatch)
    labels = np.array([[0, 1, 0, 0, 0, 1], [0, 0, 0, 1, 0, 0], [0, 1, 0, 1, 0, 0]])
    images = data.images(data.index(labels)).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(images, render(labels))


def test_progress_goes_up_to_all_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[int, int]] = []
    few_chairs(tmp_path, monkeypatch, progress=lambda *counts: done.append(counts))
    assert done[-1] == (8, 8)


def slabs(boxes: list[tuple[np.ndarray, np.ndarray]], eye: np.ndarray, axes: np.ndarray):
    """Return which box (-1 is none) and which axis of it each ray meets first, [RAYS, RAYS]."""
    slope = ((np.arange(RAYS) + 0.5) / RAYS * 2 - 1) * VIEW
    u, v = np.meshgrid(slope, slope)
    rays = axes[0] + u[..., None] * axes[1] + v[..., None] * axes[2]
    times, sides = [], []
    for low, high in boxes:
        t = np.sort(np.stack([(low - eye) / rays, (high - eye) / rays]), axis=0)  # [2, y, x, axis]
        hit = t[0].max(-1) <= t[1].min(-1)
        times.append(np.where(hit, t[0].max(-1), np.inf))
        sides.append(t[0].argmax(-1))
    first = np.argmin(times, axis=0)
    side = np.take_along_axis(np.array(sides), first[None], 0)[0]
    return np.where(np.isinf(np.min(times, axis=0)), -1, first), side


@pytest.mark.parametrize(
    ("elevation", "azimuth"), [(0.1, 0.3), (0.6, 2.0), (0.3, 4.0), (-0.4, 5.5)]
)
def test_boxes_are_where_the_slab_method_meets_them(elevation: float, azimuth: float) -> None:
    rng = np.random.default_rng(1)
    middle = TARGET + rng.uniform(-0.2, 0.2, (6, 3))
    size = rng.uniform(0.05, 0.4, (6, 3))
    up = np.array([0, 0.5, 0])
    parts = [
        bar(m - s * up, m + s * up, (s[0], s[2]), colour)
        for m, s, colour in zip(middle, size, [RED, WOOD] * 3, strict=True)
    ]
    eye, axes = camera(elevation, azimuth)
    box, side = slabs(
        [(m - s / 2, m + s / 2) for m, s in zip(middle, size, strict=True)], eye, axes
    )

    expected = np.full((RAYS, RAYS, 3), 255.0)
    for k, part in enumerate(parts):
        for axis in range(3):
            towards = np.sign(eye - middle[k])[axis] * np.eye(3)[axis]
            (face,) = np.flatnonzero(part.normals @ towards > 0.999)
            expected[(box == k) & (side == axis)] = part.colours[face]
    n = RAYS // SIZE
    expected = expected.reshape(SIZE, n, SIZE, n, 3).mean((1, 3))
    wrong = np.abs(draw(parts, eye, axes) - expected).max(-1) > 0.51
    assert wrong.sum() <= 2  # a ray along an edge may fall to either side in float32


def test_the_camera_looks_at_its_target_from_where_its_angles_say() -> None:
    eye, axes = camera(np.radians(30), np.radians(90))
    # On the chair's right, seen by one who faces it, and half the distance above the target.
    np.testing.assert_allclose(eye - TARGET, [DISTANCE * np.sqrt(0.75), DISTANCE / 2, 0], atol=1e-9)
    np.testing.assert_allclose(axes @ (TARGET - eye), [DISTANCE, 0, 0], atol=1e-9)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(np.cross(axes[0], axes[1]), axes[2], atol=1e-9)  # down
    assert axes[2, 1] < 0


def test_a_square_seen_from_the_front_has_the_area_of_its_perspective() -> None:
    side, depth = 0.5, 0.2
    eye, axes = camera(0, 0)
    up = np.array([0, side / 2, 0])
    image = draw([bar(TARGET - up, TARGET + up, (side, depth))], eye, axes)
    pixels = side / (DISTANCE - depth / 2) / VIEW * SIZE / 2
    ink = ((255.0 - image) / (255.0 - image[32, 32])).mean(-1).sum()
    assert np.sqrt(ink) == pytest.approx(pixels, abs=SIZE / RAYS)


def test_parts_are_convex_and_their_faces_look_outward() -> None:
    for corners, normals, offsets, colours in (part for parts in CHAIRS[::7] for part in parts):
        beyond = corners @ normals.T - offsets  # [corner, face]
        assert beyond.max() < 1e-12
        assert (np.abs(beyond) < 1e-12).sum(0).min() >= 4  # corners on each face
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)
        assert colours.max() < 215  # apart from the background


def test_a_chair_stands_on_the_floor_and_its_right_mirrors_its_left() -> None:
    for parts in CHAIRS:
        corners = np.concatenate([part.corners for part in parts])
        assert corners[:, 1].min() == 0
        distance = np.linalg.norm(corners[:, None] * [-1, 1, 1] - corners, axis=-1)
        assert distance.min(0).max() < 1e-12


def test_no_part_of_any_chair_reaches_the_border_from_any_side() -> None:
    corners = np.concatenate([part.corners for parts in CHAIRS for part in parts])
    for elevation in np.radians(AXES["elevation"]):
        for azimuth in np.radians(AXES["azimuth"]):
            eye, axes = camera(elevation, azimuth)
            seen = (corners - eye) @ axes.T
            pixel = SIZE / 2 * (1 + seen[:, 1:] / seen[:, :1] / VIEW)
            assert 1 <= pixel.min() <= pixel.max() <= SIZE - 1


def test_the_background_is_white_and_the_chair_is_not() -> None:
    images = render(SOME)
    assert (images[:, [0, -1]] == 255).all()
    assert (images[:, :, [0, -1]] == 255).all()
    share = (images < 255).any(-1).mean((1, 2))
    assert 0.05 < share.min() < share.max() < 0.5


@pytest.mark.parametrize("axis", range(6), ids=list(AXES))
def test_every_value_of_a_factor_looks_unlike_the_others(axis: int) -> None:
    for row in SOME[:10]:
        rows = np.repeat(row[None], SIZES[axis], axis=0)
        rows[:, axis] = np.arange(SIZES[axis])
        images = render(rows)
        assert unlike(images[:, None], images)[~np.eye(len(rows), dtype=bool)].min() >= 10


@pytest.mark.slow
def test_no_two_of_the_smallest_chairs_look_the_same() -> None:
    # Of the two smallest widths and heights, and every fourth azimuth.
    few = np.array(list(np.ndindex(4, 3, 2, 2, 3, 6))) * [1, 1, 1, 1, 1, 4]
    images = render(few)
    assert len(np.unique(images.reshape(len(few), -1), axis=0)) == len(few)


def test_images_from_the_left_mirror_those_from_the_right() -> None:
    mirrored = SOME * [1, 1, 1, 1, 1, -1] % SIZES
    np.testing.assert_array_equal(render(SOME), render(mirrored)[:, :, ::-1])
