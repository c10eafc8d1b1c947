"""Turns a fifth of the training labels round and trains with what the check proposes about them, and without.

    python -m tests.bench.retraining TRAIN TEST docs/data-check.md

TRAIN and TEST are tables of texts with labels that are right for the most part.
"""

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from studio.config import TextData
from studio.data import curation, load
from studio.data.alike import column
from studio.data.curation import Curation
from studio.data.marks import labels_of
from studio.evaluation.paired import Answers, answers, compare
from tests.bench.pooled import Difference, pooled
from tests.bench.sections import put
from tests.bench.turned import turn

_SHARE, _SEEDS = 0.2, 3
_ROWS = 3_000  # that take part in training, so that a model takes one or two minutes on two cores
_SETTINGS = "--max_seq_length=64", "--num_train_epochs=2"
_NONE = "none"
_WAYS = {  # what is done, and as the subject of a sentence
    "flagged rows left out": "Leaving the flagged rows out",
    "flagged rows relabelled": "Relabelling the flagged rows",
}
_COLUMNS = (
    "seed",
    "decisions",
    "rows left",
    "wrong among them",
    "accuracy",
    "against none",
    "macro F1 against none",
    "p",
)
_TEXT = f"""## Training without them

Of {{rows:,}} training rows (drawn by lot from {{train}}) {_SHARE:.0%} had their label turned into another class, and
`python -m studio check DATA --label_errors` said which rows it doubts and what it proposes. Then
`recipes/bert_sentiment.py` trained on these rows without decisions, and by `--curation_file` with the flagged rows left
out and with the flagged rows given the label that they look like, nobody having looked at them. All models answered the
same {{tests:,}} rows ({{test}}), whose labels nobody touched.

Runs of one seed share the turned labels, the seed of the training and the division (`--splits_from`): a tenth of the
rows is set aside to choose the epoch, with labels as wrong as the others and under the same decisions. The settings are
those of the recipe (the sample model MiniLM) but for `{" ".join(_SETTINGS)}`. Differences are points against
no decisions, with 95 % intervals: for one seed over test rows, for all of them over test rows and seeds, of which
{_SEEDS} are few. p is that of McNemar's test. Made by `make bench-retraining DATA=FILE TEST=FILE`.

"""


class Table:
    """Texts and their labels, by name; with a limit, some of them by lot."""

    def __init__(self, place: Path, limit: int | None = None):
        source = load.curated(TextData(dataset_name=str(place)))
        rows = source.splits["train"]
        rows = rows.select(np.sort(np.random.default_rng(0).permutation(len(rows))[:limit]))
        self.ids, self.texts = column(rows, "row_id").to_pylist(), column(rows, "text").to_pylist()
        self.codes, self.names = labels_of(rows), source.labels

    def named(self, codes: np.ndarray) -> list[str]:
        return [self.names[code] for code in codes]

    def write(self, file: Path, codes: np.ndarray) -> None:
        with file.open("w", newline="") as stream:
            csv.writer(stream).writerows([("text", "label"), *zip(self.texts, self.named(codes), strict=True)])


@dataclass(frozen=True)
class Attempt:
    """A model trained under some decisions: the rows these leave, the wrong ones among them, what it answered."""

    rows: int
    wrong: int
    answers: Answers

    @property
    def accuracy(self) -> float:
        return sum(truth == given for truth, given in self.answers.values()) / len(self.answers)


def main(train: Path, test: Path, target: Path) -> None:
    lines = [f"| {' | '.join(_COLUMNS)} |", "| --- " * len(_COLUMNS) + "|"]
    trials = []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(_SEEDS):
            trials.append(trial(Table(train, _ROWS), Table(test), Path(scratch, str(seed)), seed))
            lines += _compared(seed, trials[-1])
            print(*lines[-len(trials[-1]) :], sep="\n", flush=True)
    told = []
    for way, subject in _WAYS.items():
        found = pooled([(attempts[_NONE].answers, attempts[way].answers) for attempts in trials])
        accuracy = sum(attempts[way].accuracy for attempts in trials) / _SEEDS
        cells = "all", way, "", "", f"{accuracy:.1%}", points(found["accuracy"]), points(found["f1_macro"]), ""
        lines.append(f"| {' | '.join(cells)} |")
        told.append(sentence(subject, found["accuracy"]))
    first, places = trials[0][_NONE], ["/".join(place.parts[-2:]) for place in (train, test)]
    opening = _TEXT.format(rows=first.rows, tests=len(first.answers), train=places[0], test=places[1])
    put(target, opening + "\n".join(lines) + "\n\n" + "\n".join(told) + "\n")


def trial(train: Table, test: Table, folder: Path, seed: int) -> dict[str, Attempt]:
    """One attempt without decisions, and one by each way of making them."""
    folder.mkdir(parents=True)
    given, _ = turn(train.codes, _SHARE, seed)
    table, tests = folder / "train.csv", folder / "test.csv"
    train.write(table, given)
    test.write(tests, test.codes)
    ids, right = Table(table).ids, train.named(train.codes)
    finding = _checked(table)
    decided = [
        Curation(),
        curation.parse(finding["decision"], "the rows to leave out"),
        curation.parse(finding["relabel"], "the other labels"),
    ]
    found = {}
    for number, (way, decisions) in enumerate(zip([_NONE, *_WAYS], decided, strict=True)):
        run, flags = folder / f"run-{number}", []
        if way != _NONE:
            curation.write(decisions, file := folder / f"decisions-{number}.json")
            flags = [f"--curation_file={file}", f"--splits_from={folder / 'run-0'}"]
        flags += [f"--dataset_name={table}", f"--test_file={tests}", f"--seed={seed}", *_SETTINGS]
        python("recipes/bert_sentiment.py", *flags, f"--output_dir={run}")
        found[way] = Attempt(*remaining(decisions, ids, train.named(given), right), answers(run / "report"))
    return found


def remaining(decisions: Curation, ids: Iterable[str], given: Iterable[str], right: Iterable[str]) -> tuple[int, int]:
    """How many rows decisions leave, and how many of these have a label that is not the right one."""
    kept = [
        (decisions.relabel[row].label if row in decisions.relabel else label, true)
        for row, label, true in zip(ids, given, right, strict=True)
        if row not in decisions.exclude
    ]
    return len(kept), sum(label != true for label, true in kept)


def sentence(subject: str, found: Difference) -> str:
    """Which way it went."""
    way = "helped" if found.low > 0 else "did harm" if found.high < 0 else "made a difference that may be chance"
    return f"{subject} {way}: {points(found)} points of accuracy."


def points(found: Difference) -> str:
    return f"{100 * found.mean:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"


def python(*arguments: str) -> str:
    """What a program prints; its complaints are shown."""
    return subprocess.run([sys.executable, *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout


def _checked(table: Path) -> dict:
    """What the check says of the labels, with the decisions it proposes."""
    told = json.loads(python("-m", "studio", "check", str(table), "--label_errors", "--json"))
    return next(finding for finding in told["findings"] if finding["kind"] == "label_errors")


def _compared(seed: int, attempts: dict[str, Attempt]) -> list[str]:
    """The lines of the table."""
    lines = []
    for way, attempt in attempts.items():
        cells = [str(seed), way, f"{attempt.rows:,}", f"{attempt.wrong / attempt.rows:.1%}", f"{attempt.accuracy:.1%}"]
        if way == _NONE:
            cells += ["", "", ""]
        else:
            found = compare(attempts[_NONE].answers, attempt.answers)
            accuracy = Difference(found.accuracy, *found.accuracy_interval)
            cells += [points(accuracy), points(Difference(found.f1_macro, *found.f1_macro_interval)), f"{found.p:.2g}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
