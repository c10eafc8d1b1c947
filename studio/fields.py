"""Typed settings: one declaration gives the flag, the YAML key, the bounds, the help and the form field.

YAML and form values are turned into flags, so that one parser converts and checks everything.
"""

import argparse
import dataclasses
import difflib
import json
import math
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from studio.errors import RequestError

_YAML_LIMIT_BYTES = 100_000
_YAML_LIMIT_TOKENS = 10_000  # some 2,000 lines of settings; the scanner takes a fifth of a second for them
_YAML_LIMIT_DEPTH = 10
_OPENING = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_CLOSING = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


@dataclass(frozen=True)
class Range:
    """Inclusive bounds of a number; `log` tells sliders and searches to move in ratios instead of steps."""

    low: float
    high: float = math.inf
    log: bool = False

    def complaint(self, name: str, value: float) -> str | None:
        """What is wrong with `value` for the flag `name`, or None when it lies within the bounds."""
        if math.isnan(value):
            return f"--{name} must be a number, got {value}"
        if value < self.low:
            return f"--{name} must be at least {self.low:g}, got {value:g}"
        if value > self.high:
            return f"--{name} must be at most {self.high:g}, got {value:g}"
        return None


def arg(default: Any, help: str, *, advanced: bool = False, path: bool = False) -> Any:
    """A setting with its default and its one line of help.

    A form lists `advanced` settings only on request; a `path` may name something on this machine.
    """
    metadata = {"help": help, "advanced": advanced, "path": path}
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: list(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass
class Settings:
    """Base of the settings groups. `title` heads the group in `--help` and in the page.

    Raises:
        RequestError: a number lies outside its Range, or (in a subclass) two settings contradict each other.
    """

    title: ClassVar[str]

    def __post_init__(self):
        for spec in specs(type(self)):
            value = getattr(self, spec.name)
            complaint = spec.bounds.complaint(spec.name, value) if spec.bounds and value is not None else None
            if complaint:
                raise RequestError(complaint)


@dataclass(frozen=True)
class Spec:
    """What flags, forms and searches need to know of one setting."""

    name: str
    kind: type  # str, int, float or bool; of the items when `many`
    default: Any
    help: str
    many: bool
    choices: tuple[str, ...] | None
    bounds: Range | None
    advanced: bool
    path: bool


def specs(group: type[Settings]) -> Iterator[Spec]:
    """The settings of a group in the order of their declaration."""
    hints = get_type_hints(group, include_extras=True)
    for field in dataclasses.fields(group):
        if not field.init:
            continue
        hint, bounds, many, choices = hints[field.name], None, False, None
        while not isinstance(hint, type) or get_origin(hint):  # peel `Annotated[...] | None` down to the plain type
            origin, parts = get_origin(hint), get_args(hint)
            if origin is Annotated:
                bounds = next((part for part in parts if isinstance(part, Range)), bounds)
            elif origin is Literal:
                choices, parts = parts, (str,)
            elif origin is list:
                many = True
            elif origin not in (Union, types.UnionType):
                raise TypeError(f"{group.__name__}.{field.name}: settings of type {hint} have no flag")
            hint = parts[0]
        default = field.default_factory() if field.default is dataclasses.MISSING else field.default
        yield Spec(field.name, hint, default, many=many, choices=choices, bounds=bounds, **field.metadata)


class Parser(argparse.ArgumentParser):
    """The flags of some settings groups; `--help` lists them under the groups' titles.

    Args:
        groups: the settings classes; field names are unique over all of them.
        defaults: replacements for the declared defaults.
    """

    def __init__(self, groups: Iterable[type[Settings]], defaults: Mapping[str, Any], description: str, usage: str):
        super().__init__(usage=usage, description=description, formatter_class=_Help, allow_abbrev=False)
        self.names: list[str] = []
        self.groups = list(groups)
        for group in self.groups:
            section = self.add_argument_group(group.title)
            for spec in specs(group):
                self.names.append(spec.name)
                section.add_argument(f"--{spec.name}", **_flag(spec, defaults.get(spec.name, spec.default)))

    def error(self, message: str):
        told = message.removeprefix("argument ").replace("invalid float value:", "expected a number, got")
        told = told.replace("invalid int value:", "expected a whole number, got")
        raise RequestError(f"{told} (--help lists every setting)")

    def settings(self, flags: list[str]) -> tuple[list[Settings], list[str]]:
        """One instance for each group, and the flags that belong to none of them.

        Raises:
            RequestError: a value has the wrong type, lies outside its bounds or contradicts another one.
        """
        values, leftover = self.parse_known_args(flags)
        instances = [group(**{spec.name: getattr(values, spec.name) for spec in specs(group)}) for group in self.groups]
        return instances, leftover


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint at the valid name a person may have meant, or where to find them all."""
    names = list(names)
    close = difflib.get_close_matches(name, names, n=1)
    close += [
        full for full in names if name in ("".join(word[0] for word in full.split("_") if word), *full.split("_"))
    ]
    close += [full for full in names if len(name) > 3 and name in full]
    return f"did you mean --{close[0]}?" if close else "--help lists every setting"


def read_yaml(file: Path | str) -> dict[str, Any]:
    """The settings in a YAML file: one flat mapping, without aliases or tags that build objects.

    Raises:
        RequestError: the file is missing, too large, not YAML, or not a flat mapping of settings.
    """
    path = Path(file)
    try:
        if path.stat().st_size > _YAML_LIMIT_BYTES:
            raise RequestError(
                f"--config {path} is larger than {_YAML_LIMIT_BYTES // 1000} kB: that is no settings file"
            )
        text = path.read_text(encoding="utf-8")
        _check_tokens(text, f"--config {path}")
        values = yaml.safe_load(text)
    except OSError as error:
        raise RequestError(f"--config {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RequestError(f"--config {path} is not YAML: {' '.join(str(error).split())}") from error
    if values is not None and not isinstance(values, dict):
        raise RequestError(
            f"--config {path} must hold lines like `learning_rate: 2e-4`, found a {type(values).__name__}"
        )
    return values or {}


def _check_tokens(text: str, place: str) -> None:
    """Refuses YAML that builds objects, copies parts of itself, or is nested or long beyond any settings."""
    depth = 0
    for count, token in enumerate(yaml.scan(text, Loader=yaml.SafeLoader)):
        line = token.start_mark.line + 1
        if isinstance(token, yaml.AliasToken | yaml.TagToken):
            raise RequestError(f"{place}, line {line}: aliases (*name) and tags (!name) are not settings")
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        if depth > _YAML_LIMIT_DEPTH or count > _YAML_LIMIT_TOKENS:
            raise RequestError(f"{place}, line {line}: too many values within each other or in all to be settings")


def to_flags(values: Mapping[str, Any]) -> list[str]:
    """Settings as flags; None means not set and gives none."""
    flags = []
    for name, value in values.items():
        if value is None or value == []:
            continue
        if isinstance(value, list):
            flags += [f"--{name}", *map(str, value)]
        elif isinstance(value, dict):
            flags += [f"--{name}", json.dumps(value)]
        else:
            flags.append(f"--{name}={str(value).lower() if isinstance(value, bool) else value}")
    return flags


def to_yaml(groups: Iterable[Settings], extra: Mapping[str, Any]) -> str:
    """Settings as YAML, a commented section for each group; paths that exist here are made absolute."""
    sections = []
    for group in groups:
        values = {spec.name: _frozen(spec, getattr(group, spec.name)) for spec in specs(type(group))}
        if values:
            sections.append(f"# {group.title}\n" + yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
    if extra:
        sections.append("# More arguments of the Trainer\n" + yaml.safe_dump(dict(extra), sort_keys=False))
    return "\n".join(sections)


def _frozen(spec: Spec, value: Any) -> Any:
    """A value as it can be used from another folder."""
    return str(Path(value).resolve()) if spec.path and value and Path(value).exists() else value


def _flag(spec: Spec, default: Any) -> dict[str, Any]:
    """The keyword arguments of add_argument."""
    flag = {"help": spec.help.replace("%", "%%"), "default": default, "choices": spec.choices}
    if spec.many:
        return flag | {"type": spec.kind, "nargs": "+", "metavar": "NAME"}
    if spec.kind is bool:
        return flag | {"type": _boolean, "nargs": "?", "const": True, "metavar": "true|false"}
    metavar = {int: "N", float: "X", str: "PATH|NAME" if spec.path else "NAME"}[spec.kind]
    return flag | {"type": spec.kind, "metavar": None if spec.choices else metavar}


def _boolean(word: str) -> bool:
    if word.lower() in ("true", "yes", "on", "1"):
        return True
    if word.lower() in ("false", "no", "off", "0"):
        return False
    raise argparse.ArgumentTypeError(f"expected true or false, got {word!r}")


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help with defaults, without those that say nothing."""

    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=42, width=118)

    def _get_help_string(self, action: argparse.Action) -> str:
        if action.default in (None, [], argparse.SUPPRESS):
            return action.help
        shown = str(action.default).lower() if isinstance(action.default, bool) else action.default
        return f"{action.help} [{str(shown).replace('%', '%%')}]"
