"""The commands that train several runs to choose between: compare-strategies."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from studio import cli_jobs
from studio.errors import RunError

app = typer.Typer()


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def compare_strategies(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="the name of a recipe, or its file")],
    output_dir: Annotated[Path, typer.Option("--output_dir", help="folder of the comparison; the same one goes on")],
    strategies: Annotated[
        str | None, typer.Option("--strategies", help="such as features,full (when not given: all that suit the model)")
    ] = None,
    vary: Annotated[
        str | None, typer.Option("--vary", help="KEY=VALUE,VALUE: compare values of another setting instead")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="come back at once; it goes on when this ends")] = False,
    as_json: cli_jobs.Json = False,
) -> None:
    """Train the same data in several ways, one after the other, and say which to take.

    Takes the recipe's flags as well, for all of them: with --max_steps or --num_train_epochs all
    have the same budget. Ctrl-C saves what is being trained; the same command goes on.
    """
    from studio.recipe_files import by_name
    from studio.search import compare
    from studio.search.trials import Trials
    from studio.store import run_root

    found = by_name(recipe)
    plan = compare.plan(output_dir.resolve(), found, context.args, strategies, vary)
    trials = Trials(output_dir, found, run_root())
    compare.begin(trials, plan)
    again = ["-m", "studio", "compare-strategies", str(found.path), "--output_dir", str(trials.folder)]
    if detach:
        with trials.alone():
            pass  # nobody else is at work on it
        _detach(again, trials.folder)
        runs = [trials.place(child).name for child in plan.children.values()]
        told = {"folder": str(trials.folder), "runs": runs}
        print(json.dumps(told) if as_json else f"it goes on in {trials.folder}: `python -m studio runs` shows how far")
        return
    how = f"Go on by `{shlex.join(['python', *again])}`"
    try:
        result = compare.carry_out(trials, plan, lambda text: print(text, end="", file=sys.stderr, flush=True))
    except KeyboardInterrupt:
        print(f"stopped. {how}", file=sys.stderr)
        sys.exit(130)
    if as_json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        _show(result, Console(width=None if sys.stdout.isatty() else 200))
    if not result["finished"]:
        raise RunError(f"not all of the runs have come to an end. {how}")
    if result["best"] is None:
        raise RunError("none of the runs has been scored")


def _detach(command: list[str], folder: Path) -> None:
    """Starts the command in a session of its own, which outlives whoever asked for it."""
    with (folder / "log.txt").open("ab") as log:
        subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=os.environ | {"NO_COLOR": "1"},
        )


def _show(found: dict[str, Any], console: Console) -> None:
    from studio.search import verdict

    head, lines = verdict.table(found)
    table = Table(*map(escape, head))
    for line in lines:
        table.add_row(*map(escape, line))
    console.print(table)
    for sentence in (found["recommendation"], *found["reasons"], *found["notes"]):
        console.print(escape(sentence), highlight=False)
    console.print(f"curves  {escape(found['folder'])}/comparison.png", highlight=False, soft_wrap=True)
