"""How much better models of one kind are than those of another, over several pairs that differ by their seed."""

from typing import NamedTuple

import numpy as np

from studio.evaluation import metrics
from studio.evaluation.paired import Answers


class Difference(NamedTuple):
    """Second minus first, as a share of 1, and the interval that holds 95 %."""

    mean: float
    low: float
    high: float


def pooled(pairs: list[tuple[Answers, Answers]], *, seed: int = 0, resamples: int = 4000) -> dict[str, Difference]:
    """The mean differences of "accuracy" and "f1_macro" over pairs of models that all answered the same rows.

    Each resample draws rows, the same for all models, and pairs (Efron 1979): the interval covers both choices.
    """
    rows = sorted(pairs[0][0])
    classes = sorted(
        {label for pair in pairs for one in pair for both in one.values() for part in both for label in part}
    )
    chance = np.random.default_rng(seed)
    drawn = chance.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=resamples)
    drawn = np.concatenate([np.ones((1, len(rows)), int), drawn])  # (1 + resamples, rows): first all rows as they are
    scores = [[_scores(drawn, [one[row] for row in rows], classes) for one in pair] for pair in pairs]
    chosen = chance.integers(0, len(pairs), (resamples, len(pairs)))
    found = {}
    for name in scores[0][0]:
        differences = np.stack([second[name] - first[name] for first, second in scores])  # (pairs, 1 + resamples)
        means = differences[:, 1:][chosen, np.arange(resamples)[:, None]].mean(axis=1)
        found[name] = Difference(differences[:, 0].mean(), *np.quantile(means, [0.025, 0.975]))
    return found


def _scores(drawn: np.ndarray, answers: list[tuple], classes: list[str]) -> dict[str, np.ndarray]:
    """(draws,) each; `drawn` (draws, rows) says how often a row counts."""
    truth, given = (np.array([[label in one[part] for label in classes] for one in answers], int) for part in (0, 1))
    hits, total = drawn @ (truth * given), drawn @ truth  # (draws, classes)
    f1 = metrics.averages(hits, total, drawn @ given)["f1_macro"]
    return {"accuracy": hits.sum(axis=1) / total.sum(axis=1), "f1_macro": f1}
