"""The grammar of hold-outs: values, sets, ranges, labels, shares, and what is in neither part."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from disentangle.contracts.dataset import Grid
from disentangle.contracts.hold_out import held_out, is_rounded, is_share, matches
from disentangle.errors import Unavailable, UsageError
from disentangle.scoring.arrays import array_source

SCALES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
ANGLES = (-30.0, -12.8571, 4.2857, 30.0, 90.0)


class Shapes(Grid):
    """A grid of words, numbers, rounded numbers, unevenly spaced numbers and bare labels."""

    image_shape = (1, 1, 1)
    fingerprint = source = name = "shapes"

    def images(self, index):
        return torch.zeros(len(self._index(index)), 1, 1, 1, dtype=torch.uint8)


def shapes():
    made = Shapes({"shape": 3, "scale": 6, "angle": 5, "size": 3, "x": 4})
    made.values = {
        "shape": ["square", "ellipse", "heart"],
        "scale": [f"{v:.4g}" for v in SCALES],
        "angle": [f"{v:.4g}" for v in ANGLES],
        "size": ["1", "10", "100"],
    }
    made.numbers = {"size": (1.0, 10.0, 100.0)}
    return made


def labels(factor):
    data = shapes()
    return data.every_label(np.arange(len(data)))[:, data.column(factor)]


def number(factor):
    """The number behind each image's value of a factor."""
    behind = {"scale": SCALES, "angle": ANGLES, "size": (1, 10, 100), "x": range(4)}
    return np.array(behind[factor])[labels(factor)]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("shape=heart", labels("shape") == 2),
        ("shape!=heart", labels("shape") != 2),
        ("shape=heart|square", labels("shape") != 1),
        ("shape = heart | square", labels("shape") != 1),
        ("shape!=heart|square", labels("shape") == 1),
        ("scale>0.7", number("scale") > 0.75),
        ("scale>=0.70", number("scale") > 0.65),
        ("scale<0.7", number("scale") < 0.65),
        ("scale<=.7", number("scale") < 0.75),
        ("scale>0.75", number("scale") > 0.75),
        ("scale=0.5|1", np.isin(labels("scale"), (0, 5))),
        ("angle in 0..90", number("angle") >= 0),
        ("angle in -30..4.3", number("angle") < 5),
        ("size>=10", number("size") >= 10),
        ("size in 2..99", number("size") == 10),
        ("x>1", number("x") > 1),
        ("x in 1..2", np.isin(number("x"), (1, 2))),
        ("shape#=1", labels("shape") == 1),
        ("shape#!=1", labels("shape") != 1),
        ("shape#>=1", labels("shape") >= 1),
        ("scale#=0|5", np.isin(labels("scale"), (0, 5))),
        ("scale# in 1..3", np.isin(labels("scale"), (1, 2, 3))),
        ("scale #> 3", labels("scale") > 3),
        ("shape=heart,scale>=0.8", (labels("shape") == 2) & (number("scale") >= 0.79)),
        ("x<3,x>0", np.isin(number("x"), (1, 2))),
    ],
)
def test_condition_holds_out_the_images_that_it_says(spec, expected):
    assert (matches(shapes(), spec, 0) == expected).all()


def test_words_with_numbers_behind_them_have_ranges():
    data = shapes()
    data.values = {**data.values, "size": ["small", "medium", "large"]}
    for spec in ("size>small", "size>=10", "size>1", "size in medium..100"):
        assert (matches(data, spec, 0) == (number("size") >= 10)).all()


@pytest.mark.parametrize("exact", [4.2857, 4.285714285, 4.2861])
def test_number_that_rounds_to_a_value_of_four_digits_means_it(exact):
    """The value's name, 4.286, may have been rounded: a strict comparison must not depend on it."""
    assert (matches(shapes(), f"angle>{exact}", 0) == (number("angle") > 5)).all()
    assert (matches(shapes(), f"angle>={exact}", 0) == (number("angle") > 4)).all()
    assert (matches(shapes(), f"angle={exact}", 0) == (labels("angle") == 2)).all()


def test_only_a_name_of_four_significant_digits_may_be_rounded():
    names = ("4.286", "-12.86", "0.03226", "0.5", "1998", "2.09440", "1e-05", "nan", "a.bcd")
    assert [is_rounded(name) for name in names] == [True] * 3 + [False] * 6


@pytest.mark.parametrize(
    ("spec", "column", "value"),
    [("a=1", 0, 1), ("a>b=x|y", 1, 0), ("a#=1", 2, 1), ("a##=1", 2, 1), ("c=x|y", 3, 2)],
)
def test_signs_in_names_of_factors_and_values_belong_to_these(spec, column, value):
    data = Shapes({"a": 2, "a>b": 2, "a#": 2, "c": 3})
    data.values = {"a>b": ["x|y", "z"], "c": ["x", "y", "x|y"]}
    grid = data.every_label(np.arange(len(data)))
    assert (matches(data, spec, 0) == (grid[:, column] == value)).all()


CONDITIONS = st.one_of(
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["scale#", "angle#", "x", "shape#"]),
        st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
        st.integers(0, 2),
    ),
    st.sampled_from(["shape=heart|square", "scale in 0.6..0.8", "angle>=0", "x=50%"]),
)
SPECS = st.lists(CONDITIONS, min_size=1, max_size=3).map(",".join)
OPPOSITE = {"=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


@given(st.sampled_from(list(OPPOSITE)), st.sampled_from(["scale", "angle", "size", "x", "shape#"]),
       st.integers(0, 2))  # fmt: skip
def test_opposite_condition_holds_out_the_complement(relation, factor, label):
    value = shapes().values.get(factor, "012")[label]
    one, other = (
        matches(shapes(), f"{factor}{sign}{value}", 0) for sign in (relation, OPPOSITE[relation])
    )
    assert (one == ~other).all()


@given(st.lists(SPECS, min_size=1, max_size=3), SPECS | st.none(), st.integers(0, 3))
def test_several_hold_outs_are_a_union_and_what_is_dropped_is_in_neither_part(specs, drop, seed):
    data = shapes()
    union = np.any([matches(data, spec, seed) for spec in specs], axis=0)
    dropped = np.zeros(len(data), bool) if drop is None else matches(data, drop, seed)
    given_specs = specs if drop is None else [*specs, f"drop {drop}"]
    train, test = ~union & ~dropped, union & ~dropped
    if not train.any() or not test.any():
        with pytest.raises(UsageError, match=r"holds out (all images|no image) of shapes"):
            held_out(data, given_specs, seed)
        return
    splits = held_out(data, given_specs, seed)
    assert (splits["train"] == np.flatnonzero(train)).all()
    assert (splits["test"] == np.flatnonzero(test)).all()
    assert len(splits["all"]) == len(data)


@given(SPECS)
def test_conditions_between_commas_all_hold(spec):
    parts = [matches(shapes(), part, 0) for part in spec.split(",")]
    assert (matches(shapes(), spec, 0) == np.all(parts, axis=0)).all()


@pytest.mark.parametrize(
    ("spec", "share"),
    [
        ("0.2", True),
        ("20%", True),
        ("drop 20%", True),
        ("shape=heart,x=50%", True),
        ("x=50%,shape=heart", True),
        ("x=50% ", True),
        ("x>0.5", False),
        ("angle in 0..90", False),
        ("shape!=heart", False),
    ],
)
def test_seed_matters_for_shares_alone(spec, share):
    assert is_share(spec) == share
    if not spec.startswith("drop"):
        drawn = {matches(shapes(), spec.strip(), seed).tobytes() for seed in range(8)}
        assert (len(drawn) > 1) == share


def test_seed_is_recorded_wherever_the_share_stands():
    view = shapes().view(hold_out=["x=50%,shape=heart"], hold_out_seed=5)
    assert view.view_record["hold_out_seed"] == 5
    again = shapes().view(**view.view_record)
    assert (again.origin(np.arange(len(again))) == view.origin(np.arange(len(view)))).all()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "shape>heart",
            r"--hold-out shape>heart: the values of shape are words \(square, ellipse, heart\); "
            r"use = or !=, or compare its labels, 0 to 2: shape#>0",
        ),
        ("shape in square..heart", "the values of shape are words"),
        ("scale>big", "--hold-out scale>big: expected a number, got 'big'"),
        ("scale>", "expected a number, got ''"),
        ("scale>nan", "expected a number, got 'nan'"),
        ("scale in 0.5", r"expected scale in LOW\.\.HIGH, got '0\.5'"),
        ("scale in 0.5..", "expected a number, got ''"),
        ("shap>0.5", "no factor 'shap'; did you mean 'shape'"),
        ("shap in 1..2", "no factor 'shap'; did you mean 'shape'"),
        ("shap#>=1", "no factor 'shap'; did you mean 'shape'"),
        ("shape=hart|heart", "shape has no value 'hart'; its values are square, ellipse, heart"),
        ("shape#=3", "shape# has no value '3'; its values are 0, 1, 2"),
        ("shape!!=heart", "'shape!!=heart' is not a condition on shape"),
        ("shape=heart,0.2", "expected factor=value, .* between commas, got '0.2'"),
        ("scale>1", "holds out no image of shapes; hold out some to test on"),
        ("scale>=0.5", "holds out all images of shapes; leave some to train on"),
        ("angle in 90..0", "holds out no image"),
        ("drop x=1", "holds out no image"),
    ],
)
def test_hold_out_that_makes_no_sense_is_refused_in_one_line(spec, message):
    with pytest.raises(UsageError, match=message) as error:
        shapes().view(hold_out=[spec])
    assert "\n" not in str(error.value)


@pytest.fixture
def real():
    """Labels of a continuous factor and of a cyclic one with few values."""
    rng = np.random.default_rng(0)
    v = np.stack([rng.normal(size=400), np.arange(400) % 4 * 90], 1)
    kinds = {"azimuth": "cyclic=360"}
    return array_source(v, v, names=["height", "azimuth"], kinds=kinds)


@pytest.mark.parametrize(
    ("spec", "chosen"),
    [
        ("height>0.5", lambda height, _: height > 0.5),
        ("height>1", lambda height, _: height > 1),  # the number, not a label
        ("height in -1..1", lambda height, _: abs(height) <= 1),
        ("azimuth in 270..0", lambda _, azimuth: (azimuth == 270) | (azimuth == 0)),
        ("height<0,azimuth=90", lambda height, azimuth: (height < 0) & (azimuth == 90)),
    ],
)
def test_conditions_on_real_numbers_are_on_the_numbers(real, spec, chosen):
    height, azimuth = real.codes(np.arange(400)).T
    test = held_out(real.dataset, [spec], 0)["test"]
    assert test.tolist() == np.flatnonzero(chosen(height, azimuth)).tolist()


@pytest.mark.parametrize("spec", ["height=0.5", "height!=0.5", "height=20%"])
def test_single_values_of_real_numbers_are_refused_with_a_range(real, spec):
    with pytest.raises(UsageError, match=r"height has real numbers.*such as 'height>-?0\.\d+'"):
        held_out(real.dataset, [spec], 0)


def test_view_of_real_numbers_keeps_them(real):
    view = real.dataset.view(hold_out=["height>0.5"], split="test")
    assert view.real_factors == ("height",)
    numbers = np.asarray(view.every_number["height"])[view.labels(np.arange(len(view)))[:, 0]]
    assert (numbers > 0.5).all()


def test_real_numbers_are_not_correlated_or_shared(real):
    for pair in ("height,azimuth=0.2", "azimuth,*=0.2"):
        with pytest.raises(
            UsageError, match=rf"--correlate {re.escape(pair)}: 'height' of .* real"
        ):
            real.dataset.view(correlate=pair)
    with pytest.raises(Unavailable, match="factor 'height' has real numbers"):
        real.dataset.sharing("height", np.arange(3), np.random.default_rng(0))
