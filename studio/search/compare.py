"""The same data, division and budget under several values of one setting, as child runs; which of them to take.

DIR/trials.json says what is compared, DIR/trials/ holds the runs, DIR/comparison.json what came of it so far.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from studio.config import READING, Data, Output
from studio.errors import RequestError
from studio.evaluation import plots
from studio.fields import specs
from studio.jobs.standing import Standing
from studio.recipe import Recipe
from studio.runs import write_whole
from studio.search import verdict
from studio.search.trials import PLAN, RESULT, Trials, folder_names, settings_of

STRATEGIES = ("scratch", "features", "partial", "full", "probe_then_full", "lora")
_OF_RANDOM_WEIGHTS = ("scratch", "full")  # the others keep what a network has learnt before
_ONE_DIVISION = (READING | {spec.name for spec in specs(Data)}) - {"max_train_samples"}  # must be the same in all


@dataclass(frozen=True)
class Plan:
    """`children` are the ends of the runs' names by the value of the setting `key`; the other settings are common."""

    recipe: str
    key: str
    settings: dict[str, Any]
    children: dict[str, str]

    def settings_of(self, value: str) -> dict[str, Any]:
        return self.settings | {self.key: value}


def plan(folder: Path, recipe: Recipe, argv: list[str], strategies: str | None, vary: str | None) -> Plan:
    """What is to be compared in a folder: as asked, together with what was asked there before.

    Args:
        argv: flags that all children share; without any, a comparison that was begun goes on with its own.
        strategies: names with commas between them.
        vary: KEY=VALUE,VALUE for any other setting.

    Raises:
        RequestError: it cannot be carried out, or the folder holds something else.
    """
    before = _begun(folder)
    if before and before.recipe != str(recipe.path):
        raise RequestError(f"{folder} holds a comparison by {before.recipe}: name that recipe, or another --output_dir")
    settings = before.settings if before and not argv else settings_of(recipe, argv)
    key, values = _varied(settings, argv, strategies, vary) if not before or strategies or vary else (before.key, [])
    settings = {name: value for name, value in settings.items() if name != key}
    if before:
        _check_same(folder, before, key, settings)
        values = [*before.children, *values]
    return Plan(str(recipe.path), key, settings, folder_names(dict.fromkeys(values)))


def begin(trials: Trials, plan: Plan) -> None:
    """Makes the folder, when all children can be started.

    Raises:
        RequestError: one cannot, as far as it shows before data and weights are read.
    """
    trials.check({child: plan.settings_of(value) for value, child in plan.children.items()})
    trials.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(trials.folder / PLAN, json.dumps(asdict(plan), indent=1))


def carry_out(trials: Trials, plan: Plan, told: Callable[[str], None]) -> dict[str, Any]:
    """Trains what is not finished, one child after the other, and returns the comparison.

    It ends early when a child was stopped; one that fails stops nothing.

    Args:
        told: is handed what there is to show meanwhile.

    Raises:
        KeyboardInterrupt: came meanwhile; the child that was trained has saved what it had come to.
    """
    refused: dict[str, Standing] = {}
    with trials.alone():
        for value, child in plan.children.items():
            told(f"--- {plan.key} {value}\n")
            settings = plan.settings_of(value) | trials.division(plan.children.values())
            try:
                ended = trials.carry_out(child, settings, told)
            except RequestError as error:
                ended = refused[value] = Standing("failed", str(error))
            keep(trials.folder, verdict.comparison(trials, plan.key, plan.settings, plan.children, refused))
            if ended.state in ("stopped", "cancelled"):
                break
        return keep(trials.folder, verdict.comparison(trials, plan.key, plan.settings, plan.children, refused))


def keep(folder: Path, found: dict[str, Any]) -> dict[str, Any]:
    """Writes comparison.json, .md and .png; returns what they say."""
    curves = {row["value"]: row["course"] for row in found["runs"] if row["course"]}
    write_whole(folder / "comparison.png", plots.courses(curves, found["metric"]))
    write_whole(folder / "comparison.md", verdict.markdown(found))
    write_whole(folder / RESULT, json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False))
    return found


def _begun(folder: Path) -> Plan | None:
    """The comparison in a folder, if there is one.

    Raises:
        RequestError: it holds something else.
    """
    try:
        return Plan(**json.loads((folder / PLAN).read_text()))
    except FileNotFoundError:
        if folder.is_dir() and any(folder.iterdir()):
            raise RequestError(
                f"--output_dir {folder} holds something that is no comparison: name a new folder"
            ) from None
        return None
    except NotADirectoryError:
        raise RequestError(f"--output_dir {folder} is a file: name a folder") from None
    except (ValueError, TypeError) as error:
        raise RequestError(f"{folder / PLAN} is damaged: name another --output_dir") from error


def _varied(
    settings: dict[str, Any], argv: list[str], strategies: str | None, vary: str | None
) -> tuple[str, list[str]]:
    """The setting that is varied, and its values."""
    if strategies and vary:
        raise RequestError("--strategies and --vary are two comparisons: make one after the other")
    fresh = str(settings.get("model_name_or_path")).startswith("timm:")
    suited = _OF_RANDOM_WEIGHTS if fresh else STRATEGIES
    flag = f"--vary {vary}" if vary else f"--strategies {strategies}"
    key, equals, listed = vary.partition("=") if vary else ("strategy", "=", strategies or ",".join(suited))
    values = [value for value in dict.fromkeys(map(str.strip, listed.split(","))) if value]
    if not equals or len(values) < 2:
        raise RequestError(f"{flag}: name a setting and at least two values, such as --vary weight_decay=0,0.01,0.1")
    if key in _ONE_DIVISION:
        raise RequestError(f"--vary {key}: runs can be compared on the same rows only, and this decides about them")
    if key in {spec.name for spec in specs(Output)}:
        raise RequestError(f"--vary {key}: it says where a run is kept, and changes nothing of what is learnt")
    if any(word.partition("=")[0] == f"--{key}" for word in argv):
        raise RequestError(f"--{key} is what is compared: leave it out, or make it one of the values of {flag}")
    if key == "strategy" and fresh and (idle := [value for value in values if value not in _OF_RANDOM_WEIGHTS]):
        raise RequestError(
            f"{settings['model_name_or_path']} starts from random weights, and {', '.join(idle)} would keep them: "
            f"leave out what is not among {', '.join(_OF_RANDOM_WEIGHTS)}"
        )
    return key, values


def _check_same(folder: Path, before: Plan, key: str, settings: dict[str, Any]) -> None:
    if key != before.key:
        raise RequestError(f"{folder} compares values of {before.key}: name another --output_dir for those of {key}")
    for name in settings.keys() | before.settings.keys():
        if (now := settings.get(name)) != (then := before.settings.get(name)):
            raise RequestError(
                f"--{name} {now} differs from {then}, with which the comparison in {folder} was begun: give the flags "
                "of then, or none to go on with them, or name another --output_dir"
            )
