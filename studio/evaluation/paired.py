"""Whether one of two runs is really better, from what both answered to the same test rows."""

import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from scipy.sparse import csr_array
from scipy.special import bdtr

_FEW = 25  # rows on which only one run is right; with fewer, the exact test
_LEVEL = 0.05
_BLOCK = 10_000_000  # counts drawn at once, about 80 MB
Answers = dict[str, tuple[tuple[str, ...], tuple[str, ...]]]  # row id: (true labels, predicted labels)


@dataclass(frozen=True)
class Comparison:
    """The second run against the first on the rows that both were tested on.

    Differences are second minus first, as shares of 1; the intervals hold 95 %. `p` is None without a shared row.
    """

    rows: int
    first_rows: int  # in the first run's test split
    second_rows: int
    relabelled: int  # rows left out because the runs do not agree on what is true
    only_first: int  # rows that the first run alone gets right
    only_second: int
    p: float | None
    accuracy: float
    accuracy_interval: tuple[float, float]
    f1_macro: float
    f1_macro_interval: tuple[float, float]

    @property
    def same_rows(self) -> bool:
        return self.rows == self.first_rows == self.second_rows

    def sentence(self, first: str, second: str, p: float | None) -> str:
        """What the test says about two runs by these names, at a `p` that may allow for several comparisons."""
        if p is None:
            return f"{first} and {second} share no test rows, so nothing can be said: use --splits_from to share them."
        low, high = (round(100 * bound, 1) + 0.0 for bound in self.accuracy_interval)
        if p >= _LEVEL:
            return (
                f"The difference between {second} and {first} may be chance: {100 * self.accuracy:+.1f} points of "
                f"accuracy, 95 % interval {low:+.1f} to {high:+.1f} ({_told(p)})."
            )
        better, worse = (second, first) if self.accuracy > 0 else (first, second)
        if self.accuracy < 0:
            low, high = -high, -low
        return (
            f"{better} is better than {worse}: {100 * abs(self.accuracy):.1f} points of accuracy, "
            f"95 % interval {low:.1f} to {high:.1f} ({_told(p)})."
        )


def compare(first: Answers, second: Answers, *, seed: int = 0, resamples: int = 1000) -> Comparison:
    """The comparison of two runs' answers to their test rows."""
    shared = first.keys() & second.keys()
    agreed = sorted(row for row in shared if first[row][0] == second[row][0])
    triples = [(*first[row], second[row][1]) for row in agreed]
    only_first = sum(a == truth != b for truth, a, b in triples)
    only_second = sum(b == truth != a for truth, a, b in triples)
    observed, intervals = _differences(triples, seed, resamples) if triples else ([0.0, 0.0], [(0.0, 0.0)] * 2)
    return Comparison(
        rows=len(agreed),
        first_rows=len(first),
        second_rows=len(second),
        relabelled=len(shared) - len(agreed),
        only_first=only_first,
        only_second=only_second,
        p=mcnemar(only_first, only_second) if triples else None,
        accuracy=observed[0],
        accuracy_interval=intervals[0],
        f1_macro=observed[1],
        f1_macro_interval=intervals[1],
    )


def answers(report: Path) -> Answers:
    """The test rows of a run's report/predictions.parquet."""
    columns = ["row_id", "split", "label", "prediction"]
    table = pq.read_table(io.BytesIO((report / "predictions.parquet").read_bytes()), columns=columns).to_pydict()
    rows = zip(*(table[name] for name in columns), strict=True)
    return {row: (_labels(truth), _labels(given)) for row, split, truth, given in rows if split == "test"}


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p of McNemar's test (1947): were both equally good, each such row would be a toss of a coin.

    With few rows the exact binomial test, else its mid-p version, which comes closer to its level and hardly ever
    exceeds it (Fagerland, Lydersen and Laake 2013, https://doi.org/10.1186/1471-2288-13-91).
    """
    tosses, least = only_first + only_second, min(only_first, only_second)
    if tosses == 0:
        return 1.0
    up_to = float(bdtr(least, tosses, 0.5))
    below = float(bdtr(least - 1, tosses, 0.5)) if least else 0.0
    return min(1.0, 2 * up_to if tosses < _FEW else up_to + below)


def holm(ps: list[float | None]) -> list[float | None]:
    """Each p as it counts when all of them are looked at (Holm 1979); None stays."""
    adjusted: list[float | None] = [None] * len(ps)
    known = sorted((i for i, p in enumerate(ps) if p is not None), key=lambda i: ps[i])
    highest = 0.0
    for rank, i in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * ps[i]))
        adjusted[i] = highest
    return adjusted


def _differences(
    triples: list[tuple[tuple[str, ...], ...]], seed: int, resamples: int
) -> tuple[list[float], list[tuple[float, float]]]:
    """The differences of accuracy and macro F1, and their bootstrap percentile intervals (Efron 1979).

    Rows with the same truth and the same two answers are counted together: drawing their counts from a multinomial is
    drawing rows with replacement.
    """
    patterns = Counter(triples)
    counts = np.array(list(patterns.values()))
    classes = {label: i for i, label in enumerate(sorted({label for t in patterns for part in t for label in part}))}
    truth, first, second = (_marks([t[part] for t in patterns], classes) for part in range(3))  # (patterns, classes)
    right_first, right_second = (np.array([t[part] == t[0] for t in patterns]) for part in (1, 2))

    def differences(drawn: np.ndarray) -> np.ndarray:
        """(2, draws) from the patterns' counts (draws, patterns)."""
        accuracy = (drawn @ right_second.astype(int) - drawn @ right_first.astype(int)) / drawn.sum(axis=1)
        return np.stack([accuracy, _f1_macro(drawn, truth, second) - _f1_macro(drawn, truth, first)])

    generator, total = np.random.default_rng(seed), int(counts.sum())
    block = max(1, _BLOCK // len(counts))
    drawn = [
        differences(generator.multinomial(total, counts / total, size=min(block, resamples - start)))
        for start in range(0, resamples, block)
    ]
    intervals = np.quantile(np.concatenate(drawn, axis=1), [0.025, 0.975], axis=1).T.tolist()
    return differences(counts[None])[:, 0].tolist(), [(low, high) for low, high in intervals]


def _f1_macro(drawn: np.ndarray, truth: csr_array, given: csr_array) -> np.ndarray:
    """(draws,): as studio.evaluation.metrics has it, over the classes that occur in truth or among the answers."""
    hits, total = drawn @ truth.multiply(given).tocsr(), drawn @ truth + drawn @ given  # (draws, classes)
    f1 = np.divide(2 * hits, total, out=np.zeros(total.shape), where=total > 0)
    return f1.sum(axis=1) / np.maximum(1, (total > 0).sum(axis=1))


def _marks(rows: list[tuple[str, ...]], classes: dict[str, int]) -> csr_array:
    """(rows, classes): 1 where the row has the label."""
    cells = [(i, classes[label]) for i, row in enumerate(rows) for label in row]
    at, of = zip(*cells, strict=True) if cells else ((), ())
    return csr_array((np.ones(len(cells), int), (at, of)), shape=(len(rows), len(classes)))


def _labels(cell: str | list[str]) -> tuple[str, ...]:
    """The labels of a row, of which there may be several, or none, in no order."""
    return (cell,) if isinstance(cell, str) else tuple(sorted(cell))


def _told(p: float) -> str:
    return "p below 0.001" if p < 0.001 else f"p {p:.2g}"
