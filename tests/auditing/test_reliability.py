"""Reliability of numbers made by hand."""

import math

import pytest

from disentangle.auditing.reliability import reliability_of


def test_signal_to_noise_is_the_spread_over_cases_by_the_spread_over_seeds():
    values = {"oracle": {0.0: [0.9, 1.0]}, "noise": {0.0: [0.1, 0.2]}}
    reliability = reliability_of("s", values, 1.0)
    assert reliability.within == pytest.approx(math.sqrt(0.005))  # variance of each: 0.1^2 / 2
    assert reliability.between == pytest.approx(0.4)  # means 0.95 and 0.15
    assert reliability.signal_to_noise == pytest.approx(0.4 / math.sqrt(0.005))


def test_every_amount_counts():
    values = {"rotated": {0.0: [1.0, 1.0], 45.0: [0.2, 0.6]}}
    reliability = reliability_of("s", values, 1.0)
    assert reliability.within == pytest.approx(math.sqrt((0 + 0.08) / 2))
    assert reliability.between == pytest.approx(0.3)


def test_cases_whose_rows_are_all_used_tell_nothing_of_sampling():
    values = {"oracle": {0.0: [0.9, 1.0]}, "unsorted rows": {0.0: [0.5, 0.5]}}
    assert reliability_of("s", values, 1.0).within == pytest.approx(math.sqrt(0.005))


def test_one_seed_has_no_signal_to_noise():
    reliability = reliability_of("s", {"oracle": {0.0: [1.0]}, "noise": {0.0: [0.0]}}, 1.0)
    assert reliability.within is None
    assert reliability.signal_to_noise is None


def test_a_score_without_noise_has_an_infinite_ratio():
    values = {"oracle": {0.0: [1.0, 1.0]}, "noise": {0.0: [0.0, 0.0]}}
    assert reliability_of("s", values, 1.0).signal_to_noise == math.inf


def test_chance_is_the_mean_score_of_noise_by_number_of_rows():
    values = {"few rows, noise": {50.0: [0.4, 0.6], 200.0: [0.1, 0.1]}, "noise": {0.0: [0.0, 0.0]}}
    reliability = reliability_of("s", values, 2.5)
    assert reliability.chance == {50.0: pytest.approx(0.5), 200.0: pytest.approx(0.1)}
    assert reliability.seconds == 2.5


def test_without_the_case_of_few_rows_there_is_no_chance():
    assert reliability_of("s", {"oracle": {0.0: [1.0]}}, 1.0).chance == {}
