"""The entries of a folder, without what systems and people leave beside the data."""

from pathlib import Path

_SYSTEM = {"__macosx", "thumbs.db", "desktop.ini"}
_ABOUT = {"readme", "license", "licence", "notice", "citation"}


def visible(folder: Path) -> list[Path]:
    """The entries by name."""
    entries = (entry for entry in folder.iterdir() if not hidden(entry.name))
    return sorted(entry for entry in entries if not (entry.stem.casefold() in _ABOUT and entry.is_file()))


def hidden(name: str) -> bool:
    """Whether this is the name of a file or folder that systems leave beside the data."""
    return name.startswith(".") or name.casefold() in _SYSTEM
