"""Labels of a user's image files: a table beside them, with a column of the files' names.

The table is a file `labels`, `metadata` or `factors` (`.csv`, `.tsv`, `.parquet`); the folder of
images of Hugging Face has such a `metadata.csv`. Its other columns are factors.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import numpy as np

from disentangle._utils.text import count
from disentangle.contracts.dataset import Index
from disentangle.data.archive import Piece
from disentangle.data.factor_values import FactorValues
from disentangle.data.label_columns import of_usable
from disentangle.data.location import Location
from disentangle.data.npz import reason
from disentangle.data.tables import SUFFIXES, Columns, kinds_beside, read_columns
from disentangle.errors import DisentangleError

STEMS = ("labels", "metadata", "factors")
FILE_NAMES = ("file_name", "filename", "file", "image", "image_name", "path", "image_path")
"""Names of the column of files."""
KIND = '`{{"kinds": {{"{name}": "categorical"}}}}` in a file '
"""How to give the kind of a factor: in the file beside the table."""


def is_table(name: str) -> bool:
    """True if a file of this name is a table of labels, or says the kinds of its columns."""
    path = PurePosixPath(name.lower().removesuffix(".json"))
    return path.stem in STEMS and path.suffix in SUFFIXES


def labels_beside(
    files: Sequence[Piece], tables: Sequence[Piece], source: Path, location: Location
) -> FactorValues | None:
    """Return the factors of image files by the table beside them; None if there is none.

    Columns that are no factors are left out, each with a line that says why.

    Args:
        files: the images.
        tables: the table, perhaps with the file that says the kinds of its columns.
        source: the user's folder or archive, for messages.
        location: for messages, and a temporary copy of the table.

    Raises:
        DisentangleError: the table cannot be used, or an image has no row in it.
    """
    found = [piece for piece in tables if not piece.name.lower().endswith(".json")]
    if not found:
        return None
    if len(found) > 1:
        names = ", ".join(piece.name for piece in found)
        raise DisentangleError(f"{source}: expected one table of labels, got {names}")
    table = found[0]
    where = f"{source}: {table.name}"
    try:
        columns, kinds = read(table, tables, location.folder)
        names = columns.pop(column_of_files(columns, files)).tolist()
        rows = rows_of(files, names, PurePosixPath(table.name).parent)
        if unused := len(names) - len(rows):
            location.say(f"{where}: {count(unused, 'row')} left out that name no image here")
        labels = {name: values[rows].tolist() for name, values in columns.items()}
        factors = of_usable(labels, len(files), kinds=kinds, where=where, say=location.say)
    except (DisentangleError, MemoryError):
        raise
    except Exception as error:  # pyarrow and csv raise many types for a wrong file
        raise DisentangleError(f"cannot use {table} as labels: {reason(error)}") from error
    if remark := factors.remark_with(KIND + f"`{table.name}.json`"):
        location.say(f"{where}: {remark}")
    return factors


def read(table: Piece, tables: Sequence[Piece], folder: Path) -> tuple[Columns, dict[str, str]]:
    """Return the columns of a table, and the kinds that the file beside it says.

    Args:
        table: the table, perhaps in an archive.
        tables: all files whose names are those of tables.
        folder: for a temporary copy.
    """
    with TemporaryDirectory(dir=folder) as copies:
        copy = Path(copies) / PurePosixPath(table.name).name
        for piece in tables:
            if piece.name in (table.name, f"{table.name}.json"):
                (Path(copies) / PurePosixPath(piece.name).name).write_bytes(piece.read())
        return read_columns(copy), kinds_beside(copy)


def column_of_files(columns: Columns, files: Sequence[Piece]) -> str:
    """The name of the column of file names: by its heading, else by the suffixes of its values.

    Raises:
        ValueError: there is none, or several.
    """
    suffixes = tuple({PurePosixPath(file.name).suffix.lower() for file in files})
    named = [name for name in columns if name.lower() in FILE_NAMES] or [
        name
        for name, values in columns.items()
        if all(str(value).strip().lower().endswith(suffixes) for value in values.tolist())
    ]
    if len(named) != 1:
        raise ValueError(
            f"expected one column of file names, called {', '.join(FILE_NAMES[:-1])} or "
            f"{FILE_NAMES[-1]}, or with values such as '{PurePosixPath(files[0].name).name}'; got "
            f"{', '.join(named or columns)}. Rename the file if it holds no "
            "labels"
        )
    return named[0]


def rows_of(files: Sequence[Piece], names: Sequence[str], folder: PurePosixPath) -> Index:
    """Return the row of each image, [N].

    A row names its image by the path from the folder of the table, by the file's name alone, or by
    that without its suffix.

    Args:
        files: the images.
        names: the file that each row names.
        folder: the folder of the table.

    Raises:
        ValueError: two rows have the same name, two images the same row, or an image has no row.
    """
    row_of = {clean(name): row for row, name in enumerate(names)}
    if len(row_of) < len(names):
        twice = Counter(map(clean, names)).most_common(1)[0][0]
        raise ValueError(f"two rows name the file '{twice}'")
    rows = np.full(len(files), -1)
    for k, file in enumerate(files):
        path = PurePosixPath(file.name)
        inside = path.relative_to(folder) if path.is_relative_to(folder) else path
        for name in (str(inside), str(inside.with_suffix("")), path.name, path.stem):
            if name in row_of:
                rows[k] = row_of[name]
                break
    without = np.flatnonzero(rows < 0)
    if len(without):
        raise ValueError(
            f"expected a row for each image, got none for {len(without):,} of {len(files):,}, such "
            f"as {files[without[0]].name!r}"
        )
    row, number = Counter(rows.tolist()).most_common(1)[0]
    if number > 1:
        raise ValueError(
            f"'{names[row]}' names {number:,} images; give their paths from the table's folder"
        )
    return rows


def clean(name: str) -> str:
    """A file's name in a table as a path with forward slashes."""
    return str(PurePosixPath(str(name).strip().replace("\\", "/")))
