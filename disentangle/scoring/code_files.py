"""Codes and factors in a file, of any of the forms that people store arrays in.

| form | codes and factors |
| --- | --- |
| npz, HDF5, or a dictionary saved by torch | arrays of the names in `KEYS` |
| CSV or TSV with a header, Parquet | columns `code_0`, `code_1`, ...; all others are factors |
| npy, or a tensor saved by torch | codes alone; the factors are in a second file |
"""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from disentangle.data import npz
from disentangle.data.factor_values import kinds_by_name
from disentangle.data.file_kinds import kind_of
from disentangle.data.tables import SUFFIXES as TABLES
from disentangle.errors import DisentangleError, UsageError
from disentangle.scoring.arrays import factor_names
from disentangle.scoring.code_tables import read_table

KEYS = ("codes", "factors", "names", "kinds", "test_codes", "test_factors")
SUFFIXES = (".npz", ".npy", ".csv", ".tsv", ".parquet", ".h5", ".hdf5", ".pt", ".pth")
FORMS = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
WHAT = "codes and factors"
Arrays = dict[str, Any]


def read_codes(path: Path, labels: Path | None = None) -> Arrays:
    """Return the arrays of a file, by the names of the arguments of `score_codes`.

    Args:
        path: the file with codes, and with factors unless `labels` is given.
        labels: a file with the factors: a table of factors alone, an array, or the array
            `factors`.

    Raises:
        DisentangleError: a file cannot be read, or lacks codes or factors.
    """
    arrays = _read(path, alone="codes")
    if labels is not None:
        arrays = {k: v for k, v in arrays.items() if k == "codes"}
        arrays |= {k: v for k, v in _read(labels, alone="factors").items() if k != "codes"}
    if "codes" not in arrays:
        raise DisentangleError(
            f"cannot use {path} as codes: expected columns named code_0, code_1 and so on"
        )
    if "factors" not in arrays:
        raise DisentangleError(
            f"{labels or path} has no factors: give their file with `--labels FILE`, or store "
            "both, `np.savez('codes.npz', codes=codes, factors=factors)`"
        )
    if "names" in arrays:
        names = npz.words(np.asarray(arrays["names"]))
        arrays["names"] = [str(name) for name in names.ravel()]
    if "kinds" in arrays and not isinstance(arrays["kinds"], dict):
        try:
            columns = np.shape(arrays["factors"])[1:]
            columns_named = arrays.get("names") or factor_names(columns[0] if columns else 1)
            arrays["kinds"] = kinds_by_name(npz.words(np.asarray(arrays["kinds"])), columns_named)
        except ValueError as error:
            raise DisentangleError(f"cannot use {labels or path} as {WHAT}: {error}") from None
    return arrays


def _read(path: Path, alone: str) -> Arrays:
    """Return the arrays of a file; a single array without a name is the one called `alone`."""
    suffix = path.suffix.lower()
    if suffix == ".npz":
        with npz.open_npz(path, WHAT) as arrays:
            return {key: _npz_array(arrays, key) for key in _chosen(arrays.keys, alone)}
    readers = {".npy": _npy, ".h5": _hdf5, ".hdf5": _hdf5}
    readers |= dict.fromkeys(TABLES, read_table)
    readers |= {".pt": _tensors, ".pth": _tensors}
    if suffix not in readers:
        raise UsageError(
            f"{path}: expected a file that ends with {FORMS}; convert other files by "
            "`np.savez('codes.npz', codes=codes, factors=factors)`"
        )
    try:
        return readers[suffix](path, alone)
    except (DisentangleError, MemoryError):
        raise
    except Exception as error:  # h5py, torch and numpy raise many types for a wrong file
        kind = kind_of(path) if path.is_file() else ""
        expected = "an npy file" if suffix == ".npy" else "an HDF5 file" if "h" in suffix else ""
        why = npz.reason(error)
        if kind and suffix in (".npy", ".h5", ".hdf5") and kind != expected:
            why = f"expected {expected}, got {kind}"
        raise DisentangleError(f"cannot use {path} as {WHAT}: {why}") from error


def _chosen(names: list[str], alone: str) -> list[str]:
    """The names of the arrays to read; raise if the arrays have other names."""
    if alone not in names:
        wanted = "both arrays" if alone == "codes" else "an array 'factors'"
        raise ValueError(f"expected {wanted}, got {', '.join(names) or 'none'}")
    return [name for name in KEYS if name in names]


def _named(arrays: Mapping[str, Any], alone: str) -> Arrays:
    return {key: arrays[key] for key in _chosen(list(arrays), alone)}


def _npz_array(arrays: npz.Npz, key: str) -> NDArray[Any]:
    """An array of an npz file; large codes in blocks are memory-mapped."""
    shape, dtype = arrays.header(key, small=True)
    if _large_blocks(shape, dtype):
        return arrays.mapped(key)
    try:
        return arrays.array(key)
    except ValueError as error:
        ragged = "; if rows or blocks are of unequal length, pad them to one array of numbers"
        hint = ragged if dtype.hasobject and "codes" in key else ""
        raise ValueError(f"{error}{hint}") from None


def _large_blocks(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """True for codes [N, B, M] that are too large to be read as a whole."""
    return len(shape) == 3 and prod(shape) * dtype.itemsize > npz.SMALL


def _npy(path: Path, alone: str) -> Arrays:
    with path.open("rb") as file:
        large = _large_blocks(*npz.npy_header(alone, file))
        file.seek(0)
        return {alone: npz.map_npy(alone, file) if large else npz.read_npy(alone, file)}


def _tensors(path: Path, alone: str) -> Arrays:
    """Read a tensor, or a dictionary of tensors, saved by `torch.save`; nothing is executed."""
    import torch

    kind = kind_of(path)
    if kind not in ("a zip file", "a pickle", ""):
        raise ValueError(f"expected a file written by torch.save, got {kind}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:
        raise ValueError(
            "it holds objects other than tensors, which are never loaded. Save only tensors: "
            "`torch.save({'codes': codes, 'factors': factors}, FILE)`. To score a network, use "
            "`--encoder`"
        ) from error
    if isinstance(content, torch.Tensor):
        return {alone: _array(content)}
    if not isinstance(content, dict):
        raise ValueError(f"expected a tensor or a dictionary, got a {type(content).__name__}")
    return {key: _array(value) for key, value in _named(content, alone).items()}


def _array(value: Any) -> NDArray[Any]:
    """A tensor of any type, or a list, as an array."""
    if hasattr(value, "detach"):
        value = value.detach()
        if value.is_floating_point() and (value.ndim < 3 or value.dtype.itemsize < 4):
            value = value.double()  # codes in blocks are large, so they keep their type
        value = value.numpy()
    return np.asarray(value)


def _hdf5(path: Path, alone: str) -> Arrays:
    try:
        import h5py
    except ImportError as error:
        raise DisentangleError(
            f"{path} is an HDF5 file, and h5py is not installed. "
            "Run `pip install h5py`, or store the arrays as npz."
        ) from error
    with h5py.File(path, "r") as file:
        found: Arrays = {}
        for key in _chosen(list(file), alone):
            array = file[key] if isinstance(file.get(key, getlink=True), h5py.HardLink) else None
            if not isinstance(array, h5py.Dataset) or array.external or array.is_virtual:
                raise ValueError(f"'{key}' must be an array in this file, not a group or a link")
            if array.nbytes > npz.SMALL:
                raise ValueError(f"'{key}' has {array.nbytes:,} bytes, more than {npz.SMALL:,}")
            text = h5py.check_string_dtype(array.dtype) is not None
            found[key] = array.asstr()[...] if text else array[...]
    return found
