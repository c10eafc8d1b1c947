"""The figures of a report as tables in a terminal."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from studio.evaluation import multilabel

_MOST_CLASSES_SHOWN = 20


def show(found: dict[str, Any], console: Console) -> None:
    """Prints the figures of the test split (`found` is the content of metrics.json) for a person to read."""
    test = found["splits"]["test"]
    threshold = f", labels from a probability of {found['threshold']:g} on" if "threshold" in found else ""
    scores = Table(title=f"Test set: {test['samples']:,} rows{threshold}", title_justify="left")
    scores.add_column("metric")
    scores.add_column("value", justify="right")
    scores.add_column("95 % interval", justify="right")
    for name, title in multilabel.titles(found).items():
        low, high = test["intervals"][name]
        scores.add_row(title, f"{test[name]:.3f}", f"{low:.3f} to {high:.3f}")
    scores.add_row(multilabel.commonest_title(found), f"{test['majority_accuracy']:.3f}", "")
    console.print(scores)
    if test["intervals"]["accuracy"][0] <= test["majority_accuracy"]:
        console.print(
            "The model is not shown to be better than always giving the same answer: more rows, more epochs or another "
            "--learning_rate may help."
        )
    if len(test["per_class"]) <= _MOST_CLASSES_SHOWN:
        console.print(_class_table(test["per_class"]))


def _class_table(per_class: dict[str, dict[str, float]]) -> Table:
    table = Table("class")
    for title in ("precision", "recall", "F1", "rows"):
        table.add_column(title, justify="right")
    for label, row in per_class.items():
        rates = (f"{row[name]:.3f}" for name in ("precision", "recall", "f1"))
        table.add_row(escape(label), *rates, f"{row['support']:,}")
    return table
