"""Columns of labels, as tables and libraries have them, made into factors."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import numpy as np

from disentangle._utils.callbacks import Say
from disentangle.data.factor_values import FactorValues, FewRows, read_factors

NO_KINDS: Mapping[str, str] = MappingProxyType({})


def together(
    labels: Mapping[str, Sequence[Any]],
    count: int,
    classes: Collection[str] = (),
    kinds: Mapping[str, str] = NO_KINDS,
) -> FactorValues:
    """Make factors of all columns.

    Args:
        labels: column -> the label of each image.
        count: the number of images.
        classes: columns that are known to be discrete, however few images there are.
        kinds: column -> the kind of its factor, for those that are known.

    Raises:
        ValueError: a column is no factor, or a kind is none or of no column.
    """
    check_names(list(labels))
    table = np.empty((count, len(labels)), object)
    for k, column in enumerate(labels.values()):
        table[:, k] = column
    return read_factors(table, list(labels), classes, numbered=False, kinds=kinds, real=True)


def of_usable(
    labels: Mapping[str, Sequence[Any]],
    count: int,
    classes: Collection[str] = (),
    kinds: Mapping[str, str] = NO_KINDS,
    *,
    where: str,
    say: Say,
) -> FactorValues:
    """Make factors of the columns that are some; the others are left out with a line each.

    A column of whole numbers that all differ is no factor, as it numbers the images.

    Args:
        labels: column -> the label of each image.
        count: the number of images.
        classes: columns that are known to be discrete.
        kinds: column -> the kind of its factor; such a column is never left out.
        where: the dataset or file, for the lines.
        say: called with each line.

    Raises:
        ValueError: a column of a given kind is no factor, or a kind is none or of no column.
    """
    with suppress(ValueError):
        factors = together(labels, count, classes, kinds)
        if not any(factors.sizes[name] == count for name in factors.guessed):
            return factors
    usable = {}
    for name, column in labels.items():
        own = {name: kinds[name]} if name in kinds else {}
        try:
            factor = together({name: column}, count, classes, own)
            if factor.guessed and factor.sizes[name] == count:
                raise ValueError(f"its whole numbers are different for each of {count:,} images")
            usable[name] = column
        except ValueError as error:
            if own:
                raise
            why = str(error).removeprefix(f"column '{name}': ")
            left_out = f"{where}: column '{name}' is left out"
            if isinstance(error, FewRows):
                say(f"{left_out}, as it has too few images per value: {error.reason}")
            else:
                say(f"{left_out}: {why}")
    return together(usable, count, classes, kinds)


def check_names(names: list[str]) -> None:
    """Raise if a factor's name cannot be used on the command line or in a table."""
    for name in names:
        if not name or name != name.strip() or not name.isprintable() or set(name) & set("=,"):
            raise ValueError(
                f"'names' has {name!r}; a factor's name must be one line of text without '=', "
                "',' or surrounding spaces"
            )
