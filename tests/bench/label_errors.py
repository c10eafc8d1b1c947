"""Turns a share of the training labels round and counts how many of them the check finds.

    python -m tests.bench.label_errors FILE docs/data-check.md

FILE is a table of texts, or a folder of pictures, with labels that are right for the most part.
"""

import sys
import time
from pathlib import Path

import numpy as np

from studio.data import alike, load, preview
from studio.data.features import features
from studio.data.progress import progress
from studio.data.quality.doubts import out_of_sample, rank, words
from studio.data.quality.items import gather
from tests.bench.sections import put
from tests.bench.turned import turn

_SHARES = 0.05, 0.2
_SEEDS = 3
_COLUMNS = "labels turned", "models of", "rows flagged", "turned among them", "recall", "against chance"
_COLUMNS += "turned among the first N", "against chance"
_TEXT = f"""# Finding wrong labels

A share of the labels of {{rows:,}} training rows ({{place}}, {{classes}} classes) was turned into another class
by lot, and `python -m studio check DATA --label_errors` was asked for the rows whose label is probably wrong:
logistic regressions on frozen features in five folds, then confident learning. N is the number of turned labels,
chance their share; at least 2.5 times chance was wanted. Means of {_SEEDS} draws. Labels that were wrong before count
as right here, so that the true figures are a little better. The features of all rows took {{seconds:.0f}} s.
Made by `make bench-labels DATA=FILE`.

"""


def main(place: str, target: Path) -> None:
    items = gather(load.curated(preview.settings([f"--dataset_name={place}"])[1]))
    rows = np.flatnonzero(items.split == 0)
    labels, contents = items.labels[rows], items.contents[rows]
    begin = time.perf_counter()
    with progress() as bar:
        seen = features(items.rows.select(rows), bar)
    seconds = time.perf_counter() - begin
    views = {"a small network": [seen]}
    if not items.is_image:
        bag = words(alike.texts(items.rows.select(rows)))
        views |= {"words": [bag], "both (what `check` does)": [seen, bag]}
    lines = [f"| {' | '.join(_COLUMNS)} |", "| --- " * len(_COLUMNS) + "|"]
    for share in _SHARES:
        for name, view in views.items():
            found = [_trial(view, labels, contents, share, seed) for seed in range(_SEEDS)]
            flagged, precision, recall, top = np.mean(found, axis=0)
            lines.append(
                f"| {share:.0%} | {name} | {flagged:,.0f} | {precision:.1%} | {recall:.1%} | {precision / share:.1f}x "
                f"| {top:.1%} | {top / share:.1f}x |"
            )
            print(lines[-1], flush=True)
    opening = _TEXT.format(
        rows=len(rows), place="/".join(Path(place).parts[-2:]), classes=len(items.names), seconds=seconds
    )
    put(target, opening + "\n".join(lines) + "\n")


def _trial(views: list, labels: np.ndarray, contents: np.ndarray, share: float, seed: int) -> tuple[float, ...]:
    """Rows flagged, the share of turned ones among them, their recall, their share of the first N."""
    given, turned = turn(labels, share, seed)
    probabilities = out_of_sample(views, given, contents)
    ranked, _ = rank(given, probabilities)
    hits = np.isin(ranked, turned)
    return len(ranked), hits.mean(), hits.sum() / len(turned), hits[: len(turned)].mean()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
