"""Deals rows with several labels each out to splits or folds, so that every label comes in the same proportions."""

import numpy as np
from scipy import sparse


def stratify(units: np.ndarray, marks: np.ndarray, shares: list[float], seed: int) -> np.ndarray:
    """For each row the number of its part, from 0 on.

    Iterative stratification (Sechidis et al. 2011, https://doi.org/10.1007/978-3-642-23808-6_10): the label with the
    fewest units left is dealt out first, each unit to the part that lacks it most. Rows without any label are dealt
    out in proportion as well.

    units: (rows,) numbers; rows of one unit come into one part.
    marks: (rows, classes) True where a row has the label.
    shares: sizes of the parts relative to all rows; they add up to 1. A label is in every part, if it has as many
        units of its own as there are parts.
    """
    names, unit_of, sizes = np.unique(units, return_inverse=True, return_counts=True)
    marks = np.column_stack([marks, ~marks.any(axis=1)])  # having no label counts as one
    row, mark = np.nonzero(marks)
    counts = sparse.coo_array((np.ones(len(row), np.int64), (unit_of[row], mark)), (len(names), marks.shape[1]))
    of_unit, of_label = counts.tocsr(), counts.tocsc()  # rows by unit and label
    draw = np.random.default_rng(seed).permutation(len(names))  # units are sorted: row order plays no part
    part_of = np.full(len(names), -1)
    lacked = np.outer(shares, counts.sum(axis=0)).tolist()  # rows by part and label, and
    open_rows = (np.array(shares) * len(units)).tolist()  # rows by part, that are still wanted
    held = [[False] * marks.shape[1] for _ in shares]  # whether the part has the label

    left = np.diff(of_label.indptr).astype(np.int64)  # units with each label that are not dealt out yet
    while left.any():
        label = int(np.argmin(np.where(left > 0, left, np.iinfo(np.int64).max)))
        members = of_label.indices[of_label.indptr[label] : of_label.indptr[label + 1]]
        members = members[part_of[members] < 0]
        members = members[np.lexsort((draw[members], -sizes[members]))]  # what fills a part at once comes first
        for at, unit in enumerate(members.tolist()):
            parts = range(len(shares))
            without = [part for part in parts if not held[part][label]]
            if len(members) - at <= len(without):
                parts = without
            part = max(parts, key=lambda part: (lacked[part][label], open_rows[part]))
            part_of[unit] = part
            open_rows[part] -= int(sizes[unit])
            begin, end = of_unit.indptr[unit : unit + 2]
            for other, rows in zip(of_unit.indices[begin:end].tolist(), of_unit.data[begin:end].tolist(), strict=True):
                lacked[part][other] -= rows
                held[part][other] = True
                left[other] -= 1
    return part_of[unit_of]
