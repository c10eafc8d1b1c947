"""Which data of this machine and of the Hub the page may open: what it is told is checked before anything is read."""

import os
import re
from pathlib import Path

from studio.errors import RequestError


def roots() -> list[Path]:
    """The folders in and below which data may lie: $STUDIO_DATA_ROOTS, or the home folder and the working folder."""
    named = os.environ.get("STUDIO_DATA_ROOTS")
    found = map(Path, filter(None, named.split(os.pathsep))) if named else (Path.home(), Path.cwd())
    return list(dict.fromkeys(root.expanduser().resolve() for root in found))


def on_this_machine(name: str) -> Path:
    """The file or folder of that name, links resolved.

    Raises:
        RequestError: no name, one that leads outside the roots, or nothing is there.
    """
    if not name.strip() or "\0" in name:
        raise RequestError(f"give the path of a file or folder, such as {roots()[0] / 'reviews.csv'}")
    try:
        path = Path(name.strip()).expanduser().resolve()
        inside = any(path.is_relative_to(root) for root in roots())
        there = inside and path.exists()
    except (OSError, RuntimeError) as fault:  # a name too long, links that lead round, no such user
        raise RequestError(f"{name.strip()} is no path that can be opened") from fault
    if not inside:
        raise RequestError(
            f"{name.strip()} is outside the folders that this page may open ({', '.join(map(str, roots()))}): "
            "move the data there, upload it, or start the studio with STUDIO_DATA_ROOTS naming its folder"
        )
    if not there:
        raise RequestError(f"there is no file or folder {path}")
    return path


def on_the_hub(name: str) -> str:
    """The name of a data set on the Hub.

    Raises:
        RequestError: it cannot be one, or would name something on this machine instead.
    """
    name = name.strip().removeprefix("https://huggingface.co/datasets/").rstrip("/")
    if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", name):
        raise RequestError("give the name of a data set on the Hub as owner/name, such as stanfordnlp/imdb")
    if Path(name).exists():
        raise RequestError(f"{name} is also a file or folder here: choose 'On this machine' to open that")
    return name
