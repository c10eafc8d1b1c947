"""Shares and their differences, against published values, scipy and simulations."""

import numpy as np
import pytest
from scipy.stats import binomtest, fisher_exact

from studio.evaluation import proportions


@pytest.mark.parametrize(("right", "rows"), [(0, 10), (3, 10), (10, 10), (81, 263), (999, 1000)])
def test_intervals_of_a_share_are_those_of_wilson(right, rows):
    expected = binomtest(right, rows).proportion_ci(method="wilson")
    assert proportions.wilson(right, rows) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_the_interval_of_a_difference_is_the_one_that_newcombe_published():
    # Newcombe 1998, table II, (a) 56/70 and 48/80, method 10
    assert proportions.difference(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@pytest.mark.parametrize("rows", [25, 60, 300])
def test_intervals_of_a_share_hold_the_truth_19_times_of_20_whatever_the_share(rows):
    random = np.random.default_rng(0)
    shares = random.uniform(0.5, 0.98, 8000)
    bounds = [proportions.wilson(count, rows) for count in range(rows + 1)]
    low, high = np.array(bounds)[random.binomial(rows, shares)].T
    held = np.mean((low <= shares) & (shares <= high))
    assert 0.93 <= held <= 0.97


@pytest.mark.parametrize("table", [(8, 10, 2, 9), (30, 40, 20, 45), (5, 5, 3, 9), (500, 600, 800, 1000)])
def test_the_p_is_fishers_less_half_of_what_was_seen(table):
    right, rows, other, others = table
    exact = fisher_exact([[right, rows - right], [other, others - other]]).pvalue
    found = proportions.p_value(*table)
    assert 0 < found < exact
    assert found == pytest.approx(proportions.p_value(other, others, right, rows))  # whichever comes first


def test_equal_shares_are_told_apart_once_in_twenty_at_most_by_chance():
    random = np.random.default_rng(0)
    draws = zip(random.binomial(60, 0.8, 3000), random.binomial(200, 0.8, 3000), strict=True)
    wrong = np.mean([proportions.p_value(int(a), 60, int(b), 200) < 0.05 for a, b in draws])
    assert 0.03 <= wrong <= 0.055
