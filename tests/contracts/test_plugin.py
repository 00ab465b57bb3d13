"""Plugins as records of knobs."""

from typing import Literal

import numpy as np
import pytest
from torch import nn

from disentangle.contracts.plugin import Plugin, knob, knobs
from disentangle.errors import UsageError


class Recipe(Plugin):
    heat: float = knob(default=1.5, min=0, max=10, help="degrees")
    eggs: int = knob(default=2, min=1, help="eggs")
    fast: bool = knob(default=False, help="hurry")
    kind: Literal["cake", "bread"] = knob(default="cake", help="what")
    share: float = knob(default=0.5, above=0, help="a share")


def test_defaults_are_the_knobs_defaults():
    recipe = Recipe()
    assert (recipe.heat, recipe.eggs, recipe.fast, recipe.kind) == (1.5, 2, False, "cake")


def test_whole_number_becomes_float():
    heat = Recipe(heat=3).heat
    assert heat == 3.0
    assert isinstance(heat, float)


def test_float_that_is_whole_becomes_a_whole_number():
    for eggs in (Recipe(eggs=1e3).eggs, knobs(Recipe)["eggs"].parse("1e3")):
        assert eggs == 1000
        assert isinstance(eggs, int)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"heat": float("nan")},
            "heat must be a finite number, at least 0 and at most 10; got nan",
        ),
        ({"heat": float("inf")}, "got inf"),
        ({"heat": -1.0}, "at least 0"),
        ({"heat": 11}, "at most 10"),
        ({"heat": "2"}, "got '2'"),
        ({"eggs": 0}, "eggs must be a whole number, at least 1; got 0"),
        ({"eggs": 1.5}, "got 1.5"),
        ({"eggs": True}, "got True"),
        ({"fast": 1}, "true or false"),
        ({"kind": "soup"}, "one of cake, bread"),
        ({"share": 0.0}, "above 0"),
    ],
)
def test_bad_value_is_refused(values, message):
    with pytest.raises(UsageError) as caught:
        Recipe(**values)
    assert message in str(caught.value)


def test_numbers_of_numpy_are_numbers():
    recipe = Recipe(heat=np.float32(2), eggs=np.int64(3), fast=np.bool_(True))
    assert (recipe.heat, recipe.eggs, recipe.fast) == (2.0, 3, True)
    assert type(recipe.eggs) is int


@pytest.mark.parametrize("name", ["heat", "eggs"])
def test_number_beyond_all_machines_is_refused(name):
    with pytest.raises(UsageError, match="got more than 9223372036854775807"):
        Recipe(**{name: 10**400})


def test_unknown_knob_is_refused():
    with pytest.raises(TypeError, match="sugar"):
        Recipe(sugar=1)


def test_knobs_are_inherited_in_order():
    class Fancy(Recipe):
        cream: float = knob(default=0.0, min=0, help="cream")

    assert list(knobs(Fancy)) == ["heat", "eggs", "fast", "kind", "share", "cream"]


@pytest.mark.parametrize("name", ["training", "half", "forward"])
def test_knob_named_like_a_module_attribute_is_refused(name):
    with pytest.raises(TypeError, match=f"cannot have a knob '{name}'"):
        type(
            "Bad",
            (Plugin, nn.Module),
            {name: knob(default=1.0, help=""), "__annotations__": {name: float}},
        )


def test_field_that_is_no_knob_is_refused():
    with pytest.raises(TypeError, match="is not a knob"):

        class Bad(Plugin):
            secret: int = 3


def test_text_is_parsed_in_the_knobs_type():
    declared = knobs(Recipe)
    assert declared["eggs"].parse("3") == 3
    assert declared["fast"].parse("True") is True
    with pytest.raises(UsageError, match="whole number"):
        declared["eggs"].parse("3.5")
