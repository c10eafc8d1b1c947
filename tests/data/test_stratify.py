"""Rows with several labels are dealt out label by label in proportion, and nothing that belongs together is parted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.data.carving import carve, deal
from studio.data.stratify import stratify

SHARES = [0.75, 0.15, 0.1]


def rows(count: int, classes: int, seed: int = 0) -> np.ndarray:
    """Marks of labels from very rare to common, many rows with none."""
    return np.random.default_rng(seed).random((count, classes)) < np.geomspace(0.004, 0.4, classes)


def furthest_off(parts: np.ndarray, marks: np.ndarray) -> float:
    """How far the share of a label, or of having none, is from what it should be, in the part where it is worst."""
    kinds = [*marks.T, ~marks.any(axis=1)]
    return max(abs(np.bincount(parts[kind], minlength=3) / kind.sum() - SHARES).max() for kind in kinds)


def test_every_label_keeps_its_share_in_every_part_where_chance_alone_would_not():
    marks = rows(4000, 12)
    parts = stratify(np.arange(4000), marks, SHARES, seed=0)
    chance = np.random.default_rng(0).choice(3, 4000, p=SHARES)
    assert furthest_off(parts, marks) < 0.04 < furthest_off(chance, marks)
    assert np.bincount(parts) / 4000 == pytest.approx(SHARES, abs=0.002)


def test_40_000_rows_of_20_labels_with_repeated_contents_keep_their_shares():
    marks = rows(40_000, 20)
    units = np.random.default_rng(0).integers(0, 30_000, 40_000)
    parts = stratify(units, marks, SHARES, seed=0)
    assert furthest_off(parts, marks) < 0.02


def test_folds_are_equal_in_size_and_in_every_label():
    marks = rows(1000, 6)
    folds = deal(np.arange(1000), marks, 5, seed=0)
    assert set(np.bincount(folds)) <= set(range(194, 207))
    for mark in marks.T:
        counts = np.bincount(folds[mark], minlength=5)
        assert counts.max() - counts.min() <= 2


def test_a_label_of_few_groups_is_dealt_out_before_one_of_fewer_rows_in_more_groups():
    groups = np.array([at for at in range(3) for _ in range(30)] + [at for at in range(12) for _ in range(5)])
    marks = np.arange(150)[:, None] < 90
    marks = np.column_stack([marks, ~marks])
    parts = stratify(groups, marks, SHARES, seed=0)
    assert all(set(parts[mark]) == {0, 1, 2} for mark in marks.T)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.sets(st.integers(0, 4))), min_size=1, max_size=120),
    st.lists(st.floats(0.01, 0.45), max_size=2),
    st.integers(0, 2**32 - 1),
)
def test_no_unit_is_parted_and_a_label_with_units_of_its_own_is_in_every_part(drawn, fractions, seed):
    units = np.array([unit for unit, _ in drawn], np.uint64)
    marks = np.array([[label in labels for label in range(5)] for _, labels in drawn])
    parts = carve(units, marks, fractions, seed)
    assert set(parts) <= set(range(len(fractions) + 1))
    for unit in np.unique(units):
        assert len(set(parts[units == unit])) == 1
    together = {unit: marks[units == unit].any(axis=0) for unit in np.unique(units)}
    for label in range(5):
        own = [unit for unit, found in together.items() if found[label] and found.sum() == 1]
        if len(own) > len(fractions):
            assert set(parts[marks[:, label]]) == set(range(len(fractions) + 1))
    order = np.random.default_rng(seed).permutation(len(units))
    assert (carve(units[order], marks[order], fractions, seed) == parts[order]).all()
