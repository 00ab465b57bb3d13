"""InfoMEC of known codes, integers and other images, and where parts are undefined."""

import numpy as np
import pytest
from helpers.golden_metrics import ENCODERS, Coded, defined, small
from sklearn.feature_selection import mutual_info_classif

from disentangle.errors import InputWarning, Unavailable, UsageError
from disentangle.maths import entropies, standardised
from disentangle.scoring.arrays import ArraySource, array_source
from disentangle.scoring.metric_spec import MetricSpec
from disentangle_plugins.metrics.infomec import InfoMEC, explicitness, indices, modularity


def rng(seed=0):
    return np.random.default_rng(seed)


def score(z, v, **knobs):
    return defined(InfoMEC(**knobs).score(array_source(z, v), rng()))


def test_null_fit_has_the_entropy_of_as_many_values():
    v = np.repeat([0, 1, 2], [50, 30, 20])[:, None]
    nothing = np.zeros((100, 1))
    assert explicitness(nothing, v, nothing, v)[0] == pytest.approx(1 - np.log(3) / np.log(3))


def test_infomec_of_known_codes_at_full_size():
    sizes = {"shape": 3, "scale": 6, "x": 32, "y": 32, "more": 4}
    oracle, noise = (
        InfoMEC().score(Coded(ENCODERS[name], sizes), rng()) for name in ("identity", "noise10")
    )
    for name, chance in (("infom", 0.75), ("infoc", 0.5), ("infoe", 0.02)):
        assert oracle[f"infomec/{name}"] > 0.95
        assert noise[f"infomec/{name}"] < chance


def test_infoe_of_other_images_is_lower():
    z, v = small()
    z = np.hstack([z, rng(3).normal(size=(len(z), 20))])
    within, beyond = (score(z, v, out_of_sample=b)["infomec/infoe"] for b in (False, True))
    assert beyond < within - 0.05


def test_value_that_only_the_test_set_has_is_left_out():
    v = np.repeat([0, 1, 2], 5)[:, None]
    x = v + 0.0
    both = explicitness(x[:10], v[:10], x, v), explicitness(x[:10], v[:10], x[:10], v[:10])
    np.testing.assert_array_equal(*both)
    assert np.isnan(explicitness(x[:10], v[:10], x[10:], v[10:]))


def test_integer_codes_are_counted_and_take_one_input_a_value():
    v = rng().integers(0, (3, 4), (400, 2))
    # Neither code is linear in its factor, which inputs for each value do not mind.
    z = np.stack([np.array([2, 0, 5])[v[:, 0]], np.array([1, -3, 0, 7])[v[:, 1]]], 1)
    found = score(z, v, codes="integer")
    assert found["infomec/infom"] > 0.95
    assert found["infomec/infoe"] == pytest.approx(1, abs=1e-2)
    apart = score(z, v, codes="integer", out_of_sample=True)
    assert apart["infomec/infoe"] == pytest.approx(1, abs=1e-2)
    with pytest.raises(Unavailable, match="codes are not whole numbers"):
        score(small()[0], small()[1], codes="integer")


@pytest.mark.parametrize("leak", [0.1, 0.3], ids=["good", "leaky"])
def test_small_grid_scores_as_all_of_its_images_do(leak):
    sizes = {"elevation": 4, "azimuth": 24, "identity": 183}  # Cars3D: 17,568 images
    mixing = np.eye(3) + leak * rng(7).normal(size=(3, 3))
    texture = 0.5 * rng(1).normal(size=(np.prod(list(sizes.values())), 3))
    source = Coded(lambda u, index: u @ mixing + texture[index], sizes)
    found = InfoMEC().score(source, rng())
    every = np.arange(len(source))
    z, v = standardised(source.codes(every), source.codes(every))[0], source.labels(every)
    information = [mutual_info_classif(z, y, random_state=0) for y in v.T]
    nmi = np.stack(information, 1) / entropies(v)
    assert found["infomec/infom"] == pytest.approx(modularity(nmi), abs=0.01)
    assert found["infomec/infoc"] == pytest.approx(modularity(nmi.T), abs=0.01)


def test_no_image_is_drawn_twice_not_even_to_test_infoe():
    source = Coded(ENCODERS["identity"], {"a": 4, "b": 5, "c": 6})
    drawn = []
    codes = source.codes
    source.codes = lambda index: drawn.extend(index) or codes(index)
    InfoMEC(out_of_sample=True).score(source, rng())
    assert len(drawn) == len(set(drawn)) == 120
    assert source.overlap == 0


def test_repeated_rows_of_real_codes_are_warned_of():
    z, v = small()
    twice = np.vstack([z, z[:40]]), np.vstack([v, v[:40]])
    with pytest.warns(InputWarning, match="40 of 340 rows repeat the codes and factors"):
        score(*twice)
    score(np.rint(twice[0]), twice[1])  # whole numbers repeat rightly


class Discrete(ArraySource):
    """Discrete codes, as a model's."""

    discrete = True


def test_discrete_codes_are_counted_in_a_column_of_their_own():
    v = rng().integers(0, (3, 4), (400, 2))
    values = np.array([[0.3, -0.2, 0.1, 9.0], [0.05, 0.5, -0.4, 0.0]])  # in no order
    z = values[[0, 1], v] + 1e-7 * rng(1).normal(size=v.shape)  # as a straight-through estimate
    metric = MetricSpec("infomec").scores(Discrete(z, array_source(v, v).dataset), 0)
    counted = MetricSpec("infomec:codes=integer").scores(array_source(v, v), 0)
    assert metric.values == pytest.approx(counted.values)
    assert metric.resolved == {"codes": "integer"}
    for spec, source in (("infomec:codes=real", Discrete), ("infomec", ArraySource)):
        with pytest.warns(InputWarning, match="repeat"):
            real = MetricSpec(spec).scores(source(np.round(z, 3), array_source(v, v).dataset), 0)
        assert real.values != pytest.approx(metric.values)
        assert real.resolved == {}


def test_neighbours_are_refused_where_values_are_counted():
    assert MetricSpec("infomec:neighbours=10,active=0.05").metric.neighbours == 10
    with pytest.raises(UsageError, match=r"neighbours has no effect .* set codes to auto or real"):
        MetricSpec("infomec:codes=integer,neighbours=10")


def test_one_active_latent_has_no_infoc():
    z, v = small()
    found = score(z * [1, 0.01, 0.01], v)
    assert "infomec/infoc" not in found
    assert found["infomec/infom"] > 0.3
    assert found["infomec/infoe"] > 0.3
    assert "infomec/infoc" not in score(z[:, :1], v)


def test_one_factor_has_no_infom():
    z, v = small()
    found = score(z, v[:, :1])
    assert "infomec/infom" not in found
    assert found["infomec/infoc"] > 0.9


def test_constant_codes_have_infoe_alone():
    _, v = small()
    found = score(np.full((len(v), 2), 0.7), v)
    assert {"infomec/infom", "infomec/infoc"}.isdisjoint(found)
    assert found["infomec/infoe"] == pytest.approx(0, abs=1e-6)


def test_latent_that_knows_nothing_counts_as_chance():
    assert modularity(np.array([[0.0, 0.0], [0.3, 0.0]])) == pytest.approx(0.5)


def test_constant_factor_is_left_out():
    z, v = small()
    constant = np.hstack([v, np.zeros((len(v), 1), np.int64)])

    class Still(ArraySource):
        def labels(self, index):
            return constant[index]

    found = InfoMEC().score(Still(z, array_source(z, v).dataset), rng())
    for name in ("infomec/infom", "infomec/infoc", "infomec/infoe"):
        assert found[name] == pytest.approx(score(z, v)[name])
    assert np.isnan(found["infomec/information"].values[:, 3]).all()
    assert np.isnan(found["infomec/explicitness"].values[3])


def test_constant_factors_alone_are_unavailable():
    z, v = small()
    with pytest.raises(Unavailable, match="every factor is constant"):
        score(z, 0 * v)


def test_each_latent_has_its_own_rounding_and_whole_numbers_have_none():
    z = np.stack([np.arange(6) + 200_000, np.arange(6) % 3, np.arange(6) * 1e5], axis=1)
    first, _ = indices(z.astype(float), z[:2].astype(float))
    assert [len(np.unique(column)) for column in first.T] == [6, 3, 6]
    small = np.stack([np.repeat([0.1, 0.2, 0.3], 2) + 1e-9 * np.arange(6), z[:, 2]], axis=1)
    assert [len(np.unique(column)) for column in indices(small, small[:1])[0].T] == [3, 6]
