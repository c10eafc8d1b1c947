"""Other people's words inside Markdown: names of runs, labels and files are shown as they are, and do nothing."""

import re


def plain(text: object) -> str:
    """The text as Markdown that shows it letter by letter, on one line."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(str(text).split()))
