"""Codes and factors in a table: CSV, read in blocks of rows, or Parquet, read by columns.

The text of a CSV is never all in memory.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from disentangle.data import npz
from disentangle.data.factor_values import NUMBER
from disentangle.data.tables import (
    Row,
    blocks,
    kinds_beside,
    named_columns,
    open_csv,
    open_parquet,
    stacked,
    words,
)

CODE = re.compile(r"(codes?|latents?|z)[ _.-]?\d+", re.IGNORECASE)
"""A column of codes in a table."""


def read_table(path: Path, alone: str) -> dict[str, Any]:
    """Return the arrays of a table with a header, by the names of the arguments of `score_codes`.

    The first column, if it has no name, is the index of pandas. The standard deviations of codes,
    columns `scale_0` beside `code_0` and so on, are not read.

    Args:
        path: the file, CSV, TSV or Parquet.
        alone: `codes` if columns named as codes are codes, `factors` if all columns are factors.

    Raises:
        ValueError: the file is no such table; the message names the column, and of a CSV the line.
    """
    read = read_parquet if path.suffix.lower() == ".parquet" else read_csv
    return read(path, alone)


def read_csv(path: Path, alone: str) -> dict[str, Any]:
    """Return the arrays of a CSV or TSV file; see `read_table`."""
    with open_csv(path) as (head, rows):
        of_codes, of_factors = divided(head, named_columns(head), alone)
        codes = [np.empty((0, len(of_codes)))]
        factors = [np.empty((0, len(of_factors)), np.str_)]
        for block in blocks(rows, len(head)):
            if of_codes:
                codes.append(numbers(block, head, of_codes))
            if of_factors:
                factors.append(words(block, head, of_factors))
            check_size("codes", codes)
            check_size("factors", factors)
    arrays: dict[str, Any] = {}
    if of_codes:
        arrays["codes"] = np.concatenate(codes)
    if of_factors:
        arrays |= {"factors": np.concatenate(factors), "names": [head[k] for k in of_factors]}
        arrays["kinds"] = kinds_beside(path)
    return arrays


def read_parquet(path: Path, alone: str) -> dict[str, Any]:
    """Return the arrays of a Parquet file, of which no other column is read; see `read_table`."""
    with open_parquet(path) as table:
        head = table.names
        of_codes, of_factors = divided(head, range(len(head)), alone)
        check_bytes("codes", 8 * table.rows * len(of_codes))
        check_bytes("factors", 8 * table.rows * len(of_factors))
        codes = np.empty((table.rows, len(of_codes)))
        for d, k in enumerate(of_codes):
            column = table.column(head[k])
            if column.dtype.kind not in "iuf":
                wrong = next(row for row, v in enumerate(column) if not isinstance(v, int | float))
                raise ValueError(
                    f"column '{head[k]}' holds codes: expected a number in row {wrong}, got "
                    f"{column[wrong]!r}"
                )
            codes[:, d] = column
        factors = {head[k]: table.column(head[k]) for k in of_factors}
        inside = table.about.get("kinds", {})
    arrays: dict[str, Any] = {"codes": codes} if of_codes else {}
    if factors:
        names = list(factors)
        # Those of columns that were deleted from the file since it was written mean nothing.
        kinds = {name: kind for name, kind in inside.items() if name in names}
        arrays |= {"factors": stacked(factors, table.rows), "names": names}
        arrays["kinds"] = kinds | kinds_beside(path)
    return arrays


def divided(head: Sequence[str], columns: Sequence[int], alone: str) -> tuple[list[int], list[int]]:
    """The columns of codes, and those of factors."""
    of_codes = [k for k in columns if alone == "codes" and CODE.fullmatch(head[k])]
    scales = scales_beside([head[k] for k in of_codes], head)
    return of_codes, [k for k in columns if k not in of_codes and head[k] not in scales]


def scales_beside(codes: Sequence[str], head: Sequence[str]) -> set[str]:
    """The headings of the standard deviations that `disentangle encode` writes for each code."""
    scales = {f"scale_{name.removeprefix('code_')}" for name in codes}
    return scales if scales <= set(head) else set()


def numbers(block: list[Row], head: Sequence[str], columns: Sequence[int]) -> NDArray[np.float64]:
    """The codes in a block of rows, [N, D]."""
    values = np.empty((len(block), len(columns)))
    for d, k in enumerate(columns):
        try:
            values[:, d] = [float(row[k]) for _, row in block]
        except ValueError:
            line, row = next(one for one in block if not NUMBER.fullmatch(one[1][k].strip()))
            raise ValueError(
                f"column '{head[k]}' holds codes: expected a number in line {line}, got '{row[k]}'"
            ) from None
    return values


def check_size(what: str, parts: list[NDArray[Any]]) -> None:
    """Raise if arrays take too much memory once they are one."""
    check_bytes(what, max(part.itemsize for part in parts) * sum(part.size for part in parts))


def check_bytes(what: str, size: int) -> None:
    """Raise if an array of this size takes too much memory."""
    if size > npz.SMALL:
        raise ValueError(
            f"its {what} take more than {npz.SMALL:,} bytes of memory; score fewer rows"
        )
