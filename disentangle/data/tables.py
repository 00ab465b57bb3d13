"""Tables in files: CSV or TSV with a header, and Parquet; their columns are those of factors.

A JSON file beside a table, `labels.csv.json` of `labels.csv`, may say the kinds of its columns:
`{"kinds": {"angle": "cyclic=360"}}`. `disentangle encode` writes one, or the same into the Parquet.
"""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from disentangle.data import npz
from disentangle.data.factor_values import NUMBER
from disentangle.data.file_kinds import kind_of
from disentangle.errors import DisentangleError

SUFFIXES = (".csv", ".tsv", ".parquet")
ABOUT = "disentangle"
"""The entry of a Parquet file's metadata that says what made it, as JSON."""
INDEX = "__index_level_"
"""The beginning of the name of a column that is the index of a data frame."""
BLOCK = 4096
"""Rows of text that are held at once."""
LONGEST = npz.ENTRY // np.dtype("U1").itemsize
"""Maximum characters of a factor's value; longer text is not a name."""
Row = tuple[int, list[str]]
"""A row of a CSV file, with its line."""
Columns = dict[str, NDArray[Any]]


def read_columns(path: Path) -> Columns:
    """Return all columns of a table by name; those of a CSV are text.

    Raises:
        ValueError: the file is no such table.
        DisentangleError: it is a Parquet file, and pyarrow is not installed.
    """
    if path.suffix.lower() == ".parquet":
        with open_parquet(path) as table:
            return {name: table.column(name) for name in table.names}
    with open_csv(path) as (head, rows):
        named = named_columns(head)
        check_different([head[k] for k in named])
        parts = [words(block, head, named) for block in blocks(rows, len(head))]
    text = np.concatenate([np.empty((0, len(named)), np.str_), *parts])
    return {head[k]: text[:, column] for column, k in enumerate(named)}


@contextmanager
def open_csv(path: Path) -> Iterator[tuple[list[str], Iterator[Row]]]:
    """Open a CSV or TSV file: yield the names in its header and its rows.

    Raises:
        ValueError: the file is no text, or its first row holds numbers.
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
        yield head, rows


def named_columns(head: Sequence[str]) -> list[int]:
    """The columns of a CSV; the first one, if it has no name, is the index of pandas."""
    return [k for k, name in enumerate(head) if name or k]


def check_different(names: Sequence[str]) -> None:
    """Raise a ValueError if two columns have the same name."""
    for name, number in Counter(names).items():
        if number > 1:
            raise ValueError(f"{number} columns are named '{name}'; give each its own name")


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


def words(block: list[Row], head: Sequence[str], columns: Sequence[int]) -> NDArray[np.str_]:
    """The factors' values in a block of rows as text, [N, K]."""
    values = np.array([[row[k] for k in columns] for _, row in block], dtype=np.str_)
    if values.itemsize > npz.ENTRY:
        line, k = next((n, k) for n, row in block for k in columns if len(row[k]) > LONGEST)
        raise ValueError(
            f"column '{head[k]}' holds a factor: expected a value of at most {LONGEST:,} "
            f"characters in line {line}"
        )
    return values


class Parquet:
    """A Parquet file, of which each column is read when it is asked for.

    Attributes:
        names: the names of the columns, without the index of a data frame.
        rows: the number of rows.
        about: what made the file, if `disentangle encode` did.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self.rows: int = file.metadata.num_rows
        content = (file.metadata.metadata or {}).get(ABOUT.encode())
        self.about: dict[str, Any] = {} if content is None else json.loads(content)
        own = {"image"} if self.about else set()
        self.names = [
            name for name in file.schema_arrow.names if not (name.startswith(INDEX) or name in own)
        ]
        check_different(self.names)

    def column(self, name: str) -> NDArray[Any]:
        """Return a column as numbers, booleans or text, [N]; of objects if a value is missing."""
        column = self._file.read(columns=[name]).column(0)
        if column.null_count:
            return np.array(column.to_pylist(), object)
        array: NDArray[Any] = column.to_numpy()
        return array


@contextmanager
def open_parquet(path: Path) -> Iterator[Parquet]:
    """Open a Parquet file by pyarrow.

    Raises:
        ValueError: it is none.
        DisentangleError: pyarrow is not installed.
    """
    _, parquet = import_pyarrow("convert the table to CSV")
    if (kind := kind_of(path)) != "a Parquet file":
        raise ValueError(f"expected a Parquet file, got {kind or 'something else'}")
    with parquet.ParquetFile(path) as file:
        yield Parquet(file)


def import_pyarrow(otherwise: str) -> tuple[Any, Any]:
    """Import pyarrow and its module for Parquet.

    Raises:
        DisentangleError: it is not installed; `otherwise` is what else the user can do.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise DisentangleError(
            f"a Parquet file needs the package pyarrow. Run `pip install pyarrow`, or {otherwise}."
        ) from error
    return pyarrow, parquet


def stacked(columns: Columns, rows: int) -> NDArray[Any]:
    """Columns as one array [N, K], of objects if their types differ."""
    types = {column.dtype for column in columns.values()}
    array = np.empty((rows, len(columns)), types.pop() if len(types) == 1 else object)
    for k, column in enumerate(columns.values()):
        array[:, k] = column
    return array


def kinds_beside(path: Path) -> dict[str, str]:
    """Return the kinds of columns in the JSON file beside a table; none if there is no such file.

    Raises:
        ValueError: it is no JSON, or its `kinds` is not an object of texts.
    """
    beside = path.with_name(f"{path.name}.json")
    try:
        content = json.loads(beside.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(f"{beside.name} beside it is not JSON: {error}") from None
    kinds = content.get("kinds", {}) if isinstance(content, dict) else {}
    if not (isinstance(kinds, dict) and all(isinstance(kind, str) for kind in kinds.values())):
        raise ValueError(
            f'{beside.name} beside it: expected "kinds" such as {{"angle": "cyclic=360"}}, got '
            f"{json.dumps(kinds)[:80]}"
        )
    return kinds
