"""Deals rows out to splits or folds by lot: every class in proportion, rows of one unit never torn apart."""

import numpy as np

from studio.data.stratify import stratify


def carve(units: np.ndarray, labels: np.ndarray, fractions: list[float], seed: int) -> np.ndarray:
    """For each row the number of its part: 1, 2, ... for those of the given size, 0 for the rest.

    units: (rows,) numbers; rows of one unit come into one part.
    labels: (rows,) class ids, or marks (rows, classes) where rows have several; each class is divided in the given
        proportions as far as its units allow.
    fractions: sizes of the parts 1, 2, ... relative to all rows; every class has at least one row in each part
        and in the rest, if it has as many different units as that takes.
    """
    if labels.ndim == 2:
        return stratify(units, labels, [1 - sum(fractions), *fractions], seed)
    unit_of, sizes, strata = _strata(units, labels, seed)
    part_of = np.zeros(len(sizes), np.int64)
    for members in strata:
        rows = sizes[members].sum()
        for part, fraction in enumerate(fractions, start=1):
            quota = max(1, round(fraction * rows))
            # Units that alone are more than that come last, the smaller first.
            members = members[np.argsort(np.where(sizes[members] > quota, sizes[members], 0), kind="stable")]
            middles = np.cumsum(sizes[members]) - sizes[members] / 2
            needed = len(fractions) - part + 1  # units: one for every part to come and one for the rest
            count = min(max(1, np.count_nonzero(middles <= quota)), max(0, len(members) - needed))
            part_of[members[:count]] = part
            members = members[count:]
    return part_of[unit_of]


def deal(units: np.ndarray, labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """For each row the number of its fold, 0 to count - 1: each unit goes where its class has the fewest rows yet.

    units: (rows,) numbers; rows of one unit come into one fold.
    labels: (rows,) class ids, or marks (rows, classes) where rows have several; every class is in each fold, if it
        has as many units of its own as folds.
    """
    if labels.ndim == 2:
        return stratify(units, labels, [1 / count] * count, seed)
    unit_of, sizes, strata = _strata(units, labels, seed)
    fold_of = np.zeros(len(sizes), np.int64)
    filled = np.zeros(count, np.int64)  # rows in each fold
    for members in strata:
        here = np.zeros(count, np.int64)  # those of this class
        for unit in members[np.argsort(-sizes[members], kind="stable")]:
            fold = np.lexsort((filled, here))[0]
            fold_of[unit] = fold
            here[fold] += sizes[unit]
            filled[fold] += sizes[unit]
    return fold_of[unit_of]


def _strata(units: np.ndarray, labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """The position of each row's unit; the rows of each unit; and per class its units, in an order drawn by lot.

    A unit that stands with several labels counts for the one that the fewest units have: it can spare it least.
    """
    names, unit_of, sizes = np.unique(units, return_inverse=True, return_counts=True)
    held = np.unique(unit_of * (labels.max() + 1) + labels) % (labels.max() + 1)  # the label of each unit and label
    commonness = np.argsort(np.argsort(np.bincount(held), kind="stable"))  # rank of each class
    stratum = np.full(len(names), len(commonness))
    np.minimum.at(stratum, unit_of, commonness[labels])
    draw = np.random.default_rng(seed).permutation(len(names))  # units are sorted: row order plays no part
    order = np.lexsort((draw, stratum))
    return unit_of, sizes, np.split(order, np.flatnonzero(np.diff(stratum[order])) + 1)
