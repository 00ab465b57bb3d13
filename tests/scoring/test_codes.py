"""Codes that are encoded on demand."""

import numpy as np
import pytest

from disentangle.data.loading import load_dataset
from disentangle.scoring.encoders import FunctionSource

pytestmark = pytest.mark.usefixtures("strangers")


def test_progress_counts_each_request_anew_so_that_its_total_never_grows():
    calls = []
    source = FunctionSource(
        lambda x: x.mean((2, 3)), load_dataset("tiny"), progress=lambda *call: calls.append(call)
    )
    source.chunk = 4
    source.codes(np.arange(10))
    assert calls == [(0, 10), (4, 10), (8, 10), (10, 10)]
    calls.clear()
    source.lookup(np.arange(5, 14).reshape(3, 3), np.arange(12, 16))
    assert calls == [(0, 6), (4, 6), (6, 6)]
    calls.clear()
    source.codes(np.arange(16))
    assert calls == []


def test_total_is_known_before_images_are_looked_up_one_by_one(monkeypatch):
    calls = []
    source = FunctionSource(
        lambda x: x.mean((2, 3)), load_dataset("tiny"), progress=lambda *call: calls.append(call)
    )
    monkeypatch.setattr("disentangle.contracts.source.TABLE", 0)
    codes = source.lookup(np.arange(3))
    for image in range(3):
        codes(np.array([image]))
    assert calls == [(0, 3), (1, 3), (2, 3), (3, 3)]
