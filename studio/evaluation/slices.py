"""Rows of one kind, such as the long ones: whether the model is worse on them than on the others, beyond chance."""

from collections import Counter
from typing import Any

import numpy as np

from studio.evaluation import proportions
from studio.evaluation.answered import Answered
from studio.evaluation.paired import holm

FEWEST = 20  # rows in a slice; fewer tell nothing
_PARTS = 4  # that numbers are cut into
_MOST = 12  # values of a column of words
_LEVEL = 0.05


def slices(rows: Answered) -> list[dict[str, Any]]:
    """The rows by each of their traits: `trait`, `value`, `rows`, `accuracy`, `interval`, `rest`, `p`, `worse`.

    Numbers are cut into four parts of about as many rows. `rest` is the accuracy on the rows that have another value,
    `p` is that of the difference, corrected for all the slices that are looked at (Holm), and `worse` says whether the
    model does worse there beyond chance. A trait that tells the label, as the folders of classes do, is left out.
    """
    right, found = rows.right, []
    total, right_total = len(right), int(right.sum())
    for trait, values in rows.traits.items():
        parts = [(name, inside) for name, inside in _parts(values) if FEWEST <= inside.sum() <= total - FEWEST]
        if _tells_the_label(parts, rows):
            continue
        for name, inside in parts:
            count, hits = int(inside.sum()), int(right[inside].sum())
            others = right_total - hits, total - count
            found.append(
                {
                    "trait": trait,
                    "value": name,
                    "rows": count,
                    "accuracy": hits / count,
                    "interval": list(proportions.wilson(hits, count)),
                    "rest": others[0] / others[1],
                    "p": proportions.p_value(hits, count, *others),
                }
            )
    for one, p in zip(found, holm([one["p"] for one in found]), strict=True):
        one |= {"p": p, "worse": p < _LEVEL and one["accuracy"] < one["rest"]}
    return found


def _parts(values: list) -> list[tuple[str, np.ndarray]]:
    """The values of a trait, or ranges of them, each with the rows (rows,) that have it."""
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, int | float) for value in known):
        return _ranges(np.array([np.nan if value is None else value for value in values], float))
    column = np.array([None if value is None else str(value) for value in values], object)
    common = [value for value, _ in Counter(known).most_common(_MOST)]
    return [(str(value), column == str(value)) for value in common]


def _ranges(numbers: np.ndarray) -> list[tuple[str, np.ndarray]]:
    quantiles = np.linspace(0, 1, _PARTS + 1)[1:]
    found, below = [], -np.inf
    for edge in np.unique(np.nanquantile(numbers, quantiles, method="inverted_cdf")):
        inside = (numbers > below) & (numbers <= edge)
        below = edge
        if inside.any():
            low, high = numbers[inside].min(), numbers[inside].max()
            found.append((f"{low:,g}" if low == high else f"{low:,g} to {high:,g}", inside))
    return found


def _tells_the_label(parts: list[tuple[str, np.ndarray]], rows: Answered) -> bool:
    """Whether all rows of each slice have the same label."""
    return bool(parts) and all((rows.truth[inside] == rows.truth[inside][0]).all() for _, inside in parts)
