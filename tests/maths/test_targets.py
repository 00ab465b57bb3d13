"""What probes predict of factors of real numbers."""

import numpy as np
import pytest

from disentangle.maths import numeric_targets, regression
from disentangle.scoring.arrays import array_source


def source_of_each_kind():
    rng = np.random.default_rng(0)
    v = np.stack([rng.normal(size=60), rng.uniform(0, 360, 60), np.arange(60) % 12], 1)
    kinds = {"x": "continuous", "turn": "cyclic=360", "hour": "cyclic=12"}
    return v, array_source(v, v, names=list(kinds), kinds=kinds)


@pytest.mark.parametrize("angles", [False, True])
def test_targets_are_numbers_or_angles(angles):
    v, source = source_of_each_kind()
    targets = numeric_targets(source, source.labels(np.arange(60)), angles=angles)
    turn, hour = np.radians(v[:, 1]), 2 * np.pi * v[:, 2] / 12
    expected = {0: v[:, [0]], 1: np.stack([np.cos(turn), np.sin(turn)], 1)}
    if angles:
        expected[2] = np.stack([np.cos(hour), np.sin(hour)], 1)
    assert targets.keys() == expected.keys()
    for k, target in expected.items():
        assert targets[k] == pytest.approx(target)


def test_r2_of_a_regression_is_of_all_columns_together():
    y = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]])

    def of_the_second_column(column):
        return np.array([0.25, 0.75]), column if column.max() == 2 else 0 * column

    importance, r2 = regression(of_the_second_column, y, y)
    assert r2 == pytest.approx(0.8)  # of the sum of squares, 2 + 8, the 2 are left
    assert importance == pytest.approx([0.25, 0.75])


def test_r2_is_never_negative():
    y = np.array([[0.0], [1.0]])
    assert regression(lambda column: (np.ones(1), 1 - column), y, y)[1] == 0
