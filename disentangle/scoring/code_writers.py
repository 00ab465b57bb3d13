"""Write the codes of a dataset's images to a file, block by block: npz, CSV or Parquet."""

import csv
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from disentangle._utils.files import atomic, write_json
from disentangle.data.tables import ABOUT, import_pyarrow
from disentangle.errors import UsageError


@dataclass(frozen=True)
class Block:
    """The codes of some images, with the values of their factors."""

    index: NDArray[np.int64]
    """The number of each image in the whole dataset, [N]."""
    codes: NDArray[np.float32]
    """The means, [N, D], or [N, B, M] in blocks."""
    scales: NDArray[np.float32] | None
    """The standard deviations, [N, D]; None for a model without a posterior."""
    factors: NDArray[Any]
    """The values of the factors, [N, K]: labels, or numbers for unevenly spaced ones."""


@dataclass(frozen=True)
class CodeTable:
    """The codes of a dataset's images, made when they are read.

    Attributes:
        rows: the number of images.
        names: the names of the factors.
        whole: the factors whose values are whole numbers.
        kinds: factor -> what its values mean, if that can be said; see `Labelled.kinds`.
        about: what made the codes, as JSON.
        blocks: makes the blocks of rows, in order; they can be read several times.
    """

    rows: int
    names: tuple[str, ...]
    whole: frozenset[str]
    kinds: Mapping[str, str]
    about: Mapping[str, Any]
    blocks: Callable[[], Iterator[Block]]


Writer: TypeAlias = Callable[[Path, CodeTable], None]


def write_npz(path: Path, table: CodeTable) -> None:
    """Write arrays: `codes`, `scales`, `factors`, `names`, `kinds`, `index` and `about`.

    There are no `scales` of codes without a posterior, and no `kinds` without factors.
    """
    first = next(table.blocks())
    fields = [name for name in ("codes", "scales", "factors") if getattr(first, name) is not None]
    if not table.names:
        fields.remove("factors")
    with zipfile.ZipFile(path, "w") as archive:
        for name in (*fields, "index"):
            sample = getattr(first, name)
            header = {
                "descr": np.lib.format.dtype_to_descr(sample.dtype),
                "fortran_order": False,
                "shape": (table.rows, *sample.shape[1:]),
            }
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array_header_1_0(file, header)
                for block in table.blocks():
                    file.write(np.ascontiguousarray(getattr(block, name)).tobytes())
        texts: dict[str, Any] = {"names": list(table.names), "about": json.dumps(table.about)}
        if table.names:
            texts["kinds"] = [table.kinds.get(name, "") for name in table.names]
        for name, text in texts.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, np.array(text, np.str_), allow_pickle=False)


def write_csv(path: Path, table: CodeTable) -> None:
    """Write columns: the image's number without a heading, `code_0`, ..., `scale_0`, ..., factors.

    Codes have all digits, so that they are read back as they were.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for number, block in enumerate(table.blocks()):
            columns = columns_of(block, table)
            if number == 0:
                writer.writerow(["", *columns])
            values = [column.tolist() for column in columns.values()]
            writer.writerows(zip(block.index.tolist(), *values, strict=True))


def write_parquet(path: Path, table: CodeTable) -> None:
    """Write the columns of `write_csv`, the first of them called `image`."""
    pyarrow, parquet = import_pyarrow(INSTEAD)
    about = {ABOUT: json.dumps(table.about)}
    writer = None
    try:
        for block in table.blocks():
            part = pyarrow.table({"image": block.index, **columns_of(block, table)})
            if writer is None:
                writer = parquet.ParquetWriter(path, part.schema.with_metadata(about))
            writer.write_table(part.replace_schema_metadata(about))
    finally:
        if writer is not None:
            writer.close()


def columns_of(block: Block, table: CodeTable) -> dict[str, NDArray[Any]]:
    """The columns of a block by their headings.

    Raises:
        UsageError: codes in blocks [N, B, M], which have no columns.
    """
    if block.codes.ndim == 3:
        raise UsageError("codes in blocks [N, B, M] need an array: write them to a .npz file")
    columns = {f"code_{d}": column for d, column in enumerate(block.codes.T)}
    if block.scales is not None:
        columns |= {f"scale_{d}": column for d, column in enumerate(block.scales.T)}
    for name, column in zip(table.names, block.factors.T, strict=True):
        if name in (*columns, "image"):
            raise UsageError(
                f"the factor '{name}' has the name of another column: leave it out by `--factors`, "
                "or write .npz"
            )
        columns[name] = column.astype(np.int64) if name in table.whole else column
    return columns


INSTEAD = "write .npz or .csv"
WRITERS: dict[str, Writer] = {".npz": write_npz, ".csv": write_csv, ".parquet": write_parquet}


def check_format(path: Path) -> None:
    """Raise unless files with the suffix of this path can be written.

    Raises:
        UsageError: no format has this suffix.
        DisentangleError: the format's package is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        *others, last = WRITERS
        raise UsageError(f"{path}: expected a file that ends with {', '.join(others)} or {last}")
    if suffix == ".parquet":
        import_pyarrow(INSTEAD)


def files_of(path: Path) -> list[Path]:
    """The files of a table: a CSV file has a JSON file beside it, which says what made the codes.

    The other formats have a place for that.
    """
    beside = [path.with_name(f"{path.name}.json")] if path.suffix.lower() == ".csv" else []
    return [path, *beside]


def write_table(path: Path, table: CodeTable) -> list[Path]:
    """Write a table in the format of the path's suffix; return the files."""
    with atomic(path) as temporary:
        WRITERS[path.suffix.lower()](temporary, table)
    files = files_of(path)
    for beside in files[1:]:
        write_json(beside, table.about)
    return files
