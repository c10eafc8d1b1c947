"""The commands that judge finished runs: compare."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from studio.errors import RequestError
from studio.runs import Run

app = typer.Typer()
_MOST = 8
_COSTS = ("device", "parameters", "trainable_parameters", "size_bytes", "flops", "latency_ms", "throughput")
_COSTS += ("peak_memory_bytes",)  # of a profile, without its layers
_READABLE = 12  # classes of a table
_FIRST = ("accuracy", "f1_macro", "f1_weighted", "precision_macro", "recall_macro", "loss")  # then what else there is


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(help="two to eight runs; the others are tested against the first")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON for programs")] = False,
) -> None:
    """Show what sets runs apart: settings, test scores, and whether the differences are more than chance."""
    from studio.jobs.listing import run_folder
    from studio.store import run_root

    folders = list(dict.fromkeys(run_folder(run_root(), name) for name in runs))
    if not 2 <= len(folders) <= _MOST:
        raise RequestError(f"compare takes 2 to {_MOST} different runs, got {len(folders)}")
    found = comparison(folders)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, allow_nan=False))
    else:
        _show(found, Console())


def comparison(folders: list[Path]) -> dict[str, Any]:
    """`runs` (name, test scores, profile), `settings` that differ (name to values), `tests` with the first, `notes`.

    `recalls` has for each class what each run has of it in its report; nothing where classes are too many to read.
    """
    from studio.evaluation import paired

    scores = [_test_scores(folder) for folder in folders]
    answered = [
        paired.answers(folder / "report") if test else None for folder, test in zip(folders, scores, strict=True)
    ]
    others = [i for i in range(1, len(folders)) if answered[0] and answered[i]]
    tests = [paired.compare(answered[0], answered[i]) for i in others]
    ps = paired.holm([test.p for test in tests])
    rows = [
        dataclasses.asdict(test)
        | {
            "first": folders[0].name,
            "second": folders[i].name,
            "p_holm": p,
            "same_rows": test.same_rows,
            "sentence": test.sentence(folders[0].name, folders[i].name, p),
        }
        for i, test, p in zip(others, tests, ps, strict=True)
    ]
    return {
        "runs": [
            {"run": folder.name, "test": test, "profile": _profile(folder)}
            for folder, test in zip(folders, scores, strict=True)
        ],
        "settings": _differing([Run(folder).settings() for folder in folders]),
        "recalls": _recalls(folders),
        "tests": rows,
        "notes": [
            *_unscored(folders, scores),
            *map(_rows_note, filter(lambda r: not r["same_rows"], rows)),
            *_many(rows),
        ],
    }


def _test_scores(folder: Path) -> dict[str, Any] | None:
    """The test split of report/metrics.json without its classes; None before the run is scored.

    Raises:
        RequestError: the report is damaged.
    """
    test = _test(folder)
    return test and {name: value for name, value in test.items() if name != "per_class"}


def _recalls(folders: list[Path]) -> dict[str, list[dict[str, Any] | None]]:
    """For each class, in the order of the first run that has it, recall, its interval and support in each run."""
    found = [(_test(folder) or {}).get("per_class", {}) for folder in folders]
    labels = list(dict.fromkeys(label for classes in found for label in classes))
    kept = ("recall", "support", "intervals")
    return {
        label: [
            {name: classes[label][name] for name in kept if name in classes[label]} if label in classes else None
            for classes in found
        ]
        for label in labels
        if len(labels) <= _READABLE
    }


def _test(folder: Path) -> dict[str, Any] | None:
    file = folder / "report" / "metrics.json"
    if not file.exists():
        return None
    try:
        return dict(json.loads(file.read_text())["splits"]["test"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RequestError(f"{file} is damaged: leave {folder.name} out of the comparison") from error


def _profile(folder: Path) -> dict[str, Any] | None:
    """What `python -m studio profile` has measured, without the layers; None where it has not, or is damaged."""
    try:
        told = json.loads((folder / "report" / "profile.json").read_text())
        return {name: told[name] for name in _COSTS}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _differing(settings: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The settings that are not the same in all runs; None where a run has none of that name."""
    names = dict.fromkeys(name for values in settings for name in values if name != "output_dir")
    columns = {name: [values.get(name) for values in settings] for name in names}
    return {name: values for name, values in columns.items() if any(value != values[0] for value in values)}


def _unscored(folders: list[Path], scores: list[dict[str, Any] | None]) -> list[str]:
    return [
        f"{folder.name} has no test scores yet: they come when a run has finished."
        for folder, test in zip(folders, scores, strict=True)
        if test is None
    ]


def _rows_note(row: dict[str, Any]) -> str:
    relabelled = f" {row['relabelled']:,} have other labels in the two and are left out." if row["relabelled"] else ""
    return (
        f"{row['first']} was tested on {row['first_rows']:,} rows and {row['second']} on {row['second_rows']:,}; only "
        f"the {row['rows']:,} that both were tested on are compared.{relabelled} Their scores in the table are of "
        "different rows: start a run by --splits_from to have the same."
    )


def _many(rows: list[dict[str, Any]]) -> list[str]:
    if len(rows) < 2:
        return []
    return [
        f"{len(rows)} comparisons are made, and the more one makes, the likelier one of them looks good by chance: "
        "p is corrected for it (Holm), the intervals are not."
    ]


def _show(found: dict[str, Any], console: Console) -> None:
    names = [row["run"] for row in found["runs"]]
    console.print(_table("Test set", "metric", names, score_rows(found["runs"])))
    if found["recalls"]:
        title = "Recall of each class: the share of its test rows that were found"
        console.print(_table(title, "class", names, recall_rows(found["recalls"])))
    settings = [[name, *map(_shown, values)] for name, values in found["settings"].items()]
    if settings:
        console.print(_table("Settings that differ", "setting", names, settings))
    for sentence in (*(row["sentence"] for row in found["tests"]), *found["notes"]):
        console.print(escape(sentence))


def score_rows(runs: list[dict[str, Any]]) -> list[list[str]]:
    """Lines of the test table: the score's name, then for each run its value and interval."""
    scored = [row["test"] or {} for row in runs]
    names = [name for name in _FIRST if any(name in test for test in scored)]
    names += sorted({name for test in scored for name, value in test.items() if isinstance(value, float)} - set(names))
    lines = [[name, *(_score(test, name) for test in scored)] for name in names]
    lines.append(["rows", *(f"{test['samples']:,}" if test else "" for test in scored)])
    profiles = [row["profile"] for row in runs]
    if any(profiles):
        lines.append(["parameters", *(f"{one['parameters']:,}" if one else "" for one in profiles)])
        lines.append(["ms for one item", *(f"{one['latency_ms']['p50']:.1f}" if one else "" for one in profiles)])
    return lines


def recall_rows(recalls: dict[str, list[dict[str, Any] | None]]) -> list[list[str]]:
    """Lines of the table of recalls: the class, then for each run its recall and interval."""
    return [[label, *(_score(of_run or {}, "recall") for of_run in runs)] for label, runs in recalls.items()]


def _score(test: dict[str, Any], name: str) -> str:
    if name not in test:
        return ""
    low, high = test.get("intervals", {}).get(name, (None, None))
    return f"{test[name]:.3f}" + ("" if low is None else f" ({low:.3f} to {high:.3f})")


def _table(title: str, first: str, names: list[str], lines: list[list[str]]) -> Table:
    table = Table(first, *map(escape, names), title=title, title_justify="left")
    for column in table.columns:
        column.overflow = "fold"
    for line in lines:
        table.add_row(*map(escape, line))
    return table


def _shown(value: Any) -> str:
    return "" if value is None else str(value)
