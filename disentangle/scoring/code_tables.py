"""Codes and factors in a CSV file, read in blocks of rows: the text is never all in memory."""

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from disentangle.data import npz
from disentangle.data.factor_values import NUMBER
from disentangle.data.file_kinds import kind_of

CODE = re.compile(r"(codes?|latents?|z)[ _.-]?\d+", re.IGNORECASE)
"""A column of codes in a CSV file."""
BLOCK = 4096
"""Rows that are held as text."""
LONGEST = npz.ENTRY // np.dtype("U1").itemsize
"""Maximum characters of a factor's value; longer text is not a name."""
Row = tuple[int, list[str]]
"""A row of the file, with its line."""


def read_table(path: Path, alone: str) -> dict[str, Any]:
    """Return the arrays of a table with a header, by the names of the arguments of `score_codes`.

    The first column, if it has no name, is the index of pandas.

    Args:
        path: the file.
        alone: `codes` if columns named as codes are codes, `factors` if all columns are factors.

    Raises:
        ValueError: the file is no such table; the message names the line and the column.
    """
    if kind := kind_of(path).removeprefix("a text file"):
        raise ValueError(f"expected a table in text, got {kind}")
    with path.open(newline="", encoding="utf-8-sig") as file:
        first = file.readline()
        delimiter = max(",;\t", key=first.count)
        file.seek(0)
        reader = csv.reader(file, delimiter=delimiter)
        rows = ((reader.line_num, row) for row in reader if row)
        head = [name.strip() for name in next(rows, (0, []))[1]]
        if all(NUMBER.fullmatch(name) for name in head):
            raise ValueError(
                "its first row must name the columns: code_0, code_1 and so on for codes, and the "
                "factors' names"
            )
        named = [k for k, name in enumerate(head) if name or k]
        of_codes = [k for k in named if alone == "codes" and CODE.fullmatch(head[k])]
        of_factors = [k for k in named if k not in of_codes]
        codes = [np.empty((0, len(of_codes)))]
        factors = [np.empty((0, len(of_factors)), np.str_)]
        for block in blocks(rows, len(head)):
            if of_codes:
                codes.append(numbers(block, head, of_codes))
            if of_factors:
                factors.append(words(block, head, of_factors))
            check_size("codes", codes)
            check_size("factors", factors)
    found: dict[str, Any] = {}
    if of_codes:
        found["codes"] = np.concatenate(codes)
    if of_factors:
        found |= {"factors": np.concatenate(factors), "names": [head[k] for k in of_factors]}
    return found


def blocks(rows: Iterable[Row], columns: int) -> Iterator[list[Row]]:
    """Yield rows in blocks of at most `BLOCK`; raise if one has another number of columns."""
    rows = iter(rows)
    while block := list(islice(rows, BLOCK)):
        for line, row in block:
            if len(row) != columns:
                raise ValueError(
                    f"line {line} has {len(row)} columns, but the header has {columns}"
                )
        yield block


def numbers(block: list[Row], head: list[str], columns: list[int]) -> NDArray[np.float64]:
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


def words(block: list[Row], head: list[str], columns: list[int]) -> NDArray[np.str_]:
    """The factors' values in a block of rows as text, [N, K]."""
    values = np.array([[row[k] for k in columns] for _, row in block], dtype=np.str_)
    if values.itemsize > npz.ENTRY:
        line, k = next((n, k) for n, row in block for k in columns if len(row[k]) > LONGEST)
        raise ValueError(
            f"column '{head[k]}' holds a factor: expected a value of at most {LONGEST:,} "
            f"characters in line {line}"
        )
    return values


def check_size(what: str, parts: list[NDArray[Any]]) -> None:
    """Raise if arrays take too much memory once they are one."""
    size = max(part.itemsize for part in parts) * sum(part.size for part in parts)
    if size > npz.SMALL:
        raise ValueError(
            f"its {what} take more than {npz.SMALL:,} bytes of memory; score fewer rows"
        )
