"""The commands around data: preview."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

app = typer.Typer()

_CLASSES = 30  # listed in the table


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def preview(
    context: typer.Context,
    task: Annotated[
        str | None, typer.Option("--task", help="text-classification or image-classification (else told from the data)")
    ] = None,
    thumbnails: Annotated[
        Path | None, typer.Option("--thumbnails", help="a folder to write small pictures of the classes to")
    ] = None,
    columns: Annotated[bool, typer.Option("--columns", help="only list the columns of a table")] = False,
    augmented: Annotated[
        bool,
        typer.Option("--augmented", help="show how training rows are varied by flags such as --augmentation medium"),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON for programs")] = False,
) -> None:
    """Show how data would be read and divided for training.

    Takes the flags of a recipe's Data group, such as --dataset_name reviews.csv --label_column_name stars, and with
    --augmented those of its Augmentation group; pictures are then written to augmented.png in the folder --thumbnails.
    """
    from studio import launch

    launch.be_quiet()
    if augmented:
        _augmented(context.args, task, thumbnails, as_json)
        return
    from studio.data import preview as look

    told = look.columns(context.args, task) if columns else look.preview(context.args, task, thumbnails)
    if as_json:
        print(json.dumps(told, ensure_ascii=False))
    elif columns:
        print("\n".join(told["columns"]))
    else:
        _show(told, Console())


def _augmented(flags: list[str], task: str | None, folder: Path | None, as_json: bool) -> None:
    from studio.data.variations import variations
    from studio.errors import RequestError

    told = variations(flags, task, folder)
    if as_json:
        print(json.dumps(told, ensure_ascii=False))
    elif told["task"] == "text-classification":
        for row in told["rows"]:
            print("\n  ".join([", ".join(row["labels"]), *(view["text"] for view in row["views"])]))
    elif folder:
        print(f"{folder / 'augmented.png'} shows {len(told['rows'])} training pictures, first as they are")
    else:
        raise RequestError("--augmented needs --thumbnails, a folder to write the varied pictures to, or --json")


def _show(told: dict[str, Any], console: Console) -> None:
    console.print(f"{escape(told['origin'])}: {told['task']}, {len(told['classes']):,} classes", highlight=False)
    for note in told["notes"]:
        console.print(f"  {escape(note)}", highlight=False)
    classes = Table("class", *told["sizes"])
    for row in told["classes"][:_CLASSES]:
        classes.add_row(escape(row["label"]), *(f"{row[split]:,}" for split in told["sizes"]))
    if len(told["classes"]) > _CLASSES:
        classes.add_row(f"and {len(told['classes']) - _CLASSES:,} more")
    classes.add_section()
    classes.add_row("all rows", *(f"{count:,}" for count in told["sizes"].values()))
    console.print(classes)
    for advice in told["advice"]:
        console.print(escape(advice), highlight=False)
    rows = Table(*(name for name in ("image", "text", "text_pair") if name in told["rows"][0]), "label")
    for row in told["rows"]:
        rows.add_row(*(escape(row[column.header]) for column in rows.columns[:-1]), escape(", ".join(row["labels"])))
    console.print(rows)
