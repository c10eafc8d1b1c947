"""The reports of a run, as they lie on the disk: its own and those on other data; and what is wrong with them."""

import functools
import json
from pathlib import Path
from typing import Any

from studio.errors import RequestError

OWN = ""  # the name of the report on the run's own rows; others are named by their folders
_NEEDED = {"labels", "rows", "titles", "scores", "intervals", "per_class", "confused_pairs", "calibration"}
_NEEDED |= {"confusion", "confidence", "roc", "precision_recall", "thresholds", "slices", "errors", "sentences"}
_KEPT = 8  # reports that are not read again while they stay as they are


class Mendable(RequestError):
    """A report that is missing, older or damaged, and comes right when it is made anew."""


def listed(folder: Path) -> list[tuple[str, str]]:
    """Titles and names of a run's reports, its own first."""
    others = []
    for file in sorted((folder / "report").glob("*/metrics.json")):
        try:
            title = str(json.loads(file.read_text(encoding="utf-8"))["dataset"]["name"])
        except (OSError, ValueError, KeyError, TypeError):
            title = file.parent.name
        others.append((title, file.parent.name))
    return [("its own test rows", OWN), *others]


def read(folder: Path, name: str = OWN) -> dict[str, Any]:
    """What analysis.json says.

    Raises:
        Mendable: it is missing, older than the run's figures, or damaged.
        RequestError: there is no such report: the run has not been scored, or not on those data.
    """
    if name not in dict(map(reversed, listed(folder))):
        raise RequestError(f"{folder.name} was not evaluated on such data: choose another report")
    report = folder / "report" / name
    try:
        accuracy = _read(report / "metrics.json")["splits"]["test"]["accuracy"]
    except FileNotFoundError as error:
        raise RequestError(f"{folder.name} is not scored yet: its report comes when it has finished") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RequestError(f"metrics.json of {folder.name} is damaged: resume the run or train it again") from error
    try:
        found = _read(report / "analysis.json")
    except FileNotFoundError as error:
        raise Mendable(f"{folder.name} has been scored, and its report is not made yet") from error
    except (OSError, ValueError, RecursionError) as error:
        raise Mendable(f"The report of {folder.name} is damaged") from error
    if not isinstance(found, dict) or _NEEDED - found.keys():
        raise Mendable(f"The report of {folder.name} is of an older kind")
    try:
        is_same = abs(found["scores"]["accuracy"] - accuracy) < 1e-6
    except (KeyError, TypeError) as error:
        raise Mendable(f"The report of {folder.name} is damaged") from error
    if not is_same:
        raise Mendable(f"The report of {folder.name} is older than its predictions")
    return found


def stamp(folder: Path, name: str = OWN) -> tuple:
    """Something that is another when a report has changed."""
    return (str(folder), name, *(_state(folder / "report" / name / file) for file in ("metrics.json", "analysis.json")))


def _read(file: Path) -> Any:
    return _parsed(file, _state(file))


@functools.lru_cache(_KEPT)
def _parsed(file: Path, _: tuple[int, int]) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def _state(file: Path) -> tuple[int, int]:
    try:
        told = file.stat()
    except FileNotFoundError:
        return 0, 0
    return told.st_mtime_ns, told.st_size
