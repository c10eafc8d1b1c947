"""The commands that tell all about one run's model: evaluate, items, profile."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from studio import cli_jobs, launch
from studio.errors import RequestError
from studio.runs import Run, write_whole

app = typer.Typer()
Lines = Annotated[bool, typer.Option("--progress", help="print lines of JSON on how far it is as well")]
_LAYERS = 40  # in the table; the file has all


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def evaluate(
    context: typer.Context,
    run: cli_jobs.RunName,
    label_map: Annotated[
        list[str] | None,
        typer.Option("--label_map", help="THEIRS=ITS: a label of the other data is that of the model; once for each"),
    ] = None,
    lines: Lines = False,
    as_json: cli_jobs.Json = False,
) -> None:
    """Write a run's plots and report.html anew, with the reasons for its surest errors, or score it on other data.

    With --dataset_name DATA (and other flags that say how data are read) the model answers DATA, and the report lies in
    report/<name of the data>/.
    """
    found = _run(run)
    launch.be_quiet()
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    if context.args:
        from studio.evaluation import shift

        folder, analysis = shift.evaluate(found, context.args, label_map or [], lines=lines)
    elif label_map:
        raise RequestError("--label_map needs --dataset_name, the data whose labels it is about")
    else:
        from studio.evaluation import pages

        folder, analysis = found.report, pages.remake(found)
    if as_json:
        print(json.dumps({"report": str(folder / "report.html"), **analysis}, ensure_ascii=False, allow_nan=False))
    else:
        _show_analysis(analysis, folder, Console())


@app.command()
def items(
    run: cli_jobs.RunName,
    split: Annotated[str, typer.Option("--split", help="test or validation")] = "test",
    true: Annotated[str | None, typer.Option("--true", help="rows of this label")] = None,
    predicted: Annotated[str | None, typer.Option("--predicted", help="rows that were answered so")] = None,
    answers: Annotated[str, typer.Option("--answers", help="wrong, right or all")] = "wrong",
    at: Annotated[int, typer.Option("--at", min=0, help="how many to pass over")] = 0,
    count: Annotated[int, typer.Option("--count", min=1, max=200, help="at most how many")] = 12,
    data: Annotated[
        str | None, typer.Option("--data", help="the folder in report/ of other data that the run was evaluated on")
    ] = None,
    as_json: cli_jobs.Json = False,
) -> None:
    """Print rows that a run was scored on, such as those of one label taken for another, the surest first."""
    found = _run(run)
    launch.be_quiet()
    from studio.evaluation import chosen

    asked = {"split": split, "true": true, "predicted": predicted, "answers": answers}
    told = chosen.look(found, **asked, at=at, count=count, data=data)
    if as_json:
        print(json.dumps(told, ensure_ascii=False))
    else:
        _show_items(told, Console())


@app.command()
def profile(run: cli_jobs.RunName, lines: Lines = False, as_json: cli_jobs.Json = False) -> None:
    """Measure what a run's model costs: parameters, disk, arithmetic, memory, time; kept in report/profile.json."""
    found = _run(run)
    launch.be_quiet()
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    from studio.data.progress import progress
    from studio.evaluation.profile import profile as measure
    from studio.export import card
    from studio.predictor import Predictor

    with progress(lines) as bar:
        bar.add_task("Measuring", total=None)
        told = measure(Predictor(found.folder))
    found.report.mkdir(mode=0o700, exist_ok=True)
    write_whole(found.report / "profile.json", json.dumps(told, indent=1))
    card.add_profile(found.model, told)
    if as_json:
        print(json.dumps(told, ensure_ascii=False))
    else:
        _show_profile(told, Console())


def _run(name: str) -> Run:
    from studio.jobs.listing import run_folder
    from studio.store import run_root

    return Run(run_folder(run_root(), name))


def _show_analysis(found: dict[str, Any], folder: Path, console: Console) -> None:
    titles = found["titles"]
    table = Table(title=f"{found['rows']:,} rows", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("95 % interval", justify="right")
    for name, value in found["scores"].items():
        low, high = found["intervals"].get(name, (None, None))
        table.add_row(titles[name], f"{value:.3f}", "" if low is None else f"{low:.3f} to {high:.3f}")
    table.add_row(titles["majority_accuracy"], f"{found['majority_accuracy']:.3f}", "")
    table.add_row("calibration error (ECE)", f"{found['calibration']['error']:.3f}", "")
    console.print(table)
    for heading, told in found["sentences"].items():
        console.print(f"\n[bold]{heading}[/]")
        for sentence in told:
            console.print(f"  {escape(sentence)}", highlight=False)
    console.print(f"\nreport  {escape(str(folder / 'report.html'))}", highlight=False, soft_wrap=True)


def _show_items(told: dict[str, Any], console: Console) -> None:
    table = Table("row", "true label", "answered", "probability", title=f"{told['rows']:,} rows", title_justify="left")
    table.columns[0].overflow = "fold"
    for row in told["items"]:
        label, prediction = (escape(", ".join(row[part]) or "(none)") for part in ("label", "prediction"))
        table.add_row(escape(row["text"] or row["row_id"]), label, prediction, f"{row['score']:.1%}")
    console.print(table)
    if told["note"]:
        console.print(escape(told["note"]), highlight=False)


def _show_profile(found: dict[str, Any], console: Console) -> None:
    from studio.evaluation import costs

    table = Table("cost", "value", title=f"{found['device']}, {found['input']}", title_justify="left")
    for name, value in costs.lines(found).items():
        table.add_row(name, value)
    console.print(table)
    layers = Table("layer", "type")
    layers.add_column("parameters", justify="right")
    layers.add_column("MFLOPs", justify="right")
    for layer in found["layers"][:_LAYERS]:
        figures = f"{layer['parameters']:,}", f"{layer['flops'] / 1e6:,.1f}"
        layers.add_row(escape(layer["name"]), layer["type"], *figures)
    console.print(layers)
    if len(found["layers"]) > _LAYERS:
        console.print(f"and {len(found['layers']) - _LAYERS:,} more layers in report/profile.json")
