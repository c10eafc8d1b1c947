"""Labels of which some are turned into others by lot: wrong ones whose places are known."""

import numpy as np


def turn(labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Class ids (rows,) of which a share is turned into others, and the positions of these."""
    chance = np.random.default_rng(seed)
    turned = chance.permutation(len(labels))[: round(share * len(labels))]
    given = labels.copy()
    given[turned] = (labels[turned] + chance.integers(1, labels.max() + 1, len(turned))) % (labels.max() + 1)
    return given, turned
