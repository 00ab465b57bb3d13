"""Datasets of vectors: their contract, their views, and what encoders read of them."""

import numpy as np
import pytest
import torch

from disentangle.contracts.dataset import Index
from disentangle.contracts.vectors import Vectors, check_vectors, encoder_inputs, has_vectors
from disentangle.data.loading import check_some
from disentangle.errors import Unavailable

TABLE = torch.arange(12, dtype=torch.float32)[:, None].repeat(1, 3)


class Numbered(Vectors):
    """The vector of row i is i in each of three places; its factors are i // 4 and i % 4."""

    image_shape = (3, 1, 1)
    fingerprint = "0" * 64
    source = "here"

    def __init__(self, table: torch.Tensor = TABLE) -> None:
        self.table = table
        self.every_factor = {"a": 3, "b": 4}

    def __len__(self) -> int:
        return 12

    def vectors(self, index):
        return self.table[self._index(index)]

    def every_label(self, index) -> Index:
        rows = self._index(index)
        return np.stack([rows // 4, rows % 4], 1)


def test_encoders_read_vectors_also_of_views() -> None:
    data = Numbered()
    view = data.view(hold_out=["a=0"], split="test")
    assert not isinstance(view, Vectors)
    assert has_vectors(view)
    assert encoder_inputs(data, [5, 2])[:, 0].tolist() == [5, 2]
    assert encoder_inputs(view, [3, 0])[:, 0].tolist() == [3, 0]
    with pytest.raises(Unavailable, match="has vectors, not images"):
        view.images([0])


def test_a_notebook_names_vectors() -> None:
    assert "vectors" in Numbered()._repr_html_()


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (TABLE.double(), "expected vectors of float32, got torch.float64"),
        (TABLE[:, :2], r"expected vectors \[8, 3\], .*, got \[8, 2\]"),
        (TABLE / 0, "expected finite vectors"),
        (TABLE * 0, "all vectors are the same"),
    ],
)
def test_vectors_are_checked_when_they_are_opened(table: torch.Tensor, problem: str) -> None:
    check_some(Numbered())
    check_vectors(Numbered(), [0])
    with pytest.raises((TypeError, ValueError), match=problem):
        check_some(Numbered(table))
