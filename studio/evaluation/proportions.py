"""Shares of right answers: how sure one is, and whether two of different rows differ by more than chance."""

import numpy as np
from scipy.special import gammaln

_Z = 1.959964  # of the normal distribution, for 95 %


def wilson(right: int, rows: int) -> tuple[float, float]:
    """The interval that holds the true share 19 times of 20 (Wilson 1927); it has width also where nothing is wrong."""
    share, z2 = right / rows, _Z**2
    middle = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = _Z / (1 + z2 / rows) * np.sqrt(share * (1 - share) / rows + z2 / (4 * rows**2))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def difference(right: int, rows: int, other_right: int, other_rows: int) -> tuple[float, float]:
    """The 95 % interval of the first share less the second (Newcombe 1998, method 10)."""
    share, other = right / rows, other_right / other_rows
    (low, high), (other_low, other_high) = wilson(right, rows), wilson(other_right, other_rows)
    below = np.hypot(share - low, other_high - other)
    above = np.hypot(high - share, other - other_low)
    return float(share - other - below), float(share - other + above)


def p_value(right: int, rows: int, other_right: int, other_rows: int) -> float:
    """The two-sided p that two shares are the same: Fisher's exact test in its mid-p version.

    Mid-p comes closer to its level than the exact test, which is too careful with few rows
    (Lydersen, Fagerland and Laake 2009, https://doi.org/10.1002/sim.3531).
    """
    total = right + other_right
    possible = np.arange(max(0, total - other_rows), min(rows, total) + 1)  # right ones among the first rows
    log = _log_choose(rows, possible) + _log_choose(other_rows, total - possible)
    chance = np.exp(log - log.max())
    chance /= chance.sum()
    observed = chance[right - possible[0]]
    same = np.isclose(chance, observed, rtol=1e-7, atol=0)
    return float(min(1.0, chance[(chance < observed) & ~same].sum() + chance[same].sum() - observed / 2))


def _log_choose(of: int, taken: np.ndarray) -> np.ndarray:
    return gammaln(of + 1) - gammaln(taken + 1) - gammaln(of - taken + 1)
