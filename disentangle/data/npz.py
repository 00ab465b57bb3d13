"""Arrays in npz files, read in blocks and safely: nothing is ever unpickled."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from disentangle._utils.callbacks import Progress
from disentangle.data.file_kinds import kind_of
from disentangle.data.safe_objects import read_objects
from disentangle.errors import DisentangleError

Array = NDArray[Any]
SMALL = 2**30
"""Maximum bytes of an array that is read as a whole."""
LABEL_BYTES = 2**28
"""Maximum bytes of labels."""
ENTRY = 2**12
"""Maximum bytes of one entry of such an array; longer text is not a name."""
HEADER = 2**16
"""Maximum bytes of a header."""


class Npz:
    """The arrays of an npz file; see `open_npz`."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    @property
    def keys(self) -> list[str]:
        """The names of the arrays."""
        return [n.removesuffix(".npy") for n in self._archive.namelist() if n.endswith(".npy")]

    def header(self, key: str, small: bool = False) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Return the shape and dtype of an array without reading its content.

        Args:
            key: the array's name.
            small: whether it may be of objects or in Fortran order, as for `array`.
        """
        with self._archive.open(f"{key}.npy") as member:
            return npy_header(key, member, small)

    def mapped(self, key: str) -> Array:
        """An array of any size, memory-mapped, read-only; its checksum is not compared.

        Raises:
            ValueError: the array is compressed.
        """
        info = self._archive.getinfo(f"{key}.npy")
        file = self._archive.fp
        if info.compress_type != zipfile.ZIP_STORED or file is None:
            raise ValueError(
                f"'{key}' is compressed and has more than {SMALL:,} bytes; store it by `np.savez`, "
                "which does not compress"
            )
        file.seek(info.header_offset)
        local = file.read(30)
        name, extra = (int.from_bytes(local[at : at + 2], "little") for at in (26, 28))
        file.seek(info.header_offset + 30 + name + extra)
        return map_npy(key, file)

    def array(self, key: str, most: int = SMALL) -> Array:
        """Read a small array of at most `most` bytes, in C or Fortran order.

        An array of objects may hold text and numbers.
        """
        with self._archive.open(f"{key}.npy") as member:
            return read_npy(key, member, most)

    def blocks(self, key: str, rows: int) -> Iterator[Array]:
        """Yield an array [N, ...] in blocks of `rows` rows, without loading all of it."""
        with self._archive.open(f"{key}.npy") as member:
            shape, dtype, _ = _header(key, member)
            count = shape[0] if shape else 1
            size = prod(shape[1:]) * dtype.itemsize
            for start in range(0, max(count, 1), rows):
                n = min(rows, count - start)
                yield np.frombuffer(_read(key, member, n * size), dtype).reshape(n, *shape[1:])
            _end(key, member)


@contextmanager
def open_npz(path: Path, what: str, remedy: str = "") -> Iterator[Npz]:
    """Open an npz file; any error becomes a DisentangleError that names the file.

    Args:
        path: the file.
        what: the expected content, for the message.
        remedy: what the user can do, appended to the message.
    """
    try:
        # Opened here, so that the file is closed even while a member is being read.
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            yield Npz(archive)
    except DisentangleError:
        raise
    except Exception as error:  # zipfile, zlib and numpy raise many types for a wrong file
        why = reason(error)
        if isinstance(error, zipfile.BadZipFile) and why == "File is not a zip file":
            kind = kind_of(path)
            kind = "a damaged or truncated zip file" if kind == "a zip file" else kind
            why = f"expected an npz file, got {kind or 'something else'}"
        raise DisentangleError(f"cannot use {path} as {what}: {why}{remedy}") from error


def read_npy(key: str, file: IO[bytes], most: int = SMALL) -> Array:
    """Read an array of at most `most` bytes in npy format; `key` is its name in messages."""
    shape, dtype, fortran_order = _header(key, file, small=True)
    if dtype.hasobject:
        content = file.read(most + 1)
        if len(content) > most:
            raise ValueError(f"'{key}' has more than {most:,} bytes")
        try:
            return read_objects(content, shape)
        except ValueError as error:
            raise ValueError(
                f"'{key}' holds {error}, which are never loaded; store text as "
                f"`np.array({key}, dtype=str)`, and numbers as numbers"
            ) from None
    size = prod(shape) * dtype.itemsize
    if size * (4 if dtype.kind == "S" else 1) > most or dtype.itemsize > ENTRY:
        raise ValueError(
            f"'{key}' has {size:,} bytes, {dtype.itemsize:,} per entry; at most {most:,} "
            f"(a quarter of that for byte strings) and {ENTRY:,} per entry are allowed"
        )
    content = _read(key, file, size)
    _end(key, file)
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran_order else "C")


def npy_header(
    key: str, file: IO[bytes], small: bool = True
) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return the shape and dtype of an array in npy format; see `Npz.header`."""
    shape, dtype, _ = _header(key, file, small)
    return shape, dtype


def map_npy(key: str, file: IO[bytes]) -> Array:
    """Memory-map an array in npy format, read-only, from where the file is at."""
    shape, dtype, fortran_order = _header(key, file, small=True)
    if dtype.hasobject:
        raise ValueError(f"'{key}' holds Python objects, which are never loaded; store numbers")
    start, order = file.tell(), "F" if fortran_order else "C"
    if start + prod(shape) * dtype.itemsize > file.seek(0, 2):
        raise ValueError(f"'{key}' ends too early")
    mapped: Array = np.memmap(file, dtype, "r", start, shape, order)  # type: ignore[call-overload]
    return mapped


def reason(error: Exception) -> str:
    """Return the first line of an error's message, without the path."""
    message = getattr(error, "strerror", None) or str(error)
    return message.partition("\n")[0] or type(error).__name__


def words(array: Array) -> Array:
    """Convert an array of byte strings to text; return other arrays unchanged."""
    return array.astype(str) if array.dtype.kind == "S" else array


def counted(blocks: Iterable[Array], total: int, progress: Progress) -> Iterator[Array]:
    """Yield the blocks unchanged, and report the number of rows done."""
    done = 0
    for block in blocks:
        yield block
        done += len(block)
        progress(done, total)


def _header(
    key: str, member: IO[bytes], small: bool = False
) -> tuple[tuple[int, ...], np.dtype[Any], bool]:
    """Read shape, dtype and Fortran order; only small arrays may be of objects or in this order."""
    # Version 3 differs from 2 only in the encoding of field names, and images have none.
    npy = np.lib.format
    first = npy.read_magic(member) == (1, 0)
    read = npy.read_array_header_1_0 if first else npy.read_array_header_2_0
    length = _read(key, member, 2 if first else 4)
    size = int.from_bytes(length, "little")
    if size > HEADER:
        raise ValueError(f"'{key}' has a header of {size:,} bytes, more than {HEADER:,}")
    shape, fortran_order, dtype = read(io.BytesIO(length + _read(key, member, size)))
    if dtype.hasobject and not (small and dtype.kind == "O"):
        raise ValueError(f"'{key}' holds Python objects, which are never loaded; store numbers")
    if fortran_order and len(shape) > 1 and not small:
        raise ValueError(f"'{key}' is in Fortran order; store np.ascontiguousarray({key})")
    return shape, dtype, fortran_order


def _read(key: str, member: IO[bytes], size: int) -> bytes:
    content = member.read(max(size, 0))  # a negative size would read to the end
    if len(content) != size:
        raise ValueError(f"'{key}' ends too early")
    return content


def _end(key: str, member: IO[bytes]) -> None:
    # Reading to the end also makes zipfile check the checksum.
    if member.read(1):
        raise ValueError(f"'{key}' is longer than its header says")
