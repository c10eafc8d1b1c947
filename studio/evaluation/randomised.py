"""Does an explanation depend on what the model has learned? The check with randomised weights.

Adebayo et al. 2018, https://arxiv.org/abs/1810.03292: some pretty pictures are the same for a model that has learned
nothing. Those show the edges of the input, not the reasons of the model.
"""

import copy
import dataclasses

import numpy as np
import torch
from scipy.stats import spearmanr

from studio.evaluation.explain import LIMIT_S, explain
from studio.evaluation.explanation import Explanation, TextExplanation
from studio.predictor import Picture, Predictor, Text

_NETWORKS = 5
_ALIKE = 0.5  # a rank correlation from which on the explanation owes more to the input than to the model
_FEWEST = 3  # parts whose order can be compared


@dataclasses.dataclass(frozen=True)
class Randomised:
    """`correlation` is the mean of `correlations`, Spearman's of the explanation with those of random networks.

    `parts` is how many words or fields of the grid are compared; with few of them, each correlation is large by chance.
    None, where there is nothing to compare.
    """

    correlation: float | None
    correlations: list[float]
    parts: int

    @property
    def passed(self) -> bool | None:
        """Whether the explanation depends on what was learned."""
        return None if self.correlation is None else self.correlation < _ALIKE


def randomised(predictor: Predictor, item: Text | Picture, found: Explanation, limit_s: float = LIMIT_S) -> Randomised:
    """Compares an explanation of an item with those of the same label by networks with fresh weights.

    Raises:
        RequestError: as of studio.evaluation.explain.
    """
    scores = _scores(found)
    if len(scores) < _FEWEST or np.ptp(scores) == 0:
        return Randomised(None, [], len(scores))
    correlations = []
    for seed in range(_NETWORKS):
        other = _scores(explain(_fresh(predictor, seed), item, found.label, limit_s))
        # a network to which nothing counts says nothing that would be alike
        correlations.append(float(spearmanr(scores, other).statistic) if np.ptp(other) else 0.0)
    return Randomised(float(np.mean(correlations)), correlations, len(scores))


def _fresh(predictor: Predictor, seed: int) -> Predictor:
    """The same model before it has seen anything."""
    fresh = copy.copy(predictor)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh.network = type(predictor.network)(predictor.network.config).to(predictor.device, torch.float32).eval()
    return fresh


def _scores(found: Explanation) -> np.ndarray:
    values = [word.score for word in found.words] if isinstance(found, TextExplanation) else found.grid
    return np.ravel(values)
