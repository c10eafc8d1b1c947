"""What reading the data had to make the best of: rows that were left out, a header or an encoding that was guessed."""

from collections.abc import Iterable, Iterator

from studio.data.quality.items import EXAMPLES, Example, Finding, count, excerpt
from studio.data.reading.table import Flaw

_NOTES = {"no_header", "other_encoding"}  # with which nothing need be wrong
REMEDIES = {
    "no_label": "Fill the cells in, or take the rows out.",
    "no_content": "Fill the cells in, or take the rows out.",
    "damaged_rows": "Mend them in the file: each needs as many cells as the first row, quotes around a cell that holds "
    "the character between cells, and no NUL characters.",
    "no_header": "Name the columns by --column_names, here and in training, or put a header row above them.",
    "other_encoding": "Save the file as UTF-8 if characters look wrong.",
}


def check(flaws: Iterable[Flaw], content: str) -> Iterator[Finding]:
    """A finding for each kind of flaw; `content` is the word for what is to be labelled."""
    by_kind: dict[str, list[Flaw]] = {}
    for flaw in flaws:
        by_kind.setdefault(flaw.kind, []).append(flaw)
    for kind, found in by_kind.items():
        number = sum(flaw.count for flaw in found)
        examples = [
            Example(None, place, excerpt(shown), remark) for flaw in found for place, shown, remark in flaw.examples
        ]
        severity = "note" if kind in _NOTES else "warning"
        title = _title(kind, number, content)
        yield Finding(kind, severity, title, number, REMEDIES[kind], examples[:EXAMPLES])


def _title(kind: str, number: int, content: str) -> str:
    rows = count(number, "row", "rows")
    return {
        "no_label": f"{rows} {'has' if number == 1 else 'have'} no label: left out",
        "no_content": f"{rows} {'has' if number == 1 else 'have'} no {content}: left out",
        "damaged_rows": f"{rows} {'is' if number == 1 else 'are'} damaged: left out",
        "no_header": f"{count(number, 'file has', 'files have')} no header row: the first row was read as data",
        "other_encoding": f"{count(number, 'file is', 'files are')} not in UTF-8: read as Windows-1252",
    }[kind]
