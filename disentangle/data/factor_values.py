"""Factors as users store them, columns of numbers or words, made into labels by one rule.

A column of text is a column of numbers if every entry is one. Real numbers that differ by rounding
alone are one value. Numbers with too few rows per value are a continuous factor, whose labels are
ranks; words with too few rows are refused, and so are numbers where labels are needed.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from disentangle.contracts.dataset import Index
from disentangle.contracts.kinds import Kind
from disentangle.data.array_datasets import grid_order
from disentangle.errors import UsageError, suggestion

Column = NDArray[Any]
"""One factor: a value for each row, [N]."""
FEW = 10
"""A factor with at most this many values is discrete, however few rows there are."""
ROWS_OF_REAL = 2
"""Rows per value, on average, that a factor of real numbers needs if it has more values."""
MANY = 50
"""A factor with more values than this needs `ROWS_OF_MANY` rows per value, whatever its type."""
ROWS_OF_MANY = 10
ROUNDING = 1e-7
"""Difference of two real numbers that are one value, relative to themselves and to the range."""
EVEN = 1e-6
"""Relative deviation up to which the steps between values are equal."""
WHOLE = re.compile(r"[+-]?\d{1,18}")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
KIND_OF_CODES = "`--kind {name}:categorical`, or in Python `kinds={{'{name}': 'categorical'}}`"
KIND_OF_IMAGES = "'categorical' for '{name}' in the file's `kinds`"
"""How to give the kind of a factor."""
MISSING = frozenset({"", "nan", "none", "null", "na", "n/a", "<na>"})
"""Text that stands for a missing number."""


class FewRows(ValueError):
    """A factor of words, or of numbers where labels are needed, has too few rows per value.

    Attributes:
        reason: the numbers of values and rows, and the rule.
    """

    def __init__(self, where: str, reason: str, *, words: bool) -> None:
        self.reason = reason
        problem = "has too few rows per value" if words else "is continuous"
        remedy = (
            "give it the kind 'categorical'"
            if words
            else "bin it, for example into 20 bins of equal width: "
            "`np.digitize(x, np.linspace(x.min(), x.max(), 21)[1:-1])`"
        )
        super().__init__(f"{where} {problem}: {reason}. Leave this factor out, or {remedy}")


@dataclass(frozen=True)
class FactorValues:
    """Factors as labels, with the names and numbers of their values.

    Attributes:
        labels: the position of each row's value among the sorted values, [N, K].
        values: factor -> the names of its values, in order; none for factors of real numbers.
        numbers: factor -> its values, for factors of unevenly spaced or real numbers; see
            `Labelled`.
        words: the factors with words as values, of which there are more than two.
        kinds: factor -> what its values mean, if not `categorical`; see `Labelled`.
        real: the factors of real numbers, of which there are too few rows per value.
        guessed: those of `real` whose kind was not given, although they are whole numbers.
    """

    labels: Index
    values: Mapping[str, tuple[str, ...]]
    numbers: Mapping[str, tuple[float, ...]]
    words: Sequence[str]
    kinds: Mapping[str, str] = field(default_factory=dict)
    real: frozenset[str] = frozenset()
    guessed: Sequence[str] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """The factors, in the order of the labels: name -> number of values."""
        return {
            name: len(self.numbers[name] if name in self.real else values)
            for name, values in self.values.items()
        }

    @property
    def remark(self) -> str:
        """What to tell the user about codes' factors; see `remark_with`."""
        return self.remark_with(KIND_OF_CODES)

    def remark_with(self, remedy: str) -> str:
        """What to tell the user about the order of words and about kinds; empty if nothing.

        Args:
            remedy: how to give the kind of the factor `{name}`; empty if that cannot be given.
        """
        remarks = []
        if self.words:
            listed = "; ".join(f"{name}: {', '.join(self.values[name][:6])}" for name in self.words)
            remarks.append(
                f"text values are ordered alphabetically ({listed}). mcc, r2, sap-r2, irs and "
                "orthogonality use this order; if a factor has another order, store its values as "
                "numbers"
            )
        if self.guessed:
            remarks.append(
                f"the whole numbers of {', '.join(self.guessed)} have too few rows per value for "
                "labels, so they are taken as continuous"
                + (f"; if they are not, give their kind: {remedy}" if remedy else "").format(
                    name=self.guessed[0]
                )
            )
        return ". ".join(
            text[:1].upper() + text[1:] if k else text for k, text in enumerate(remarks)
        )


def read_factors(
    array: NDArray[Any],
    names: Sequence[str],
    classes: Collection[str] = (),
    *,
    numbered: bool = True,
    kinds: Mapping[str, str] = MappingProxyType({}),
    real: bool = False,
) -> FactorValues:
    """Make labels of factors [N, K], one column per name.

    Args:
        array: the values.
        names: the names of the factors.
        classes: names of factors that are known to be discrete, however few rows there are.
        numbered: whether messages give a column's number too, as the user's own array has it.
        kinds: name -> the kind of the factor, such as `"cyclic=360"`, for those that are known.
        real: whether numbers with too few rows per value are a continuous factor; otherwise only
            those whose kind says so are.

    Raises:
        ValueError: a value is missing or neither number nor text, a factor is continuous or a word
            where it must not be, or a kind is none or of no factor.
    """
    known = known_kinds(kinds, names)
    labels = np.empty(array.shape, np.int64)
    columns: dict[str, Column] = {}
    places = [place(k, name) if numbered else f"column '{name}'" for k, name in enumerate(names)]
    for k, name in enumerate(names):
        column = of_kind(typed(array[:, k], places[k]), known.get(name), places[k])
        columns[name], labels[:, k] = distinct_values(column)
    many = with_few_rows(columns, labels)
    guessed = [name for name in many if name not in known and name not in classes]
    for k, name in enumerate(names):
        if name in guessed and not (real and columns[name].dtype.kind in "iuf"):
            raise FewRows(places[k], many[name], words=columns[name].dtype.kind not in "iuf")
    given = {name: str(kind) for name, kind in known.items() if kind.name != "categorical"}
    continuous = {name for name, kind in known.items() if kind.name == "continuous"}
    cyclic = {name for name, kind in known.items() if kind.name == "cyclic" and name in many}
    of_ranks = continuous | cyclic | set(guessed)
    return FactorValues(
        labels,
        values={
            name: () if name in of_ranks else tuple(map(str, v.tolist()))
            for name, v in columns.items()
        },
        numbers={
            name: tuple(map(float, v))
            for name, v in columns.items()
            if v.dtype.kind in "iuf" and (name in given or name in of_ranks or not evenly_spaced(v))
        },
        words=[name for name, v in columns.items() if v.dtype.kind == "U" and len(v) > 2],
        kinds=given | dict.fromkeys(guessed, "continuous"),
        real=frozenset(of_ranks),
        guessed=[name for name in guessed if columns[name].dtype.kind in "iu"],
    )


def known_kinds(kinds: Mapping[str, str], names: Sequence[str]) -> dict[str, Kind]:
    """Return the given kinds of factors.

    Raises:
        ValueError: there is no such kind or factor.
    """
    known = {}
    for name, text in kinds.items():
        if name not in names:
            raise ValueError(f"kinds: no factor '{name}'{suggestion(name, names)}")
        try:
            known[name] = Kind.parse(text)
        except UsageError as error:
            raise ValueError(f"kinds: '{name}': {error}") from None
    return known


def kinds_by_name(array: NDArray[Any], names: Sequence[str]) -> dict[str, str]:
    """The kinds of factors in a file's array `kinds`: a text for each factor, empty if not given.

    Raises:
        ValueError: it has another number of texts than there are factors.
    """
    texts = [str(kind) for kind in np.ravel(array)]
    if len(texts) != len(names):
        raise ValueError(
            f"expected {len(names)} 'kinds', one per factor (empty for one to be guessed), got "
            f"{texts}"
        )
    return {name: kind for name, kind in zip(names, texts, strict=True) if kind}


def of_kind(column: Column, kind: Kind | None, where: str) -> Column:
    """Return a column as a kind takes it: a cyclic one within its period.

    Raises:
        ValueError: the kind is of numbers, and the column is not.
    """
    if kind is None or kind.name == "categorical":
        return column
    if column.dtype.kind not in "iuf":
        raise ValueError(f"{where}: expected numbers of a factor that is {kind}, got words")
    if kind.name != "cyclic":
        return column
    return column % (int(kind.period) if kind.period.is_integer() else kind.period)


def place(column: int, name: str) -> str:
    """The column of a factor, for messages."""
    return f"column {column} ('{name}')"


def typed(column: Column, where: str) -> Column:
    """Return a column as booleans, whole numbers, finite real numbers or text.

    Raises:
        ValueError: a value is missing, or neither number nor text.
    """
    if column.dtype.kind == "O":
        column = _of_objects(column, where)
    if column.dtype.kind == "S":
        column = column.astype(str)
    if column.dtype.kind == "U":
        column = _of_text(column, where)
    if column.dtype.kind not in "biufU":
        raise ValueError(f"{where}: expected finite numbers or text, got {column.dtype}")
    if column.dtype.kind == "f" and not np.isfinite(column).all():
        row = int(np.flatnonzero(~np.isfinite(column))[0])
        raise ValueError(
            f"{where}: expected finite numbers or text, got {column[row]} in row {row}"
        )
    return column


def _of_objects(column: Column, where: str) -> Column:
    """A column of Python objects as numbers, or as text if there is any text."""
    entries = column.tolist()
    for row, entry in enumerate(entries):
        if is_missing(entry):
            raise ValueError(f"{where}: row {row} has no value; leave out such rows")
        if not isinstance(entry, str | bytes | bool | int | float | np.generic):
            raise ValueError(
                f"{where}: expected numbers or text, got {type(entry).__name__} in row {row}"
            )
    if any(isinstance(entry, str | bytes) for entry in entries):
        text = [entry.decode() if isinstance(entry, bytes) else str(entry) for entry in entries]
        return np.array(text, dtype=np.str_)
    return np.array(entries)


def is_missing(entry: Any) -> bool:
    """True if an object stands for no value, as None, NaN and those of pandas do."""
    if entry is None or (isinstance(entry, float) and entry != entry):
        return True
    return type(entry).__name__ in ("NAType", "NaTType")


def _of_text(column: Column, where: str) -> Column:
    """A column of text as numbers, if every entry is one."""
    stripped = np.char.strip(column)
    texts = np.unique(stripped).tolist()
    numeric = [text for text in texts if NUMBER.fullmatch(text)]
    missing = [text for text in texts if text.lower() in MISSING]
    if missing and numeric and len(numeric) + len(missing) == len(texts):
        row = int(np.flatnonzero(stripped == missing[0])[0])
        raise ValueError(f"{where}: row {row} has no value; leave out such rows")
    if len(numeric) < len(texts):
        return column
    if all(WHOLE.fullmatch(text) for text in texts):
        return stripped.astype(np.int64)
    return stripped.astype(np.float64)


def distinct_values(column: Column) -> tuple[Column, Index]:
    """Return the distinct values, sorted, and the position of each row's value among them, [N]."""
    values, position = np.unique(column, return_inverse=True)
    labels: Index = position.reshape(-1).astype(np.int64)
    if values.dtype.kind != "f":
        return values, labels
    group = _equal_but_for_rounding(values)
    if group[-1] + 1 == len(values):
        return values, labels
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    members = np.split(values, starts[1:])
    # 0.3 rather than 0.30000000000000004
    shortest = [min(some.tolist(), key=lambda v: len(repr(v))) for some in members]
    return np.array(shortest, values.dtype), group[labels]


def _equal_but_for_rounding(values: Column) -> Index:
    """Number the groups of sorted numbers that are equal but for rounding, [V].

    Chains of small steps that add up to more are no rounding: then each number is its own group.
    """
    x = values.astype(np.float64)
    spread, largest = x[-1] - x[0], np.abs(x).max()
    noise = 16 * np.finfo(values.dtype).eps * largest
    allowed = np.maximum(ROUNDING * np.minimum(spread, np.abs(x)), noise)
    group: Index = np.cumsum(np.diff(x, prepend=x[0]) > allowed)
    first = x[np.searchsorted(group, group)]
    return np.arange(len(x)) if (x - first > allowed).any() else group


def with_few_rows(columns: Mapping[str, Column], labels: Index) -> dict[str, str]:
    """Return the factors with too few rows per value, and why; see the constants at the top.

    Whole numbers and words may have few rows if these are a grid of two factors or more: each
    combination of values exactly once.

    Args:
        columns: factor -> its distinct values.
        labels: the labels of all rows, [N, K].
    """
    rows, sizes = len(labels), [len(values) for values in columns.values()]
    grid = sum(size > 1 for size in sizes) > 1 and grid_order(labels, sizes) is not None
    few = {}
    for size, (name, values) in zip(sizes, columns.items(), strict=True):
        real = values.dtype.kind == "f" and not (values == np.rint(values)).all()
        if grid and not real:
            continue
        if size > MANY and rows < ROWS_OF_MANY * size:
            rule = f"with more than {MANY} values needs {ROWS_OF_MANY} rows per value"
        elif real and size > FEW and rows < ROWS_OF_REAL * size:
            rule = (
                f"of real numbers with more than {FEW} values needs {ROWS_OF_REAL} rows per value"
            )
        else:
            continue
        few[name] = f"{size:,} values in {rows:,} rows. A factor {rule}, on average"
    return few


def evenly_spaced(values: Column) -> bool:
    """True if sorted numbers have equal steps, so that their positions serve as well as they do."""
    steps = np.diff(values.astype(np.float64))
    return len(steps) < 2 or bool(np.allclose(steps, steps[0], rtol=EVEN, atol=0))
