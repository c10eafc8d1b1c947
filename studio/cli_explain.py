"""The command that tells why a model answers as it does: explain."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from studio import cli_jobs, launch
from studio.errors import RequestError
from studio.evaluation import coloured
from studio.evaluation.explanation import Explanation, PictureExplanation, TextExplanation
from studio.model_folder import model_folder
from studio.runs import write_whole

if TYPE_CHECKING:
    from studio.evaluation.randomised import Randomised

app = typer.Typer()
_WORDS = 30  # in the table
_BAR = 20  # characters
_SHADES = " ░▒▓█"


@app.command()
def explain(
    model: Annotated[str, typer.Argument(help="a run folder or a model folder")],
    given: Annotated[str, typer.Argument(metavar="INPUT", help="a text, or the file of a picture")],
    text_pair: Annotated[
        str | None, typer.Option("--text_pair", help="the second text, for a model of text pairs")
    ] = None,
    label: Annotated[str | None, typer.Option("--label", help="explain this label; the likeliest without it")] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="compare with networks of random weights: does it depend on what was learned?"),
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", help="also write it: an .html page, or of a picture a .png as well")
    ] = None,
    as_json: cli_jobs.Json = False,
) -> None:
    """Print which words, or which parts of a picture, moved a model towards a label."""
    if not given.strip():
        raise RequestError("the input is empty: give a text or the file of a picture")
    if output and output.suffix.lower() not in (".html", ".png"):
        raise RequestError(f"--output {output}: the name must end in .html, or of a picture in .png")
    folder = model_folder(cli_jobs.named(model))  # before torch is loaded, which takes a while
    launch.be_quiet()
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    from studio.evaluation import explain as explaining
    from studio.predictor import Predictor

    predictor = Predictor(folder)
    is_image = predictor.task == "image-classification"
    if is_image and text_pair:
        raise RequestError(f"--text_pair is for models of text pairs, and {model} takes pictures: leave it out")
    if not is_image and Path(given).suffix and Path(given).is_file():
        raise RequestError(f"{given} is a file, and {model} takes texts: give the text itself, in quotes")
    if not is_image and output and output.suffix.lower() == ".png":
        raise RequestError(f"--output {output}: what explains a text is written as .html")
    item = Path(given) if is_image else (given, text_pair) if text_pair else given
    found = explaining.explain(predictor, item, label)
    checked = None
    if check:
        from studio.evaluation.randomised import randomised

        checked = randomised(predictor, item, found)
    texts = () if is_image else tuple(filter(None, (given, text_pair)))
    if output:
        _write(found, texts, output)
    if as_json:
        print(json.dumps(_told(found, checked), ensure_ascii=False))
    else:
        _show(found, checked, output, Console())


def _told(found: Explanation, checked: "Randomised | None") -> dict:
    told = found.told(drawn=False) if isinstance(found, PictureExplanation) else found.told()
    if checked is None:
        return told
    weights = {"correlation": checked.correlation, "correlations": checked.correlations}
    return told | {"randomised_weights": weights | {"parts": checked.parts, "passed": checked.passed}}


def _write(found: Explanation, texts: tuple[str, ...], output: Path) -> None:
    if output.suffix.lower() == ".png":
        write_whole(output, found.overlay)
        return
    from studio.evaluation import page

    told = "".join(f"<p>{coloured.escaped(sentence)}</p>\n" for sentence in coloured.sentences(found))
    title = f"Why {found.label}? ({found.score:.1%})"
    write_whole(output, page.document(title, coloured.shown(found, texts) + told))


def _show(found: Explanation, checked: "Randomised | None", output: Path | None, console: Console) -> None:
    console.print(f"[bold]{escape(found.label)}[/]  {found.score:.1%}", highlight=False)
    if isinstance(found, TextExplanation):
        console.print(_words(found))
        console.print(
            f"All words together moved the logit by {found.difference:+.2f}; the sum of the scores misses "
            f"{abs(found.delta):.3f} of it after {found.steps} steps.",
            highlight=False,
        )
    else:
        console.print(_grid(found))
    for sentence in [*coloured.sentences(found), *([_verdict(checked)] if checked else [])]:
        console.print(escape(sentence), highlight=False)
    if output:
        console.print(f"written  {escape(str(output))}", highlight=False, soft_wrap=True)


def _words(found: TextExplanation) -> Table:
    """The words that moved the model most, in the order of the text."""
    strongest = sorted(found.words, key=lambda word: -abs(word.score))[:_WORDS]
    most = max((abs(word.score) for word in strongest), default=0) or 1
    table = Table("word", "moved the logit by", "")
    table.columns[0].overflow = "fold"
    for word in sorted(strongest, key=lambda word: (word.part, word.start)):
        bar = ("█" if word.score > 0 else "░") * round(_BAR * abs(word.score) / most)
        colour = "dark_orange3" if word.score > 0 else "dodger_blue2"
        table.add_row(escape(word.text), f"{word.score:+.3f}", f"[{colour}]{bar}[/]")
    if len(strongest) < len(found.words):
        table.caption = f"the {_WORDS} strongest of {len(found.words):,} words; --json has all"
    return table


def _grid(found: PictureExplanation) -> str:
    """The grid in shades, each field twice as wide as a letter so that it is about square."""
    rows = ("".join(_SHADES[round(score * (len(_SHADES) - 1))] * 2 for score in row) for row in found.grid)
    return "\n".join(f"│{row}│" for row in rows)


def _verdict(checked: "Randomised") -> str:
    what = f"over {checked.parts} parts, with {len(checked.correlations)} networks of random weights"
    if checked.passed is None:
        return "There is too little to compare with networks of random weights."
    if checked.passed:
        return (
            f"It depends on what the model has learned: its rank correlation {what}, is {checked.correlation:.2f} on "
            "average (1 would be the same)."
        )
    return (
        f"Do not rely on it: its rank correlation {what}, is {checked.correlation:.2f} on average: it owes more to the "
        "input than to what the model has learned."
    )
