"""Kinds of factors: what the values of a factor mean, beyond which of them are the same."""

from dataclasses import dataclass
from math import isfinite
from typing import Final, Literal, Self, TypeAlias, get_args

from disentangle.errors import UsageError, suggestion

KindName: TypeAlias = Literal["categorical", "ordinal", "continuous", "cyclic"]
NAMES: Final[tuple[KindName, ...]] = get_args(KindName)


@dataclass(frozen=True)
class Kind:
    """What the values of a factor mean; written as in `"ordinal"` or `"cyclic=360"`.

    Attributes:
        name: `categorical` values are the same or not, as shapes are; `ordinal` ones have an order,
            as sizes on a grid; `continuous` ones are real numbers, of which most images have one of
            their own; `cyclic` ones are numbers on a circle, as angles and hues.
        period: the difference between two numbers of a cyclic factor that are the same value, such
            as 360 for degrees; 0 for other kinds.
    """

    name: KindName = "categorical"
    period: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the kind that a text such as `"cyclic=360"` means.

        Raises:
            UsageError: there is no such kind, or its period is missing or not a positive number.
        """
        name, equals, period = str(text).partition("=")
        if name not in NAMES:
            raise UsageError(
                f"expected a kind of factor, one of {', '.join(NAMES)}; got '{name}'"
                f"{suggestion(name, NAMES)}"
            )
        kind: KindName = name
        if name != "cyclic":
            if equals:
                raise UsageError(f"only cyclic factors have a period; got '{text}'")
            return cls(kind)
        try:
            number = float(period)
        except ValueError:
            number = 0.0
        if not (isfinite(number) and number > 0):
            raise UsageError(
                f"expected the period of a cyclic factor, such as 'cyclic=360' for degrees; got "
                f"'{text}'"
            )
        return cls(kind, number)

    def __str__(self) -> str:
        return f"cyclic={self.period:g}" if self.name == "cyclic" else self.name
