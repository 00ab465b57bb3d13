"""Kinds of given factors that are a dataset's, and digests of given arrays."""

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


def test_digests_change_with_one_real_number_and_with_its_kind():
    v = np.linspace(0, 1, 300)[:, None]
    other = v.copy()
    other[0] = -1e-6  # of the same rank
    sources = [array_source(v, x) for x in (v, other)]
    sources.append(array_source(v, v, names=["factor 1"], kinds={"factor 1": "cyclic=1"}))
    assert len({source.digest for source in sources}) == 3
    assert len({source.dataset.fingerprint for source in sources}) == 3


def test_digests_of_numbers_of_few_values_are_those_of_earlier_versions():
    v = np.array([[1.0], [2.0], [4.0]] * 10)
    source = array_source(np.arange(30.0)[:, None], v, names=["size"])
    assert source.digest == "codes c368524d07c1aaf1"
    assert source.dataset.fingerprint[:16] == "32bb3dadce4e42b3"
