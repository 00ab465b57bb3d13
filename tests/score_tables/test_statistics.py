"""What seeds say together, against scipy's own and by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from disentangle.score_tables import statistics as summary
from disentangle.score_tables.statistics import (
    above,
    best_of,
    holm,
    iqm,
    paired,
    summarise,
    unpaired,
)

numbers = st.floats(-100, 100, width=32)


def test_summary_of_known_values():
    found = summarise([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 100.0])
    assert (found.n, found.averages["mean"], found.averages["median"]) == (8, 15.125, 3.5)
    assert found.averages["iqm"] == 3.5  # of 2, 3, 4, 5
    assert found.sd == pytest.approx(np.std([0, 1, 2, 3, 4, 5, 6, 100], ddof=1))


def test_few_values_have_no_interval():
    assert summarise([0.1, 0.2, 0.3, 0.4]).interval is None
    assert summarise([0.1]).sd is None


def test_equal_values_have_an_interval_of_no_width():
    assert summarise([0.5] * 6).interval == (0.5, 0.5)


@pytest.mark.parametrize(("statistic", "centre"), [("mean", "mean"), ("median", "median")])
def test_interval_holds_its_own_statistic(statistic, centre):
    values = np.random.default_rng(0).gamma(1, size=40).tolist()
    found = summarise(values, statistic)
    assert found.interval[0] < found.averages[centre] < found.interval[1]


def test_interval_of_a_mean_is_about_two_standard_errors_wide():
    values = np.random.default_rng(1).normal(size=400)
    low, high = summarise(values.tolist()).interval
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.08)


@pytest.mark.parametrize("size", [5, 13, 50])
@pytest.mark.parametrize("statistic", ["mean", "median", "iqm"])
def test_interval_is_scipys(statistic, size):
    values = np.random.default_rng(size).normal(size=size)
    functions = {"mean": np.mean, "median": np.median, "iqm": trimmed}
    known = stats.bootstrap(
        (values,),
        functions[statistic],
        n_resamples=5_000,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert summarise(values.tolist(), statistic).interval == pytest.approx(known, rel=1e-12)


def trimmed(values, axis=-1):
    return stats.trim_mean(values, 0.25, axis=axis)


@given(st.lists(numbers, min_size=4, max_size=30))
def test_iqm_is_scipys_trimmed_mean(values):
    assert iqm(np.asarray(values)) == pytest.approx(trimmed(np.asarray(values)))


def test_interval_is_the_same_every_time():
    values = [0.1, 0.4, 0.2, 0.9, 0.3]
    assert summarise(values, "iqm") == summarise(values, "iqm")


@given(st.lists(numbers, min_size=4, max_size=30))
def test_iqm_lies_between_the_quartiles(values):
    x = np.sort(np.asarray(values))
    cut = len(x) // 4
    assert x[cut] - 1e-9 <= iqm(x) <= x[len(x) - cut - 1] + 1e-9


@given(st.lists(numbers, min_size=2, max_size=9), st.lists(numbers, min_size=2, max_size=9))
def test_unpaired_test_does_not_depend_on_the_order_of_the_groups(a, b):
    assert unpaired(a, b) == pytest.approx(unpaired(b, a))


def test_unpaired_test_of_separate_groups_is_exact():
    assert unpaired([1, 2, 3, 4], [5, 6, 7, 8]) == pytest.approx(2 / 70)
    assert unpaired([1, 1], [1, 1]) == 1.0


def test_paired_test_is_exact():
    assert paired([1, 2, 3, 4, 5], [0, 0, 0, 0, 0]) == pytest.approx(2 / 32)
    assert paired([1, 2, 3], [1, 2, 3]) == 1.0
    assert paired([1], [0]) == 1.0


def test_paired_test_of_many_pairs_is_near_the_t_test():
    rng = np.random.default_rng(2)
    a = rng.normal(size=60)
    b = a + rng.normal(0.25, 1, size=60)
    assert paired(a, b) == pytest.approx(stats.ttest_rel(a, b).pvalue, abs=0.02)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_between_none_and_bonferroni(p):
    corrected = holm(p)
    assert all(x <= y <= min(1.0, len(p) * x) + 1e-12 for x, y in zip(p, corrected, strict=True))


def test_ties_do_not_make_few_values_enough():
    assert unpaired([1, 1, 1], [0.8, 0.8, 0.8]) == pytest.approx(0.1)
    assert unpaired([1, 1, 1, 1], [0.8] * 4) == pytest.approx(2 / 70)


def test_ties_of_many_values_are_corrected_for():
    a, b = [i // 3 for i in range(30)], [i // 3 + 2 for i in range(20)]
    known = stats.mannwhitneyu(a, b, method="asymptotic").pvalue
    assert unpaired(a, b) == unpaired(b, a) == pytest.approx(known)


def test_above_counts_a_tie_half():
    assert above([1, 2], [1, 3]) == 0.375


def test_best_is_told_apart_or_not():
    low, high = [0.1, 0.11, 0.12, 0.13, 0.14], [0.5, 0.51, 0.52, 0.53, 0.54]
    assert best_of([low, high]) == 1
    assert best_of([low, high], less=True) == 0
    assert best_of([low, high, [0.52, 0.53, 0.5, 0.51, 0.55]]) is None
    assert best_of([[0.1], [0.9]]) is None


def test_one_rival_that_is_as_good_ends_the_comparison(monkeypatch):
    tested = []
    monkeypatch.setattr(summary, "unpaired", lambda a, b: tested.append(b) or unpaired(a, b))
    groups = [[x + shift for x in (0.0, 0.1, 0.2, 0.3, 0.45)] for shift in (0.02, 0, 5, 4.99, 3)]
    assert best_of(groups) is None
    assert tested == [groups[3]]


def test_one_large_value_does_not_make_the_others_best():
    spoilt, even = [0.1] * 9 + [10], [0.2 + i / 1000 for i in range(10)]
    assert best_of([spoilt, even]) is None
    assert best_of([spoilt, even], statistic="median") == 1


def two_sided(observed, others):
    """Twice the share of equally likely outcomes at least as extreme as the observed one."""
    below, above_it = (np.mean(others <= observed + 1e-9), np.mean(others >= observed - 1e-9))
    return min(1.0, 2 * float(min(below, above_it)))


few = st.lists(st.integers(0, 6), min_size=2, max_size=5)


@given(few, few)
def test_unpaired_test_counts_all_partitions(a, b):
    pool = np.array([*a, *b], float)

    def wins(chosen):
        first = np.isin(np.arange(len(pool)), chosen)
        return above(pool[first], pool[~first])

    partitions = itertools.combinations(range(len(pool)), len(a))
    others = np.array([wins(chosen) for chosen in partitions])
    assert unpaired(a, b) == pytest.approx(two_sided(wins(range(len(a))), others))


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=8))
def test_paired_test_counts_all_signs_with_ties_but_for_rounding(tenths):
    differences = np.array(tenths) / 10
    signs = np.array(list(itertools.product((1, -1), repeat=len(tenths))))
    expected = two_sided(differences.sum(), signs @ differences)
    assert paired(differences, np.zeros(len(tenths))) == pytest.approx(expected)
    assert paired(differences * 1e-9, np.zeros(len(tenths))) == pytest.approx(expected)


@pytest.mark.parametrize(("seeds", "rows"), [(3, 1), (4, 2), (5, 7), (6, 24)])
def test_seeds_bound_the_number_of_rows_of_which_one_can_be_best(seeds, rows):
    """As docs/troubleshooting.md says."""
    groups = [[row + seed / 10 for seed in range(seeds)] for row in range(rows + 1)]
    assert best_of(groups) is None
    assert rows == 1 or best_of(groups[1:]) == rows - 1


@pytest.mark.parametrize(("seeds", "share"), [(5, 0.86), (10, 0.90), (20, 0.93)])
def test_intervals_hold_the_true_mean_as_often_as_the_pages_say(seeds, share):
    """As docs/results.md says."""
    drawn = np.random.default_rng(0).standard_normal((1_000, seeds))
    intervals = [summarise(values).interval for values in drawn]
    assert np.mean([low <= 0 <= high for low, high in intervals]) == pytest.approx(share, abs=0.025)


@pytest.mark.parametrize("rows", [2, 3, 6])
def test_rows_that_do_not_differ_are_rarely_bold(rows):
    drawn = np.random.default_rng(0).standard_normal((200, rows, 5))
    assert np.mean([best_of(groups.tolist()) is not None for groups in drawn]) < 0.08
