"""The codes of each case have the property that the case says."""

import numpy as np
import pytest

from disentangle._utils.seeds import numpy_rng
from disentangle.auditing import cases
from disentangle.auditing.cases import CASES, Factors
from disentangle.auditing.expectations import EXPECTATIONS
from disentangle.auditing.factor_sets import (
    continuous,
    continuous_copy,
    continuous_function,
    correlated,
    function_of_two,
    grid,
    noisy_copy,
    repeated,
)


@pytest.fixture(scope="module")
def factors():
    """The factors of the small grid."""
    return Factors.of(grid("small"))


def rng():
    return np.random.default_rng(0)


def determines(z, v):
    """Whether rows with the same columns `z` always have the same value `v`."""
    _, group = np.unique(np.round(z, 9).reshape(len(z), -1), axis=0, return_inverse=True)
    pairs = np.unique(np.column_stack([group.ravel(), v]), axis=0)
    return len(pairs) == len(np.unique(group))


def readable(codes, factors):
    """Whether each factor can be read from all codes together."""
    return [determines(codes, v) for v in factors.labels.T]


def of(name, factors, amount=0.0):
    return CASES[name].codes(factors, rng(), amount)


def test_factors_are_standardised(factors):
    assert factors.numbers.mean(axis=0) == pytest.approx(0, abs=1e-12)
    assert factors.numbers.std(axis=0) == pytest.approx(1)


def test_oracle_is_the_factors(factors):
    assert np.array_equal(of("oracle", factors), factors.numbers)


def test_scaled_has_one_factor_in_each_latent_in_another_order(factors):
    correlation = np.corrcoef(of("scaled", factors).T, factors.numbers.T)[:5, 5:]
    assert np.abs(correlation) == pytest.approx(np.roll(np.eye(5), 1, axis=0), abs=1e-9)
    assert (np.diag(np.roll(correlation, -1, axis=0)) < 0).any()


def test_monotone_keeps_or_reverses_the_order_and_is_not_linear(factors):
    for z, v in zip(of("monotone", factors).T, factors.numbers.T, strict=True):
        means = np.array([z[v == value].mean() for value in np.unique(v)])
        steps = np.diff(means)
        assert (steps > 0).all() or (steps < 0).all()
        assert determines(z, v)
        assert len(steps) < 3 or np.ptp(np.abs(steps)) > 0.1 * np.abs(steps).mean()


@pytest.mark.parametrize(
    ("name", "start"),
    [("rotated", 0.0), ("leaking", 0.0), ("noisy", 0.0), ("beside noise", 0.0)],
)
def test_sweeps_start_at_the_oracle(factors, name, start):
    assert CASES[name].amounts[0] == start
    assert of(name, factors, start) == pytest.approx(factors.numbers)


def test_rotated_shares_pairs_equally_at_45_degrees_and_loses_nothing(factors):
    codes = of("rotated", factors, 45.0)
    squared = np.square(np.corrcoef(codes.T, factors.numbers.T)[:5, 5:])
    assert squared[:2, :2] == pytest.approx(np.full((2, 2), 0.5), abs=1e-9)
    assert squared[2:4, 2:4] == pytest.approx(np.full((2, 2), 0.5), abs=1e-9)
    assert squared[4, 4] == pytest.approx(1)
    assert all(readable(codes, factors))


def test_mixed_is_a_rotation_and_every_latent_holds_several_factors(factors):
    codes = of("mixed", factors)
    assert np.linalg.norm(codes, axis=1) == pytest.approx(np.linalg.norm(factors.numbers, axis=1))
    squared = np.square(np.corrcoef(codes.T, factors.numbers.T)[:5, 5:])
    assert squared.max() < 0.95
    assert ((squared > 0.01).sum(axis=1) > 1).all()


def test_merged_has_two_factors_in_one_latent_that_can_be_read_exactly(factors):
    codes = of("merged", factors)
    assert codes.shape[1] == 4
    assert determines(codes[:, 0], factors.labels[:, 0])
    assert determines(codes[:, 0], factors.labels[:, 1])


def test_dropped_lacks_the_first_factor_alone(factors):
    codes = of("dropped", factors)
    assert np.array_equal(codes[:, 1:], factors.numbers[:, 1:])
    assert abs(np.corrcoef(codes[:, 0], factors.numbers[:, 0])[0, 1]) < 0.05


def test_spread_needs_both_latents_for_the_last_factor(factors):
    codes, last = of("spread", factors), factors.labels[:, -1]
    assert determines(codes[:, 4:], last)
    assert not determines(codes[:, 4], last)
    assert not determines(codes[:, 5], last)
    assert determines(last[:, None], codes[:, 4])


def test_copied_has_each_factor_twice(factors):
    codes = of("copied", factors)
    assert codes.shape[1] == 10
    assert codes[:, :5] == pytest.approx(factors.numbers, abs=0.1)
    assert codes[:, 5:] == pytest.approx(factors.numbers, abs=0.1)
    assert not np.array_equal(codes[:, :5], codes[:, 5:])


@pytest.mark.parametrize("groups", [10, 4, 2])
def test_quantised_has_at_most_so_many_groups(factors, groups):
    for z, v in zip(of("quantised", factors, groups).T, factors.labels.T, strict=True):
        assert len(np.unique(z)) == min(groups, v.max() + 1)
        assert determines(v[:, None], z)


def test_cyclic_needs_both_latents_for_the_last_factor(factors):
    codes, last = of("cyclic", factors), factors.labels[:, -1]
    assert determines(codes[:, 4:], last)
    assert not determines(codes[:, 4], last)
    assert np.hypot(codes[:, 4], codes[:, 5]) == pytest.approx(1)


def test_noise_knows_nothing(factors):
    correlation = np.corrcoef(of("noise", factors).T, factors.numbers.T)[:10, 10:]
    assert np.abs(correlation).max() < 4 / np.sqrt(len(factors.labels))


def test_collapsed_has_one_latent_with_a_factor(factors):
    deviations = of("collapsed", factors).std(axis=0)
    assert (deviations[:4] < 1e-3).all()
    assert deviations[4] == pytest.approx(1)


def test_constant_never_changes(factors):
    assert not np.ptp(of("constant", factors), axis=0).any()


def test_beside_constants_has_the_oracle_and_latents_that_never_change(factors):
    codes = of("beside constants", factors)
    assert np.array_equal(codes[:, :5], factors.numbers)
    assert codes.shape[1] == 10
    assert not np.ptp(codes[:, 5:], axis=0).any()


def test_beside_noise_has_so_many_latents_of_noise(factors):
    codes = of("beside noise", factors, 100.0)
    assert np.array_equal(codes[:, :5], factors.numbers)
    assert codes.shape[1] == 105
    assert codes[:, 5:].std(axis=0) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_leaking_has_that_share_of_the_variance_from_a_second_factor(factors, share):
    codes = of("leaking", factors, share)
    squared = np.square(np.corrcoef(codes.T, factors.numbers.T)[:5, 5:])
    expected = (1 - share) * np.eye(5) + share * np.roll(np.eye(5), -1, axis=1)
    assert squared == pytest.approx(expected, abs=1e-9)


def test_noisy_has_noise_of_that_deviation(factors):
    rest = of("noisy", factors, 0.3) - factors.numbers
    assert rest.std(axis=0) == pytest.approx(0.3, rel=0.05)


def test_single_precision_is_the_noisy_code_with_seven_digits(factors):
    double, single = of("noisy at 0.3", factors, 0.3), of("single precision", factors, 0.3)
    assert not np.array_equal(double, single)
    assert single == pytest.approx(double, rel=1e-6)
    assert np.array_equal(single, single.astype(np.float32))


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.9])
def test_correlated_factors_have_equally_frequent_values(rho):
    labels = correlated(10_000, rho, rng()).labels(np.arange(10_000))
    assert (np.bincount(labels[:, 0]) == 1000).all()
    correlation = np.corrcoef(labels.T)[np.triu_indices(5, 1)]
    assert correlation == pytest.approx(np.full(10, rho), abs=0.05)


def test_a_copied_factor_copies_in_that_share_of_the_rows():
    labels = noisy_copy(10_000, 0.8, rng()).labels(np.arange(10_000))
    assert np.mean(labels[:, 0] == labels[:, -1]) == pytest.approx(0.8 + 0.2 / 10, abs=0.02)
    assert np.mean(labels[:, 1] == labels[:, -1]) == pytest.approx(0.1, abs=0.02)


def test_a_function_of_two_factors_follows_from_both_and_from_neither():
    labels = function_of_two(2_000, rng()).labels(np.arange(2_000))
    assert determines(labels[:, :2], labels[:, -1])
    assert not determines(labels[:, 0], labels[:, -1])
    assert not determines(labels[:, 1], labels[:, -1])


def test_continuous_factors_correlate_as_they_say():
    for data, pairs in (
        (continuous(20_000, 0.6, rng()), [(0, 1, 0.6), (2, 4, 0.6)]),
        (continuous_copy(20_000, 0.9, rng()), [(0, 4, 0.9), (0, 1, 0.0), (1, 4, 0.0)]),
        (continuous_function(20_000, rng()), [(0, 4, 0.707), (1, 4, 0.707), (0, 1, 0.0)]),
    ):
        correlation = np.corrcoef(data.reals.T)
        for i, k, expected in pairs:
            assert correlation[i, k] == pytest.approx(expected, abs=0.03)


def test_continuous_factors_are_their_numbers_beside_ranks():
    data = continuous(300, 0.0, rng())
    labels, factors = data.labels(np.arange(300)), Factors.of(data)
    assert data.real_factors == tuple(data.factors)
    assert (np.sort(labels, axis=0) == np.arange(300)[:, None]).all()
    numbers = [np.asarray(data.numbers[name])[labels[:, k]] for k, name in enumerate(data.factors)]
    assert (np.stack(numbers, axis=1) == data.reals).all()
    assert factors.numbers == pytest.approx((data.reals - data.reals.mean(0)) / data.reals.std(0))


def test_repeated_rows_repeat_in_factors_and_codes():
    data = repeated(30, 10, rng())
    codes = of("repeated rows", Factors.of(data), 10.0)
    rows = np.hstack([codes, data.labels(np.arange(300))])
    unique, count = np.unique(rows, axis=0, return_counts=True)
    assert len(unique) == 30
    assert (count == 10).all()


def test_sorted_rows_are_the_unsorted_ones_in_the_order_of_their_factors():
    first, second = (
        CASES[name].factors(numpy_rng(0, "audit factors"), 0.0).labels(np.arange(cases.ROWS))
        for name in ("unsorted rows", "sorted rows")
    )
    assert not np.array_equal(first, second)
    assert np.array_equal(first[np.lexsort(first.T[::-1])], second)


@pytest.mark.parametrize("name", ["large", "uneven", "small"])
def test_grids_have_each_combination_once(name):
    data = grid(name)
    labels = data.labels(np.arange(len(data)))
    assert len(data) == np.prod(list(data.factors.values()))
    assert (labels.max(axis=0) + 1).tolist() == list(data.factors.values())
    assert len(np.unique(labels @ np.cumprod([1, *data.factors.values()][:-1]))) == len(data)


def test_expectations_are_of_cases_that_there_are():
    assert {e.case for e in EXPECTATIONS} <= set(CASES)
    assert {e.other for e in EXPECTATIONS if e.kind == "same"} <= set(CASES)
    assert not any(e.other for e in EXPECTATIONS if e.kind != "same")
    assert all(e.reason and e.properties for e in EXPECTATIONS)
    assert all(
        len(CASES[e.case].amounts) > 1
        for e in EXPECTATIONS
        if e.kind in ("falls", "drops", "steady")
    )


def test_every_case_is_asked_about_or_compared_with():
    assert set(CASES) <= {e.case for e in EXPECTATIONS} | {e.other for e in EXPECTATIONS}


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)
def test_cases_say_what_they_are(case):
    assert case.about.endswith(".")
    assert case.expects.endswith(".")
    assert (len(case.amounts) > 1) <= bool(case.unit)
