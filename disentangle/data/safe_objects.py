"""Text and numbers of a pickled NumPy array of objects, read without running anything of the file.

`np.savez` pickles such arrays, for example the columns' names of a data frame. Here every class of
the pickle is replaced by a stand-in that only keeps what it is given.
"""

import io
import pickle
import re
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCALAR = re.compile(r"[biuf][1248]|U\d{1,4}")
"""Types of the NumPy scalars that are read."""


class _Array:
    """Stands in for an array: keeps its state."""

    state: Any = ()

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Dtype:
    """Stands in for a dtype: keeps its name and byte order."""

    order = "<"

    def __init__(self, name: str, *_: Any) -> None:
        self.name = name

    def __setstate__(self, state: Any) -> None:
        self.order = state[1] if state[1] in ("<", ">", "|") else "<"


def _scalar(dtype: _Dtype, content: bytes) -> Any:
    """The value of a NumPy scalar."""
    if not (isinstance(dtype, _Dtype) and SCALAR.fullmatch(dtype.name)):
        raise ValueError
    return np.frombuffer(content, np.dtype(f"{dtype.order}{dtype.name}"))[0].item()


STAND_INS = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): lambda *_: _Array(),
    ("numpy.core.multiarray", "scalar"): _scalar,
}


class _Reader(pickle.Unpickler):
    """An unpickler that makes stand-ins alone."""

    def find_class(self, module: str, name: str) -> Any:
        return STAND_INS[module.replace("numpy._core", "numpy.core"), name]

    def persistent_load(self, pid: Any) -> Any:
        raise ValueError


def read_objects(content: bytes, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return an object array of this shape from its pickle.

    Raises:
        ValueError: it holds anything but text, numbers, booleans and None.
    """
    try:
        found = _Reader(io.BytesIO(content)).load()
        entries = found.state[4]  # in C order, whatever the order in memory
        if not (isinstance(entries, list) and len(entries) == prod(shape)):
            raise ValueError
        if not all(isinstance(e, str | bytes | bool | int | float | None) for e in entries):
            raise ValueError
    except Exception:  # a pickle may raise anything
        raise ValueError("Python objects other than text and numbers") from None
    array = np.empty(len(entries), dtype=object)
    array[:] = entries
    return array.reshape(shape)
