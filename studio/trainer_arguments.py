"""Flags that are no settings of ours: read as fields of transformers' TrainingArguments, or refused with the remedy."""

import difflib
import importlib.util
from typing import Any

from studio.errors import RequestError
from studio.fields import nearest

# Arguments of the Trainer that a recipe takes care of itself, and what to do instead.
_OWNED = {
    "hub_token": "a token on the command line ends up in logs: set HF_TOKEN or log in by `hf auth login`",
    "remove_unused_columns": "the recipe knows which columns its model needs",
    "load_best_model_at_end": "the best checkpoint is always loaded at the end",
    "save_strategy": "a checkpoint is saved at each validation: set --eval_strategy",
    "save_steps": "a checkpoint is saved at each validation: set --eval_steps",
    "train_sampling_strategy": "texts are always grouped by length, pictures shuffled",
    "save_only_model": "a run could not go on from such a checkpoint",
    "logging_nan_inf_filter": "a loss that is not a number stops the run",
    "do_train": "a recipe trains, validates and tests",
    "do_eval": "a recipe trains, validates and tests",
    "do_predict": "report/predictions.parquet holds every prediction",
    "label_names": "the recipe knows where its labels are",
    "prediction_loss_only": "the scores need the predictions",
    "batch_eval_metrics": "the scores are of all rows together",
    "include_for_metrics": "the scores need predictions and labels alone",
    "eval_do_concat_batches": "the scores are of all rows together",
    "hub_strategy": "the finished model is published, once",
    "hub_always_push": "the finished model is published, once",
    "lr_scheduler_kwargs": "each of them is a setting: --lr_num_cycles, --lr_power, --lr_gamma and others",
    "hub_revision": "the finished model goes to the main branch",
}


def trainer_arguments(flags: list[str], own_names: list[str]) -> dict[str, Any]:
    """Flags that are no settings of ours, read as fields of TrainingArguments; only those that were given.

    Raises:
        RequestError: the Trainer does not know a flag either, or the recipe takes care of it.
    """
    for flag in flags:
        name = flag.lstrip("-").partition("=")[0]
        if flag.startswith("--") and name in _OWNED:
            raise RequestError(f"--{name} cannot be set: {_OWNED[name]}")

    from transformers import HfArgumentParser, TrainingArguments

    parser = HfArgumentParser(TrainingArguments, allow_abbrev=False, argument_default=None, add_help=False)
    known = {action.dest for action in parser._actions}
    for flag in flags:
        name = flag.lstrip("-").partition("=")[0].replace("-", "_")
        if flag.startswith("--") and name not in known:
            raise RequestError(f"unknown setting --{name} ({nearest(name, [*own_names, *known])})")
    parser.error = _refuse
    for action in parser._actions:
        action.default = None
        action.required = False
        if action.dest == "report_to":
            action.nargs = "+"
    values, unknown = parser.parse_known_args(flags)
    if unknown:
        raise RequestError(f"{unknown[0]!r} follows no setting: write --NAME VALUE (--help lists every setting)")
    found = {name: value for name, value in vars(values).items() if value is not None}
    if "report_to" in found:
        found["report_to"] = _trackers(found["report_to"])
    return found


def _trackers(given: list[str]) -> list[str]:
    """The trackers named by --report_to, apart by commas or spaces.

    Raises:
        RequestError: transformers knows no such tracker, or its package is not installed.
    """
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    names = [name for word in given for name in word.split(",") if name]
    for name in names:
        if name not in {*INTEGRATION_TO_CALLBACK, "all", "none"}:
            close = difflib.get_close_matches(name, INTEGRATION_TO_CALLBACK, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(INTEGRATION_TO_CALLBACK))}"
            raise RequestError(f"--report_to {name}: transformers has no such tracker ({hint})")
        if name in {"wandb", "trackio", "mlflow"} and importlib.util.find_spec(name) is None:
            raise RequestError(f"--report_to {name} needs that package: pip install {name}")
    return names


def _refuse(message: str) -> None:
    raise RequestError(message.removeprefix("argument "))
