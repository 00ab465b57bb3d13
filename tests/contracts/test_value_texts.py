"""Values of factors as text."""

import pytest

from disentangle.contracts.kinds import Kind
from disentangle.contracts.value_texts import ValueTexts, short


def values(kind, names=(), numbers=()):
    return ValueTexts("angle", Kind.parse(kind), names, numbers)


@pytest.mark.parametrize(
    ("kind", "names", "numbers", "texts", "extent"),
    [
        ("cyclic=24", (), [0, 6, 23], ["0°", "90°", "345°"], "cyclic, period 24, 0 to 23"),
        ("cyclic=6", ("a", "b"), [0, 3], ["0°", "180°"], "cyclic, period 6, 0 to 3"),
        ("continuous", (), [-1.23456, 0.5], ["-1.235", "0.5"], "continuous, -1.235 to 0.5"),
        ("ordinal", (), [1, 2, 4], ["1", "2", "4"], "ordinal, 1 to 4"),
        ("ordinal", ("low", "high"), [0, 1], ["low", "high"], "ordinal, 0 to 1"),
        ("categorical", (), range(2), ["0", "1"], "categorical, 0 to 1"),
    ],
)
def test_values_are_degrees_of_circles_names_and_short_numbers(kind, names, numbers, texts, extent):
    found = values(kind, names, numbers)
    assert found.of(range(len(numbers))) == texts
    assert found.range == extent


@pytest.mark.parametrize(
    ("number", "text"), [(-0.0, "0"), (3.0, "3"), (0.12345, "0.12"), (12345.678, "1.235e+04")]
)
def test_numbers_are_short(number, text):
    assert short(number) == text
