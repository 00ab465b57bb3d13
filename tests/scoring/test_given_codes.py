"""Kinds of given factors that are a dataset's."""

import numpy as np
import pytest

from disentangle.errors import UsageError
from disentangle.scoring.arrays import array_source
from disentangle.scoring.given_codes import kinds_of


@pytest.fixture
def dataset():
    """A dataset of a continuous factor, an ordinal one, and one that is not scored."""
    v = np.stack([np.linspace(0, 1, 300), np.arange(300) % 4, np.arange(300) % 3], 1)
    kinds = {"size": "ordinal"}
    source = array_source(v, v, names=["height", "size", "lamp"], kinds=kinds)
    source.dataset.nuisance = frozenset({"lamp"})
    return source.dataset


def test_given_kinds_take_precedence_over_those_of_real_numbers(dataset):
    names = ["height", "size", "lamp"]
    assert kinds_of(dataset, {}, names) == {"height": "continuous"}
    given = {"height": "cyclic=1", "lamp": "categorical"}
    assert kinds_of(dataset, given, names) == {"height": "cyclic=1"}


@pytest.mark.parametrize(
    ("kinds", "names", "message"),
    [
        ({"lamp": "ordinal"}, None, "kinds: no factor 'lamp'"),
        ({"hight": "ordinal"}, ["height"], "no factor 'hight'; did you mean 'height'"),
        ({"height": "cyclic"}, None, "kinds: 'height': expected the period"),
    ],
)
def test_kind_that_does_not_fit_is_a_usage_error(dataset, kinds, names, message):
    with pytest.raises(UsageError, match=message):
        kinds_of(dataset, kinds, names)
