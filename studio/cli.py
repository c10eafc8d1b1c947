"""The command line, `python -m studio`: what there is to do with runs and models besides training them.

Each command imports what it needs when it is called, so that `--help` answers at once.
"""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from studio import cli_check, cli_data, cli_evaluate, cli_explain, cli_jobs, cli_report, cli_search, launch
from studio.errors import RequestError, RunError, redacted
from studio.model_folder import model_folder

if TYPE_CHECKING:
    from studio.predictor import Prediction

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(cli_jobs.app)
app.add_typer(cli_data.app)
app.add_typer(cli_check.app)
app.add_typer(cli_evaluate.app)
app.add_typer(cli_report.app)
app.add_typer(cli_explain.app)
app.add_typer(cli_search.app)


@app.callback()
def commands(debug: Annotated[bool, typer.Option("--debug", help="show the traceback of an error")] = False) -> None:
    """Ask a model, publish it. Training is started by the recipes: `python recipes/bert_sentiment.py --help`."""


@app.command()
def predict(
    model: Annotated[str, typer.Argument(help="a run folder or a model folder")],
    inputs: Annotated[list[str], typer.Argument(help="texts, or files of pictures")],
    text_pair: Annotated[
        list[str] | None,
        typer.Option("--text_pair", help="the second text, for a model of text pairs; once for each text"),
    ] = None,
    top_k: Annotated[int, typer.Option("--top_k", min=1, help="how many of the likeliest labels to show")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON for programs")] = False,
) -> None:
    """Print the label and the probabilities that a model gives to texts or pictures."""
    if text_pair and len(text_pair) != len(inputs):
        raise RequestError(
            f"--text_pair is given {len(text_pair)} times for {len(inputs)} texts: give it once for each, in order"
        )
    if not all(map(str.strip, inputs)):
        raise RequestError("an input is empty: give a text or the file of a picture")
    folder = model_folder(cli_jobs.named(model))  # before torch is loaded, which takes a while
    launch.be_quiet()
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"  # loading takes less time than reading its bar
    from studio.predictor import Predictor

    predictor = Predictor(folder)
    if predictor.task == "image-classification":
        if text_pair:
            raise RequestError(f"--text_pair is for models of text pairs, and {model} takes pictures: leave it out")
        items = [Path(name) for name in inputs]
    else:
        for name in inputs:
            if Path(name).suffix and Path(name).is_file():
                raise RequestError(f"{name} is a file, and {model} takes texts: give the text itself, in quotes")
        items = list(zip(inputs, text_pair, strict=True)) if text_pair else inputs
    answers = predictor.predict(items, top_k=top_k)
    if as_json:
        rows = [
            {"input": name, "label": a.label, "score": a.score, "scores": a.scores}
            | ({} if predictor.threshold is None else {"labels": a.labels})
            for name, a in zip(inputs, answers, strict=True)
        ]
        print(json.dumps(rows, ensure_ascii=False))
        return
    show_answers(inputs, answers, Console())


def show_answers(inputs: list[str], answers: "list[Prediction]", console: Console) -> None:
    """Prints a table of predictions, a line for each label that is given to an input."""
    table = Table("input", "label", "probability", "next")
    table.columns[0].overflow = "fold"
    for name, answer in zip(inputs, answers, strict=True):
        others = [f"{label} {score:.1%}" for label, score in answer.scores.items() if label not in answer.labels]
        given = "\n".join(answer.labels) or "(none)"
        shares = "\n".join(f"{answer.scores[label]:.1%}" for label in answer.labels)
        table.add_row(escape(name), escape(given), shares, escape(", ".join(others)))
    console.print(table)


@app.command()
def examples(
    run: Annotated[str, typer.Argument(help="a run on texts: its folder, or its name below the run root")],
    count: Annotated[int, typer.Option("--count", min=1, help="at most how many")] = 6,
    as_json: cli_jobs.Json = False,
) -> None:
    """Print texts that a run was tested on, to try its model with."""
    from studio.data.examples import test_texts

    rows = test_texts(cli_jobs.named(run), count)
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        print("\t".join(filter(None, (row["label"], row["text"], row["text_pair"]))))


@app.command()
def serve(
    model: Annotated[str, typer.Argument(help="a run folder or a model folder")],
    host: Annotated[str, typer.Option("--host", help="an address of this machine's own")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes one that is free")] = 8000,
) -> None:
    """Answer questions over HTTP, in the format of Hugging Face's inference API; Ctrl-C ends it.

    With STUDIO_SERVE_TOKEN in the environment, only those who send it are answered.
    """
    from studio.serving import server

    launch.be_quiet()
    address = f"[{host}]" if ":" in host else host
    server.serve(
        cli_jobs.named(model), host, port, lambda port: print(f"{model}: http://{address}:{port}/predict", flush=True)
    )


@app.command()
def push(
    run: Annotated[Path, typer.Argument(help="a run folder")],
    hub_model_id: Annotated[str, typer.Option("--hub_model_id", help="name on the Hub, such as my-name/my-model")],
    private: Annotated[
        bool, typer.Option("--hub_private_repo/--no_hub_private_repo", help="keep the published model private")
    ] = True,
) -> None:
    """Publish a finished run's model on the Hugging Face Hub."""
    from studio.export import hub
    from studio.runs import Run

    Run(run).record()
    print(hub.push(Run(run).model, hub_model_id, private=private))


def main() -> None:
    """Runs a command: exit code 0, 1 for a failure on the way, 2 for a bad request."""
    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]  # accepted before and after the command's name
    try:
        app()
    except Exception as error:
        if debug:
            raise
        print(f"error: {redacted(_told(error))}", file=sys.stderr)
        sys.exit(2 if isinstance(error, RequestError) else 1)


def _told(error: Exception) -> str:
    """An error in one line, with what may help."""
    if isinstance(error, RequestError | RunError):
        return str(error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error} (--debug shows where)"
    text = " ".join(str(error).split("\n[")[0].split())  # SQLAlchemy adds the statement
    return f"{type(error).__name__}: {text} (--debug shows where)"
