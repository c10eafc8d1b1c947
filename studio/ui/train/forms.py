"""Form fields from the typed settings: the declaration that makes the flag gives the widget, its help and bounds."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import gradio as gr
from gradio.components import Component

from studio.fields import Spec, to_flags

_AUTOMATIC = "automatic"


def field(spec: Spec, value: Any, default: Any) -> Component:
    """The widget of a setting, that starts from `value`; emptied, it stands for the recipe's `default`."""
    about = {"label": label(spec.name), "info": spec.help, "elem_id": f"field-{spec.name}", "interactive": True}
    if spec.kind is bool and spec.default is None:
        return gr.Dropdown([_AUTOMATIC, "true", "false"], value=_word(value) or _AUTOMATIC, **about)
    if spec.kind is bool:
        return gr.Checkbox(value=bool(value), **about)
    if spec.choices:
        return gr.Dropdown(list(spec.choices), value=value, **about)
    if spec.bounds and spec.bounds.high <= 1 and not spec.bounds.log and spec.default is not None:
        return gr.Slider(spec.bounds.low, spec.bounds.high, step=0.01, value=value, **about)
    emptied = _word(default) or (_AUTOMATIC if spec.kind in (int, float) else "")
    return gr.Textbox(value=_word(value), max_lines=1, placeholder=emptied, **about)


def flags(specs: Iterable[Spec], defaults: Mapping[str, Any], values: Iterable[Any]) -> list[str]:
    """The flags for what a form says, as the settings' order has it: only what differs from the defaults.

    Args:
        values: of the widgets, one for each of the `specs`.
    """
    said = {}
    for spec, value in zip(specs, values, strict=True):
        word = _word(value)
        if word in ("", _AUTOMATIC) or word == _word(defaults.get(spec.name)):
            continue
        said[spec.name] = word.split() if spec.many else word
    return to_flags(said)


def blamed(message: str, names: Iterable[str]) -> str | None:
    """The setting that a message of the parser is about: the first flag it names."""
    known = set(names)
    return next((name for name in re.findall(r"--(\w+)", message) if name in known), None)


def label(name: str) -> str:
    """A setting's name as the form shows it: the flag's own words."""
    return name.replace("_", " ")


def _word(value: Any) -> str:
    """A value as it would be written behind its flag; nothing for None."""
    if value is None or value == []:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return " ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
