"""Vectors in an array, with factors of real numbers and of classes."""

import numpy as np

from disentangle.data.factor_values import read_factors
from disentangle.data.vector_table import VectorTable


def test_labels_are_ranks_and_numbers_the_values() -> None:
    rng = np.random.default_rng(0)
    columns = np.stack([rng.normal(size=60), np.arange(60) % 3], 1)
    kinds = {"x": "continuous", "part": "categorical"}
    data = VectorTable(
        rng.normal(size=(60, 4)),
        read_factors(columns, ["x", "part"], kinds=kinds),
        source="here",
        fingerprint="0" * 64,
        nuisance=["part"],
        dependence="x depends",
    )
    assert len(data) == 60
    assert data.image_shape == (4, 1, 1)
    assert data.vectors([3, 1]).shape == (2, 4)
    assert data.dependence == "x depends"
    assert (list(data.factors), data.real_factors) == (["x"], ("x",))
    labels = data.every_label(np.arange(60))
    np.testing.assert_array_equal(labels[:, 0], columns[:, 0].argsort().argsort())
    np.testing.assert_array_equal(labels[:, 1], columns[:, 1])
    np.testing.assert_array_equal(np.array(data.numbers["x"])[labels[:, 0]], columns[:, 0])
