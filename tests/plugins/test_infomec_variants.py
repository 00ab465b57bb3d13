"""The variants of InfoMEC against independent computations of each authors' procedure."""

import numpy as np
import pytest
from helpers.golden_metrics import Coded, small
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, mutual_info_score
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from disentangle.errors import Unavailable, UsageError
from disentangle.scoring.arrays import ArraySource, array_source
from disentangle.scoring.metric_spec import MetricSpec, choose
from disentangle.scoring.protocol import load_protocol
from disentangle_plugins.metrics.infomec import VARIANTS, InfoMEC, infomec

NAMES = ("infomec/infom", "infomec/infoc", "infomec/infoe")
NEIGHBOURS = {"hsu2023": 3, "hsu2024": 10, "baykal2024": 3, "reference": 10}
ITERATIONS = {"hsu2023": 100, "hsu2024": 100, "baykal2024": 500, "reference": 100}


def active(z, variant, discrete):
    low, first, third, high = np.quantile(z, (0, 0.25, 0.75, 1), axis=0)
    if variant == "hsu2023":
        return high - low > (high - low).max() / 8
    if variant == "hsu2024":
        iqr = third - first
        return iqr > (0.1 if discrete else iqr.max() / 10)
    return high - low > (0 if discrete else (high - low).max() / 20)


def cross_entropy(x, y, iterations):
    model = LogisticRegression(C=np.inf, class_weight="balanced", max_iter=iterations)
    return log_loss(y, model.fit(x, y).predict_proba(x))


def by_scikit_learn(z, v, variant, discrete, x):
    """InfoM, InfoC and InfoE as the authors compute them, InfoE from the inputs `x`."""
    n, nmi = NEIGHBOURS[variant], np.empty((v.shape[1], z.shape[1]))
    numbers = OrdinalEncoder().fit_transform(z)
    for k, y in enumerate(v.T):
        for i, column in enumerate(z.T):
            nmi[k, i] = (
                mutual_info_score(y, numbers[:, i])
                if discrete
                else mutual_info_classif(column[:, None], y, n_neighbors=n, random_state=0)[0]
            ) / mutual_info_score(y, y)
    kept = nmi[:, active(z, variant, discrete)]
    sources, latents = kept.shape
    infom = ((kept.max(0) / kept.sum(0)).mean() - 1 / sources) / (1 - 1 / sources)
    infoc = ((kept.max(1) / kept.sum(1)).mean() - 1 / latents) / (1 - 1 / latents)
    null = [cross_entropy(np.zeros_like(z), y, ITERATIONS[variant]) for y in v.T]
    rest = [cross_entropy(x, y, ITERATIONS[variant]) for y in v.T]
    return infom, infoc, np.mean([1 - ce / h for ce, h in zip(rest, null, strict=True)])


def real_codes():
    """Six latents: three factors, a mixture, one of a twelfth of the widest range, one of far
    values that are rare."""
    z, v = small(n=600)
    rng = np.random.default_rng(5)
    mixed = 0.4 * z.sum(axis=1) + 0.2 * rng.normal(size=len(v))
    far = 0.02 * v[:, 1] + 0.01 * rng.normal(size=len(v))
    far[:20] = 6 * np.sign(rng.normal(size=20)) + 0.1 * rng.normal(size=20)
    narrow = v[:, 0] + 0.3 * rng.normal(size=len(v))
    narrow *= np.ptp(far) / 12 / np.ptp(narrow)
    return np.column_stack([z, mixed, narrow, far]), v


def discrete_codes():
    """Four latents: three factors of other values, and one that is nearly always the same."""
    _, v = small(n=600)
    rng = np.random.default_rng(6)
    values = np.linspace(-1, 1, 12).round(3)
    mistaken = rng.random(v.shape) < 0.15
    places = np.where(mistaken, rng.integers(0, 12, v.shape), [1, 4, 7] * v % 12)
    rare = np.where(rng.random(len(v)) < 0.1, 0.1 * v[:, 0], 0.0)
    return np.column_stack([values[places], rare]), v


def scores(z, v, variant, discrete=False):
    result = infomec(z, v, variant=variant, discrete=discrete)
    return tuple(result[name] for name in NAMES)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("variant", VARIANTS)
def test_real_codes_score_as_by_the_authors(variant):
    z, v = real_codes()
    expected = by_scikit_learn(z, v, variant, False, StandardScaler().fit_transform(z))
    assert scores(z, v, variant) == pytest.approx(expected, abs=1e-4)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("variant", VARIANTS)
def test_discrete_codes_score_as_by_the_authors(variant):
    z, v = discrete_codes()
    hot = OneHotEncoder(sparse_output=False).fit_transform(z)
    x = StandardScaler().fit_transform(z) if variant == "hsu2023" else hot
    expected = by_scikit_learn(z, v, variant, True, x)
    assert scores(z, v, variant, discrete=True) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("codes", [real_codes, discrete_codes])
def test_variants_differ_where_their_rules_do(codes):
    z, v = codes()
    discrete = codes is discrete_codes
    every = {name: tuple(np.round(scores(z, v, name, discrete), 4)) for name in VARIANTS}
    assert (every["baykal2024"] == every["reference"]) == discrete
    assert len(set(every.values())) == (3 if discrete else 4)


def test_indices_take_an_input_a_value_in_every_variant():
    v = np.random.default_rng(0).integers(0, (3, 4), (400, 2))
    z = np.stack([np.array([2.0, 0, 5])[v[:, 0]], np.array([1.0, -3, 0, 7])[v[:, 1]]], 1)
    for variant in VARIANTS:
        infom, infoc, infoe = scores(z, v, variant, discrete=True)
        assert infom > 0.95
        assert infoc > 0.95
        assert infoe == pytest.approx(1, abs=1e-2)


@pytest.mark.parametrize("discrete", [False, True])
def test_no_active_latent_is_zero_for_hsu2024_and_unavailable_for_the_others(discrete):
    _, v = small()
    z = np.full((len(v), 2), 0.7)
    z[:5] = 0.9  # a range, but no interquartile range
    assert scores(z, v, "hsu2024", discrete) == (0, 0, 0)
    z[:5] = 0.7
    for variant in set(VARIANTS) - {"hsu2024"}:
        infom, infoc, infoe = scores(z, v, variant, discrete)
        assert np.isnan([infom, infoc]).all()
        assert infoe == pytest.approx(0, abs=1e-6)


def test_latent_without_information_is_omitted_by_hsu2023_and_leaves_infom_undefined_elsewhere():
    v = np.array([(a, b) for a in range(3) for b in range(4) for _ in range(10)])
    nothing = np.tile([0.0, 1.0], 60)  # independent of both factors in the sample
    with_it, without = np.column_stack([v, nothing]), v.astype(float)
    expected = scores(without, v, "hsu2023", discrete=True)[0]
    assert scores(with_it, v, "hsu2023", discrete=True)[0] == pytest.approx(expected)
    for variant in ("hsu2024", "baykal2024", "reference"):
        source = array_source(with_it, v)
        result = InfoMEC(variant=variant, codes="integer").score(source, np.random.default_rng(0))
        assert "no information about any factor" in str(result["infomec/infom"])
        assert isinstance(result["infomec/infoc"], float)
    assert infomec(with_it, v, discrete=True)["infomec/infom"] == pytest.approx(2 / 3)


def test_factor_that_no_latent_informs_about_leaves_infoc_undefined():
    v = np.array([(a, b) for a in range(3) for b in range(4) for _ in range(10)])
    z = np.column_stack([v[:, 0], v[:, 0]]).astype(float)
    for variant in VARIANTS:
        infom, infoc, _ = scores(z, v, variant, discrete=True)
        assert infom == pytest.approx(1)
        assert np.isnan(infoc)
    assert infomec(z, v, discrete=True)["infomec/infoc"] == pytest.approx(0)


def test_rounding_of_a_straight_through_estimate_is_no_spread():
    z, v = discrete_codes()
    still = np.column_stack([z, np.full(len(z), 0.3)])
    rounded = still + 1e-8 * np.random.default_rng(0).normal(size=still.shape)
    for variant in VARIANTS:
        expected = scores(z, v, variant, discrete=True)[:2]
        assert scores(rounded, v, variant, discrete=True)[:2] == pytest.approx(expected)


def test_images_are_drawn_twice_only_by_the_authors_who_do_so():
    sizes = {"a": 4, "b": 5, "c": 6}
    for variant in VARIANTS:
        source, drawn = Coded(lambda u, index: u, sizes), []
        codes = source.codes
        source.codes = lambda index, codes=codes, drawn=drawn: drawn.extend(index) or codes(index)
        InfoMEC(variant=variant).score(source, np.random.default_rng(0))
        twice = len(set(drawn)) < len(drawn)
        assert twice == (variant == "baykal2024")


def test_variant_is_a_column_of_its_own_and_the_default_has_none():
    assert MetricSpec("infomec:variant=hsu2024").non_default == {"variant": "hsu2024"}
    assert MetricSpec("infomec").non_default == {}
    z, v = discrete_codes()
    z = np.rint(20 * z)
    discrete = type("Discrete", (ArraySource,), {"discrete": True})
    source = discrete(z, array_source(z, v).dataset)
    result = MetricSpec("infomec:variant=hsu2024").scores(source, 0)
    assert result.resolved == {"codes": "integer"}
    assert result.values == pytest.approx(infomec(z, v, discrete=True, variant="hsu2024"))


@pytest.mark.parametrize("given", ["neighbours=3", "active=0.1", "out_of_sample=true"])
def test_what_a_variant_sets_cannot_be_given(given):
    knob = given.partition("=")[0]
    message = f"{knob} has no effect while variant is hsu2024; omit {knob} or set variant to custom"
    with pytest.raises(UsageError, match=message):
        MetricSpec(f"infomec:variant=hsu2024,{given}")
    with pytest.raises(UsageError, match=r"variant must be one of custom, hsu2023, .*'hsu'"):
        MetricSpec("infomec:variant=hsu")


def test_function_refuses_what_a_variant_sets():
    z, v = small()
    with pytest.raises(UsageError, match="variant 'hsu2024' sets neighbours and active; omit them"):
        infomec(z, v, variant="hsu2024", neighbours=3)
    assert infomec(z, v, neighbours=3, active=0.125) == infomec(z, v)


def test_protocol_with_held_out_images_leaves_a_variant_within_the_sample():
    custom, variant = choose(["infomec", "infomec:variant=reference"], load_protocol("disjoint"))
    assert custom.metric.out_of_sample
    assert not variant.metric.out_of_sample


def test_real_codes_are_refused_as_integers():
    source = array_source(*small())
    metric = InfoMEC(variant="hsu2024", codes="integer")
    with pytest.raises(Unavailable, match="codes are not whole numbers"):
        metric.score(source, np.random.default_rng(0))
