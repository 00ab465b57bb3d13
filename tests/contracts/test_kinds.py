"""Kinds of factors, and factors of real numbers in bins."""

import numpy as np
import pytest

from disentangle import UsageError, score_codes
from disentangle.contracts.binned_factors import BinnedFactors
from disentangle.contracts.kinds import Kind
from disentangle.scoring.arrays import array_source
from disentangle.scoring.metric_spec import MetricSpec


@pytest.mark.parametrize("text", ["categorical", "ordinal", "continuous", "cyclic=360"])
def test_a_kind_is_written_as_it_is_read(text):
    assert str(Kind.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ordinl", "one of categorical, .*; got 'ordinl'.* 'ordinal'"),
        ("cyclic", "expected the period of a cyclic factor, such as 'cyclic=360'"),
        ("cyclic=0", "expected the period"),
        ("cyclic=nan", "expected the period"),
        ("ordinal=3", "only cyclic factors have a period; got 'ordinal=3'"),
    ],
)
def test_another_kind_is_refused_with_a_remedy(text, message):
    with pytest.raises(UsageError, match=message):
        Kind.parse(text)


def numbers(rows=400, low=-1, high=3):
    return np.random.default_rng(0).uniform(low, high, rows)


def test_real_numbers_keep_their_values_beside_ranks():
    v = numbers()
    source = array_source(v[:, None], v[:, None])
    index = np.arange(len(v))
    assert source.dataset.real_factors == ("factor 1",)
    assert (source.labels(index)[:, 0] == np.argsort(np.argsort(v))).all()
    assert (source.values(index)[:, 0] == v).all()


def test_bins_have_equal_width_from_the_least_to_the_largest_number():
    v = numbers()
    dataset = BinnedFactors(array_source(v[:, None], v[:, None]).dataset, 20)
    expected = np.minimum(np.digitize(v, np.histogram_bin_edges(v, 20)), 20) - 1
    assert (dataset.factors, dataset.real_factors) == ({"factor 1": 20}, ())
    assert (dataset.labels(np.arange(len(v)))[:, 0] == expected).all()


def test_bins_of_a_cyclic_factor_divide_its_period():
    v = numbers(low=-180, high=180)
    source = array_source(v[:, None], v[:, None], names=["a"], kinds={"a": "cyclic=360"})
    index = np.arange(len(v))
    assert (BinnedFactors(source.dataset, 4).labels(index)[:, 0] == (v % 360) // 90).all()
    angles = source.dataset.angles("a")[source.labels(index)[:, 0]]
    assert np.allclose(angles, np.radians(v % 360))


@pytest.mark.parametrize("kind", ["continuous", "cyclic=360"])
def test_quantiles_have_equally_many_images_in_the_order_of_their_numbers(kind):
    v = np.random.default_rng(1).normal(size=600)
    source = array_source(v[:, None], v[:, None], names=["a"], kinds={"a": kind})
    labels = BinnedFactors(source.dataset, 12, "count").labels(np.arange(len(v)))[:, 0]
    assert (np.bincount(labels) == 50).all()
    in_order = v % 360 if kind == "cyclic=360" else v
    assert (np.diff(labels[np.argsort(in_order)]) >= 0).all()


def test_equal_numbers_share_a_quantile():
    v = np.repeat(np.random.default_rng(1).normal(size=90), 3)
    source = array_source(v[:, None], v[:, None], names=["a"], kinds={"a": "continuous"})
    labels = BinnedFactors(source.dataset, 7, "count").labels(np.arange(len(v)))[:, 0]
    assert (labels.reshape(90, 3) == labels[::3, None]).all()


def test_a_test_set_has_the_bins_of_both_sets():
    v, w = numbers(), 2 * numbers(200)
    source = array_source(v[:, None], v[:, None], w[:, None], w[:, None])
    binned = source.relabelled(lambda dataset: BinnedFactors(dataset, 10))
    _, labels, _, others = binned.train_test(400, 200, np.random.default_rng(0))
    edges = np.histogram_bin_edges(np.concatenate([v, w]), 10)
    for values, found in ((v, labels), (w, others)):
        assert (found[:, 0] == np.minimum(np.digitize(values, edges), 10) - 1).all()


def test_angles_need_a_cyclic_factor():
    v = np.arange(8)[:, None] % 2
    with pytest.raises(UsageError, match=r"expected a cyclic factor, .* is categorical"):
        array_source(v, v).dataset.angles("factor 1")


def test_a_metric_of_labels_names_its_bins():
    v = numbers(2000)[:, None]
    of_default, of_ten = (
        score_codes(v, v, metrics=[f"mig{knobs}"]) for knobs in ("", ":factor_bins=10")
    )
    assert dict(of_default.records[0].key.knobs) == {"factor_bins": 20}
    assert dict(of_ten.records[0].key.knobs) == {"factor_bins": 10}
    assert of_default["mig"] != of_ten["mig"]


def test_a_metric_that_takes_no_real_numbers_says_so():
    v = numbers()[:, None]
    with pytest.warns(match="omes: n/a"):
        scores = score_codes(v, v, metrics=["omes", "mcc"])
    assert "needs factors with a few values, but factor 1 has real" in scores.unavailable["omes"]
    assert scores["mcc"] == pytest.approx(1)


@pytest.mark.parametrize("form", ["array", "mapping", "frame"])
def test_factors_are_an_array_a_mapping_or_a_data_frame(form):
    x, kind = numbers(500), np.arange(500) % 3
    columns = {"x": x, "kind": kind}
    factors = columns
    if form == "frame":
        factors = pytest.importorskip("pandas").DataFrame(columns)
    names = None
    if form == "array":
        factors, names = np.stack([x, kind], 1), ["x", "kind"]
    codes = np.stack([x, kind], 1)
    scores = score_codes(codes, factors, names=names, metrics=["mig"])
    assert list(scores.records[0].factors) == ["x", "kind"]
    assert scores["mig"] > 0.8


@pytest.mark.parametrize(
    ("factors", "options", "message"),
    [
        ({"x": np.zeros(5), "y": np.zeros(4)}, {}, r"the same length; got x \[5\], y \[4\]"),
        ({"x": np.arange(5) % 2}, {"names": ["x"]}, "leave out names"),
        ({"x": np.arange(5) % 2}, {"kinds": {"y": "ordinal"}}, "kinds: no factor 'y'"),
    ],
)
def test_columns_that_do_not_fit_are_refused(factors, options, message):
    with pytest.raises(UsageError, match=message):
        score_codes(np.zeros((5, 2)), factors, metrics=["mig"], **options)


def test_test_rows_are_in_the_quantiles_of_the_rows_to_fit_on():
    v, w = numbers(400), np.sort(numbers(200))[100:]
    source = array_source(v[:, None], v[:, None], w[:, None], w[:, None])
    spec = MetricSpec("explicitness:factor_bins=4")
    binned, _ = spec.with_real_factors(source)
    _, labels, _, others = binned.train_test(400, 100, np.random.default_rng(0))
    edges = [v[labels[:, 0] == k].min() for k in range(1, 4)]
    assert (others[:, 0] == np.searchsorted(edges, w, side="right")).mean() > 0.97
    assert set(others[:, 0]) < set(labels[:, 0])
