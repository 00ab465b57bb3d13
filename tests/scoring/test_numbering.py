"""Views of discrete codes: values, their numbers, and one-hot."""

import numpy as np
import pytest

from disentangle.errors import UsageError
from disentangle.scoring import reduction
from disentangle.scoring.numbering import fit_numbering
from disentangle.scoring.reduction import in_parts
from disentangle.scoring.score_external import score_codes

RNG = np.random.default_rng(0)
FACTORS = RNG.integers(0, 4, (300, 2))
PLACES = np.hstack([FACTORS, RNG.integers(0, 5, (300, 1))])
"""The number of the value of each latent."""
VALUES = np.array([[-0.7, -0.1, 0.0, 0.2, 0.9], [-3.0, -2, 2.5, 3, 9], [0.1, 0.2, 0.3, 0.5, 0.9]])
CODES = np.take_along_axis(VALUES.T, PLACES, axis=0)
VECTORS = RNG.normal(size=(3, 5, 4))
TOKENS = np.stack([VECTORS[b][PLACES[:, b]] for b in range(3)], axis=1)


def test_index_is_the_place_of_a_value_in_order(monkeypatch):
    monkeypatch.setattr(reduction, "BLOCK", 3 * 11)
    numbering = fit_numbering("index", in_parts(CODES), 300)
    np.testing.assert_array_equal(numbering(CODES), PLACES)
    assert (numbering.latents, numbering.discrete) == (3, True)


def test_one_hot_has_a_latent_for_each_value():
    numbering = fit_numbering("one-hot", [CODES], 300)
    expected = np.hstack([PLACES[:, [d]] == np.arange(n) for d, n in enumerate((4, 4, 5))])
    np.testing.assert_array_equal(numbering(CODES), expected)
    assert numbering.latents == 13


def test_vectors_of_blocks_are_numbered_whatever_the_order_of_images():
    numbers = fit_numbering("index", [TOKENS], 300)(TOKENS)
    for b in range(3):
        order = np.argsort(np.argsort(VECTORS[b][: PLACES[:, b].max() + 1, 0]))
        np.testing.assert_array_equal(numbers[:, b], order[PLACES[:, b]])
    backwards = fit_numbering("index", [TOKENS[::-1]], 300)
    np.testing.assert_array_equal(backwards(TOKENS), numbers)


def test_negative_zero_is_zero():
    codes = np.array([[0.0], [-0.0], [1.0], [0.0]])
    assert fit_numbering("index", [codes], 4)(codes).ravel().tolist() == [0, 0, 1, 0]


def test_views_of_a_discrete_code_are_counted_by_infomec():
    counted = score_codes(PLACES, FACTORS, metrics=["infomec:codes=integer"])
    numbers = score_codes(CODES, FACTORS, metrics=["infomec"], reduce="index")
    of_tokens = score_codes(TOKENS, FACTORS, metrics=["infomec"], reduce="index")
    assert numbers == pytest.approx(counted)
    assert of_tokens == pytest.approx(counted)
    record = numbers.records[0]
    assert (record.representation, record.resolved) == ("mean, index", {"codes": "integer"})
    hot = score_codes(CODES, FACTORS, metrics=["infomec"], reduce="one-hot")
    assert hot.records[0].representation == "mean, one-hot"
    assert hot["infomec/infoe"] == pytest.approx(counted["infomec/infoe"], abs=1e-3)


def test_values_of_test_rows_are_numbered_too():
    test = np.array([[0.95, 2.5, 0.7], [-0.9, 3, 0.1]])
    options = {"metrics": ["sap"], "test_factors": FACTORS[:2], "test_codes": test}
    assert score_codes(CODES, FACTORS, reduce="index", **options)


def test_real_codes_have_no_numbers():
    real = RNG.normal(size=(300, 2))
    with pytest.raises(UsageError, match=r"index numbers the values of discrete codes.* number 0"):
        score_codes(real, FACTORS, metrics=["mig"], reduce="index")


def test_value_that_no_other_image_has_is_reported():
    numbering = fit_numbering("index", [CODES], 300)
    with pytest.raises(UsageError, match="latent or block 1 of the codes has a value"):
        numbering(CODES + np.array([0, 1e-9, 0]))
