"""The command that checks data: check."""

import dataclasses
import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from studio import cli_jobs
from studio.errors import RequestError
from studio.fields import to_flags

if TYPE_CHECKING:
    from rich.progress import Progress

    from studio.config import ImageData, TextData
    from studio.data.quality.items import Items
    from studio.data.quality.report import Report
    from studio.data.sources import Source
    from studio.runs import Run

app = typer.Typer()

_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}
_INTERRUPTED = 130  # exit code of programs that Ctrl-C has ended


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def check(
    context: typer.Context,
    data: Annotated[str, typer.Argument(help="a file, a folder, a data set on the Hub, a sample, or a run")],
    task: Annotated[
        str | None, typer.Option("--task", help="text-classification or image-classification (else told from the data)")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="of pictures, look at the headers of the files only")] = False,
    label_errors: Annotated[
        bool, typer.Option("--label_errors", help="look for wrong labels and outliers with a small network as well")
    ] = False,
    apply: Annotated[
        str | None,
        typer.Option(
            "--apply",
            help="findings, KIND or KIND,KIND, to decide by --curation_file FILE; label_errors:relabel gives rows the "
            "labels that they look like",
        ),
    ] = None,
    thumbnails: Annotated[
        Path | None, typer.Option("--thumbnails", help="a folder to write small pictures of the examples to")
    ] = None,
    lines: Annotated[bool, typer.Option("--progress", help="print lines of JSON on how far it is as well")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON for programs")] = False,
) -> None:
    """Tell what is wrong with data, row by row, and what to do about it.

    Takes the flags of a recipe's Data group as well, behind the data: check reviews.csv --label_column_name stars.
    --apply KIND --curation_file FILE writes what a finding proposes to FILE, which recipes take by --curation_file;
    the data stay as they are. A run is checked with what its model says of its validation and test rows.
    """
    from studio import launch

    launch.be_quiet()
    if lines:  # a program whose own Ctrl-C is ignored hands that down to what it starts
        signal.signal(signal.SIGINT, signal.default_int_handler)
    from studio.data import curation, load
    from studio.data.progress import progress
    from studio.data.quality.items import gather
    from studio.data.quality.thumbnails import write as write_thumbnails

    run = _run(data)
    task, settings = _settings(data, task, context.args, run)
    file = Path(settings.curation_file) if settings.curation_file else None
    if apply and not file:
        raise RequestError("--apply needs --curation_file FILE, where the decisions are to be kept")
    if apply and not file.exists():
        settings.curation_file = None  # it begins with this check
    source = load.curated(settings)
    items = gather(source)
    with progress(lines) as bar:
        report = _report(items, source, settings, task, quick, run, label_errors, bar)
    told = report.as_json()
    if thumbnails and items.is_image:
        write_thumbnails(told, items, thumbnails)
    if apply and report.complete:
        kept = curation.read(file) if file.exists() else curation.Curation()
        curation.write(kept | report.decisions(apply.split(",")), file)
        told["curation_file"] = str(file)
    if as_json:
        print(json.dumps(told, ensure_ascii=False))
    else:
        _show(told, Console())
    if not report.complete:
        raise typer.Exit(_INTERRUPTED)


def _report(
    items: "Items",
    source: "Source",
    settings: "TextData | ImageData",
    task: str,
    quick: bool,
    run: "Run | None",
    label_errors: bool,
    bar: "Progress",
) -> "Report":
    """The check of the rows, then what models say of them."""
    from studio.data.quality.report import check as examine

    report = examine(items, source, settings, task, bar, quick)
    if not report.complete:
        return report
    if run or label_errors:
        from studio.data.quality import doubts  # takes a second
    if run and not (run.report / doubts.PREDICTIONS).is_file():
        report.notes.append(f"{run.folder.name} has no predictions yet: only its data were checked")
    elif run:
        report.add(doubts.by_run(items, run.report))
    if label_errors:
        bar.add_task("Loading a small network", total=None)
        from studio.data.features import features

        report.add(doubts.by_features(items, lambda at: features(items.rows.select(at), bar)))
    return report


def _run(data: str) -> "Run | None":
    """The run of that folder or name, None where it is none."""
    from studio.runs import Run

    folder = cli_jobs.named(data)
    return Run(folder) if (folder / "run.json").is_file() else None


def _settings(data: str, task: str | None, flags: list[str], run: "Run | None") -> "tuple[str, TextData | ImageData]":
    """The task and where the data are; of a run, as it was started unless flags say otherwise."""
    from studio.data import load, preview

    if run:
        task, started = run.record()["task"], dataclasses.asdict(load.settings_of(run))
        return preview.settings([*to_flags(started), *flags], task)
    named = [data] if data.startswith("--") else [f"--dataset_name={data}"]  # a flag names it, as for `preview`
    return preview.settings([*named, *flags], task)


def _show(told: dict[str, Any], console: Console) -> None:
    rows = ", ".join(f"{count:,} {split}" for split, count in told["rows"].items())
    console.print(
        f"{escape(told['origin'])}: {told['task']}, {rows} rows, {len(told['labels']):,} classes", highlight=False
    )
    for note in told["notes"]:
        console.print(f"  {escape(note)}", highlight=False)
    table = Table("finding", "what, and what to do", "where", show_lines=True)
    for finding in told["findings"]:
        colour = _COLOURS[finding["severity"]]
        examples = [_example(example) for example in finding["examples"]]
        more = finding["count"] - len(examples)
        examples += [f"and {more:,} more"] if examples and more > 0 else []
        table.add_row(
            f"[{colour}]{finding['severity']}[/]\n{finding['kind']}",
            f"[bold]{escape(finding['title'])}[/]\n{escape(finding['why'])} {escape(finding['remedy'])}",
            "\n".join(examples),
        )
    if told["findings"]:
        console.print(table)
        offered = {finding["kind"] for finding in told["findings"] if finding["decision"]}
        if offered:
            console.print(
                "What next: the same command with\n"
                f"  --apply {','.join(sorted(offered))} --curation_file decisions.json\n"
                "keeps what these findings propose in that file (leave out of the list what is not to be applied); "
                "training takes it\nby --curation_file decisions.json. The data stay as they are.",
                highlight=False,
            )
        if any(finding["relabel"] for finding in told["findings"]):
            told_more = "label_errors:relabel, in the place of label_errors, gives rows the labels that they look like"
            console.print(told_more, highlight=False)
    elif told["complete"]:
        console.print("Nothing was found that is wrong.")
    if not told["complete"]:
        console.print("[yellow]The check was ended early: this is what was found until then.[/]")
    if "curation_file" in told:
        console.print(f"The decisions are in {escape(told['curation_file'])}; --curation_file takes them.")


def _example(example: dict[str, str]) -> str:
    known = not example["place"] or example["place"].endswith(example["excerpt"] or " ")
    where = "" if known else f"[dim]{escape(example['place'])}[/] "
    return f"{where}{escape(example['excerpt'])} [italic]({escape(example['remark'])})[/]"
