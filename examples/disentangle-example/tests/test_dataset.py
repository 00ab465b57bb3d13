"""Tests of XYSquares: the contract of a dataset, and the geometry."""

import numpy as np
from disentangle.testing import conformance

from disentangle_example.dataset import XYSquares

test_conformance = conformance(datasets=["xy-squares"])


def test_squares_are_where_their_labels_say() -> None:
    """Red is at x = 1, y = 2, green and blue are in two corners, and nothing else is drawn."""
    data = XYSquares()
    (image,) = data.images(data.index([[1, 2, 0, 0, 7, 7]])).numpy() // 255
    assert image[0, 16:24, 8:16].all()
    assert image[1, :8, :8].all()
    assert image[2, 56:, 56:].all()
    assert image.sum() == 3 * 8 * 8


def test_places_are_equally_far_apart() -> None:
    """In squared error a neighbouring place is as far away as the farthest along x."""
    data = XYSquares()
    labels = np.zeros((3, 6), np.int64)
    labels[1:, 0] = 1, 7
    first, near, far = data.images(data.index(labels)).double() / 255
    assert (first - near).square().sum() == (first - far).square().sum() == 2 * 8 * 8
