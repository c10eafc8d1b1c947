"""Holds what --strategy auto comes to beside the two simplest things one could do, over sets, sizes and seeds.

    python -m tests.bench.strategies docs/strategies.md FOLDER NAME=TRAIN,TEST[,FLAG=VALUE ...] ...

Besides the samples, which are always there, each NAME is a table of texts or a folder of pictures, with the rows to
test on. FOLDER keeps the runs, so that a measurement that was broken off goes on.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from studio.data.features import features
from studio.data.load import load, settings_of
from studio.data.marks import labels_of
from studio.runs import Run
from tests.bench.sections import put

_SEEDS = 3
_CUTS = (100, 300, 1000)
_PLAIN = ("--strategy=full", "--num_train_epochs=2", "--learning_rate=2e-4")
_HEADING = "## Auto beside the simplest"
_TEXT = f"""{_HEADING}

Accuracy on test rows, means over seeds (of the draw of rows, the division and the training). *Features* is
scikit-learn's logistic regression, its penalty chosen by cross-validation, on what the frozen sample network says of
each row (MiniLM's mean over the tokens, EfficientNet-Lite0's over the picture). *Plain* is 2 epochs of all weights at
2e-4. *Auto* is a recipe without any setting about training. Made by `make bench-strategies`.

| rows of | training rows | classes | seeds | features | plain | auto | auto beside the better, points | auto took |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


@dataclass(frozen=True)
class Set:
    """Labelled rows: the flags that name them, and how many of them are trained on."""

    name: str
    recipe: str
    flags: tuple[str, ...]
    most: int | None = None


def main(target: Path, folder: Path, named: list[str]) -> None:
    lines = []
    for one in _sets(named):
        found = [_measured(one, seed, folder / f"{one.name}-{one.most or 'all'}-{seed}") for seed in range(_SEEDS)]
        lines.append(_line(one, found))
        print(lines[-1], flush=True)
        put(target, _TEXT + "\n".join(lines) + "\n")


def _sets(named: list[str]) -> Iterator[Set]:
    """Small cuts first; then the whole sets."""
    whole = [
        Set("tweets", "text_classification", ("--dataset_name=sample:tweets",), 10_000),
        Set("digits", "resnet_image_classification",
            ("--dataset_name=sample:mnist", "--model_name_or_path=sample:efficientnet_lite0", "--image_size=64")),
    ]  # fmt: skip
    for word in named:
        name, _, rest = word.partition("=")
        train, test, *flags = rest.split(",")
        pictures = Path(train).is_dir()
        recipe = "resnet_image_classification" if pictures else "text_classification"
        given = (f"--train_file={train}", f"--test_file={test}", *(f"--{flag}" for flag in flags))
        one = Set(name, recipe, given)
        if not pictures:
            yield from (Set(name, recipe, given, cut) for cut in _CUTS)
        whole.append(one)
    yield from whole


def _measured(one: Set, seed: int, folder: Path) -> dict:
    """Accuracies of the three ways; what is there already is not done again."""
    kept = folder / "measured.json"
    if kept.exists():
        return json.loads(kept.read_text())
    auto = _run(one, seed, folder / "auto")
    plain = _run(one, seed, folder / "plain", *_PLAIN, f"--splits_from={auto}")
    divided = load(settings_of(Run(auto)), seed, Run(auto))
    with Progress() as bar:
        train, test = (features(rows, bar) for rows in (divided.train, divided.test))
    regression = make_pipeline(StandardScaler(), LogisticRegressionCV(Cs=[1e-3, 1e-2, 1e-1, 1.0], cv=3, max_iter=300))
    right = regression.fit(train, labels_of(divided.train)).score(test, labels_of(divided.test))
    told = {
        "features": float(right),
        "plain": _accuracy(plain),
        "auto": _accuracy(auto),
        "chose": json.loads((auto / "strategy.json").read_text())["strategy"],
        "rows": len(divided.train),
        "classes": len(divided.labels),
    }
    kept.write_text(json.dumps(told))
    return told


def _run(one: Set, seed: int, folder: Path, *flags: str) -> Path:
    if not (folder / "report" / "metrics.json").exists():
        cut = (f"--max_train_samples={one.most}",) if one.most else ()
        place = (f"--output_dir={folder}", *(["--resume_from_checkpoint"] if folder.exists() else []))
        command = [sys.executable, f"recipes/{one.recipe}.py", *one.flags, *cut, f"--seed={seed}", *place, *flags]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


def _accuracy(run: Path) -> float:
    return json.loads((run / "report" / "metrics.json").read_text())["splits"]["test"]["accuracy"]


def _line(one: Set, found: list[dict]) -> str:
    mean = {way: statistics.fmean(told[way] for told in found) for way in ("features", "plain", "auto")}
    beside = [100 * (told["auto"] - max(told["features"], told["plain"])) for told in found]
    points = f"{statistics.fmean(beside):+.1f} ({min(beside):+.1f} to {max(beside):+.1f})"
    took = ", ".join(sorted({told["chose"] for told in found}))
    scores = " | ".join(f"{mean[way]:.3f}" for way in mean)
    return (
        f"| {one.name} | {found[0]['rows']:,} | {found[0]['classes']} | {len(found)} | {scores} | {points} | {took} |"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
