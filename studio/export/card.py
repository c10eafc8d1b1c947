"""The model card: what the model is for, how well it does and how sure that is, how it was made, where it ends."""

import dataclasses
import html
import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from studio import samples
from studio.config import Output
from studio.evaluation import costs, multilabel
from studio.export import hub
from studio.runs import write_whole

_FEW_ROWS = 30  # below this many test rows a class's figures move by 0.1 and more by chance

# What a run settles for itself where the settings leave it open; metrics.json says how.
_SETTLED = ("learning_rate", "precision")

_COSTS = "## Size and speed"

_NEEDS_STUDIO = """
Its architecture is the studio's own: transformers knows it after `import studio.models`, where the studio is installed.
"""
_IMPORTED = "import studio.models\n"

# Where the output of a run lies says nothing of the model, and is nobody's business.
_UNTOLD = {field.name for field in dataclasses.fields(Output)}


def write(
    folder: Path, *, metrics: dict[str, Any], settings: dict[str, Any], origin: str, own_architecture: bool = False
) -> None:
    """Writes README.md into the model folder.

    `metrics` is the content of metrics.json, `settings` that of config.yaml, `origin` the short name of the data. A
    model of an `own_architecture` of the studio needs the studio's code. Folders of this machine are not named, and
    nothing in a label or a name acts as markup.
    """
    text = _text(metrics, settings, origin, own_architecture)
    card = ModelCard(f"---\n{_metadata(metrics, settings, origin).to_yaml()}\n---\n{text}")
    write_whole(folder / "README.md", card.content)


def add_profile(folder: Path, profile: dict[str, Any]) -> None:
    """Writes what the model costs (the content of profile.json) into the card, in place of what it said before."""
    file = folder / "README.md"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    text = re.sub(rf"{_COSTS}\n.*?(?=^## |\Z)", "", text, flags=re.DOTALL | re.MULTILINE)
    before, limits, after = text.partition("## Limits\n")
    write_whole(file, f"{before.rstrip()}\n\n{_costs(profile)}\n{limits}{after}")


def _costs(profile: dict[str, Any]) -> str:
    told = f"Measured on {_inline(profile['device'])} with {_inline(profile['input'])}."
    return f"{_COSTS}\n\n{told}\n\n{_table(('cost', 'value'), list(costs.lines(profile).items()))}\n"


def _metadata(metrics: dict[str, Any], settings: dict[str, Any], origin: str) -> ModelCardData:
    data_id = _hub_id(settings.get("dataset_name"))
    results = [
        EvalResult(
            task_type=metrics["task"],
            dataset_type=data_id or re.sub(r"[^\w.-]+", "-", _told(origin)),
            dataset_name=_told(origin),
            dataset_config=settings.get("dataset_config_name"),
            dataset_revision=settings.get("dataset_revision"),
            dataset_split="test",
            metric_type=name.split("_")[0],  # the Hub knows f1, and not how it was averaged
            metric_name=title,
            metric_value=metrics["splits"]["test"][name],
        )
        for name, title in multilabel.titles(metrics).items()
    ]
    return ModelCardData(
        base_model=_hub_id(_model(settings)),
        datasets=[data_id] if data_id else None,
        library_name="transformers",
        pipeline_tag=metrics["task"],
        metrics=["accuracy", "f1", "precision", "recall"],
        model_name=_title(settings, origin),
        eval_results=results,
    )


def _text(metrics: dict[str, Any], settings: dict[str, Any], origin: str, own_architecture: bool) -> str:
    test, train = metrics["splits"]["test"], metrics["train"]
    kind = _kind(metrics, settings)
    number = "any" if "threshold" in metrics else "one"
    return f"""
# {_inline(_title(settings, origin))}

Gives a {kind} {number} of {len(metrics["labels"])} labels.
{_begun(settings)} on {train["samples"]:,} labelled rows of {_inline(origin)}.

## Results

On {test["samples"]:,} test rows that it was neither trained nor selected on:

{_table(("metric", "value", "95 % interval"), _result_rows(metrics))}

By class:

{_table(("label", "precision", "recall", "F1", "test rows"), _class_rows(test["per_class"]))}

## How to use
{_NEEDS_STUDIO if own_architecture else ""}
```python
{_IMPORTED if own_architecture else ""}from transformers import pipeline

classify = pipeline("{metrics["task"]}", model="{hub.HERE}")
{_example(metrics, kind)}
```

## What the numbers mean

- {_accuracy(metrics)} Precision is the share of right ones among the rows that
  were given a label, recall among the rows that have it; F1 is their harmonic mean.
- Macro figures count every class alike; weighted F1 counts a class by its rows.
- An interval says how far the figure may lie off because these test rows were drawn and not others. It does not
  cover another training run, nor other data.

## Limits

{_limits(metrics, kind)}

## Training

{_table(("setting", "value"), _setting_rows(settings | {name: train[name] for name in _SETTLED}))}

{train["steps"]:,} steps. The checkpoint with the best validation {_inline(metrics["metric_for_best_model"])} was kept.
"""


def _begun(settings: dict[str, Any]) -> str:
    """What the model was before it met the data."""
    name = _inline(_model(settings))
    return f"It is {name}, trained from scratch" if _is_fresh(settings) else f"It starts from {name} and was fine-tuned"


def _is_fresh(settings: dict[str, Any]) -> bool:
    return settings["model_name_or_path"].startswith(("timm:", "baseline:"))


def _kind(metrics: dict[str, Any], settings: dict[str, Any]) -> str:
    """What the model labels, in words."""
    if metrics["task"] == "image-classification":
        return "picture"
    return "text pair" if settings.get("text_pair_column_name") else "text"


def _example(metrics: dict[str, Any], kind: str) -> str:
    """A line of Python that asks the model; of several labels, it keeps those that the figures above count as given."""
    items = {
        "picture": '"photo.jpg"',
        "text": '"a text to label"',
        "text pair": '{"text": "one", "text_pair": "other"}',
    }
    cut = "" if kind == "picture" else ", truncation=True"  # as in training
    if "threshold" not in metrics:
        return f"classify({items[kind]}, top_k=3{cut})"
    answers = f"classify({items[kind]}, top_k={len(metrics['labels'])}{cut})"
    return f'[answer for answer in {answers} if answer["score"] >= {metrics["threshold"]:g}]'


def _accuracy(metrics: dict[str, Any]) -> str:
    if "threshold" not in metrics:
        return "Accuracy is the share of rows that got the right label."
    return (
        f"A label is given from a probability of {metrics['threshold']:g} on, the one that scored best on the\n"
        "  validation rows.\n"
        "- Accuracy is the share of rows that got all their labels and no other. Micro F1 counts every label of every\n"
        "  row alike."
    )


def _limits(metrics: dict[str, Any], kind: str) -> str:
    test = metrics["splits"]["test"]
    low, high = test["intervals"]["accuracy"]
    majority = test["majority_accuracy"]
    several = "threshold" in metrics
    commonest, wrong = ("set of labels", "may answer with some") if several else ("class", "still answers with one")
    limits = [
        f"Always answering the commonest {commonest} would be right on {majority:.3f} of the test rows. "
        + (
            "The model is better than that beyond chance."
            if low > majority
            else "**The model is not shown to be better than that.**"
        ),
        f"The test rows come from the same source as the training rows. On other {kind}s it can do worse, and for a "
        f"{kind} that belongs to none of the labels it {wrong} of them.",
        "The probabilities have not been calibrated: 0.9 does not promise nine right answers of ten.",
    ]
    rare = [label for label, row in test["per_class"].items() if row["support"] < _FEW_ROWS]
    if rare:
        names = ", ".join(_inline(label) for label in rare)
        limits.append(f"Fewer than {_FEW_ROWS} test rows, hence rough figures: {names}.")
    if low == high:
        limits.append("An interval without width does not mean certainty: the test rows are too few to show an error.")
    if kind != "picture":
        limits.append("The language is unknown: it is whatever the training texts were written in.")
    limits.append("No licence is stated: those of the starting model and of the data apply.")
    return "\n".join(f"- {limit}" for limit in limits)


def _result_rows(metrics: dict[str, Any]) -> list[tuple[str, ...]]:
    test, rows = metrics["splits"]["test"], []
    for name, title in multilabel.titles(metrics).items():
        low, high = test["intervals"][name]
        rows.append((title, f"{test[name]:.3f}", f"{low:.3f} to {high:.3f}"))
    return [*rows, (multilabel.commonest_title(metrics), f"{test['majority_accuracy']:.3f}", "")]


def _class_rows(per_class: dict[str, dict[str, float]]) -> list[tuple[str, ...]]:
    return [
        (label, *(f"{row[name]:.3f}" for name in ("precision", "recall", "f1")), f"{row['support']:,}")
        for label, row in per_class.items()
    ]


def _setting_rows(settings: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in settings.items() if name not in _UNTOLD and value not in (None, [])]


def _table(header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = [header, ("---",) * len(header), *(map(_inline, row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _model(settings: dict[str, Any]) -> str:
    """What the model started from; a sample by its name on the Hub."""
    return samples.HUB_IDS.get(settings["model_name_or_path"], settings["model_name_or_path"])


def _title(settings: dict[str, Any], origin: str) -> str:
    model = _told(_model(settings)).split("/")[-1]
    return f"{model} {'trained' if _is_fresh(settings) else 'fine-tuned'} on {_told(origin)}"


def _inline(value: Any) -> str:
    """A value as plain words inside a line of Markdown: no markup, no HTML, no formula, no second line."""
    words = re.sub(r"[\s\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+", " ", _told(value)).strip()
    return re.sub(r"([\\`*_\[\]|~$#!])", r"\\\1", html.escape(words, quote=False))


def _told(value: Any) -> str:
    """A setting as text; a path of this machine is cut to its last part."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(_told, value))
    if isinstance(value, str) and _is_path(value):
        return PureWindowsPath(value).name if "\\" in value else PurePosixPath(value).name
    return str(value)


def _is_path(value: str) -> bool:
    absolute = PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute() or value.startswith("~")
    return absolute or ("/" in value and Path(value).exists())


def _hub_id(name: str | None) -> str | None:
    """`name` when it is that of a Hub repository, owner/name, and no path of this machine."""
    if name is None or name.count("/") != 1 or _is_path(name):
        return None
    try:
        validate_repo_id(name)
    except HFValidationError:
        return None
    return name
