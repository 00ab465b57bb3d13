"""Kinds of the factors of built-in datasets: what they claim holds of their images."""

from itertools import pairwise

import numpy as np
import pytest

from disentangle.contracts import registry
from disentangle.contracts.dataset import Grid, Index
from disentangle.data.array_datasets import as_dataset
from disentangle.data.location import Location
from disentangle.data.prepared import Content, Preparation
from disentangle.runs.records import DatasetRecord
from disentangle_plugins.datasets import (
    cars3d,
    chairs,
    chairs_parametric,
    dsprites,
    isaac3d_falcor3d,
    mpi3d,
    shapes3d,
    smallnorb,
)

HEART = [0, 2, 5, 0, 16, 16]  # labels of a heart in the middle, which has no symmetry of rotation
DECLARED = {
    "dsprites": (dsprites.KINDS, dsprites.AXES),
    "chairs-parametric": (chairs_parametric.KINDS, chairs_parametric.AXES),
    "chairs": (chairs.KINDS, ("identity", "azimuth", "elevation")),
    "cars3d": (cars3d.KINDS, ("identity", "azimuth", "elevation")),
    "shapes3d": (shapes3d.KINDS, shapes3d.FACTORS),
    "smallnorb": (smallnorb.KINDS, smallnorb.FACTORS),
    "mpi3d-toy": (mpi3d.KINDS, mpi3d.FACTORS),
    "isaac3d": (isaac3d_falcor3d.ISAAC.kinds, isaac3d_falcor3d.ISAAC.factors),
    "falcor3d": (isaac3d_falcor3d.FALCOR.kinds, isaac3d_falcor3d.FALCOR.factors),
}


def around(images: np.ndarray) -> list[float]:
    """How far each image is from the next, the last from the first: images [N, ...]."""
    circle = [*images.astype(float), images[0].astype(float)]
    return [float(np.abs(a - b).mean()) for a, b in pairwise(circle)]


def rows(labels: list[int], column: int, values: int) -> Index:
    table = np.tile(np.array(labels, np.int64), (values, 1))
    table[:, column] = np.arange(values)
    return table


def test_orientations_of_dsprites_close_a_circle_of_39_labels(dsprites_folder) -> None:
    data = dsprites.open(Location(folder=dsprites_folder / "dsprites"))
    period = int(data.kind("orientation").period)
    images = data.images(data.index(rows(HEART, 3, 40))).numpy()
    np.testing.assert_array_equal(images[period], images[0])
    *steps, across = around(images[:period])
    assert min(steps) * 0.8 <= across <= max(steps) * 1.2


def test_azimuths_of_chairs_close_a_circle() -> None:
    labels = rows([0, 0, 2, 2, 1, 0], 5, 24)
    *steps, across = around(chairs_parametric.render(labels))
    assert min(steps) * 0.8 <= across <= max(steps) * 1.2
    assert np.allclose(steps[0], across, rtol=0.05)  # a chair is its own mirror image


def test_widths_of_chairs_close_no_circle() -> None:
    *steps, across = around(chairs_parametric.render(rows([0, 0, 2, 2, 1, 3], 2, 5)))
    assert across > 2 * max(steps)


@pytest.mark.parametrize("name", DECLARED)
def test_kinds_are_of_factors_that_the_dataset_has(name: str) -> None:
    kinds, factors = DECLARED[name]
    assert name in registry.datasets.entries
    assert set(kinds) <= set(factors)
    cyclic = [factor for factor, kind in kinds.items() if kind.startswith("cyclic")]
    assert bool(cyclic) == (name not in ("mpi3d-toy", "isaac3d", "falcor3d"))


def grid(tmp_path, values: int) -> Grid:
    pixels = np.random.default_rng(0).integers(0, 256, (2 * values, 8, 8, 1), np.uint8)
    content = Content(
        blocks=[pixels], shape=pixels.shape, source="here", factors={"a": "xy", "b": range(values)}
    )
    prepared = Preparation(folder=tmp_path, version=1).get(lambda stack: content)
    data = as_dataset(prepared, kinds={"a": "ordinal", "b": "cyclic=4"})
    assert isinstance(data, Grid)
    return data


def test_a_cyclic_factor_needs_all_values_of_a_period(tmp_path) -> None:
    assert grid(tmp_path / "all", 4).kinds == {"a": "ordinal", "b": "cyclic=4"}
    assert grid(tmp_path / "some", 3).kinds == {"a": "ordinal"}


def test_kinds_are_no_part_of_the_fingerprint(tmp_path) -> None:
    data = grid(tmp_path, 4)
    plain = as_dataset(
        Preparation(folder=tmp_path, version=1).get(lambda stack: pytest.fail("prepared again"))
    )
    assert plain.fingerprint == data.fingerprint
    assert DatasetRecord.of(data) == DatasetRecord.of(plain)
