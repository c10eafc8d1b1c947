"""Labels: spellings of one name, classes that are too small or too large."""

import re
from collections.abc import Iterator

import numpy as np

from studio.data.curation import Curation, Merge
from studio.data.lopsided import TIMES
from studio.data.marks import pairs
from studio.data.quality.items import EXAMPLES, Example, Finding, Items, Severity, count

FEW = 3  # rows: one each to train on, to validate on and to test on
SMALL = 10  # rows from which little can be learnt
_TYPO_SHARE = 0.2  # of the rows of the name that is meant, at most
_TYPO_LENGTH = 5  # characters, at least
_SHORT_LENGTH = 3  # characters of an abbreviation, at least


def check(items: Items) -> Iterator[Finding]:
    """Findings about the names and the sizes of the classes.

    From then on, rows whose labels are spellings of one name have the same code.
    """
    labels = pairs(items.labels)[1]
    rows = np.bincount(labels, minlength=len(items.names))
    meant = _meant(items.names, rows)
    if meant:
        yield _merging(items.names, rows, meant)
    yield from _typos(items.names, rows, meant)
    yield from _abbreviations(items.names, rows, meant)
    if items.labels.ndim == 1:
        items.codes = np.array([items.names.index(meant.get(name, name)) for name in items.names])[items.labels]
        yield from _sizes(items, np.bincount(items.codes, minlength=len(items.names)))


def _meant(names: list[str], rows: np.ndarray) -> dict[str, str]:
    """For each name that is another one in another spelling, the commonest spelling."""
    by_size = sorted(range(len(names)), key=lambda at: (-rows[at], names[at]))
    first: dict[str, str] = {}
    meant = {names[at]: first.setdefault(_plain(names[at]), names[at]) for at in by_size}
    return {name: other for name, other in meant.items() if name != other}


def _merging(names: list[str], rows: np.ndarray, meant: dict[str, str]) -> Finding:
    title = f"{count(len(meant), 'label is', 'labels are')} another one in another spelling"
    remedy = "Merge them, in the data or by the decision; --merge_label_spellings does so for case and spaces."
    return _pairs("label_spellings", "error", title, names, rows, meant, remedy)


def _typos(names: list[str], rows: np.ndarray, meant: dict[str, str]) -> Iterator[Finding]:
    """Names that differ in one letter from one that is far commoner: a slip, and not a class of its own."""
    found = {}
    for at, name in enumerate(names):
        larger = np.flatnonzero(rows[at] <= _TYPO_SHARE * rows)
        near = [names[other] for other in larger if other != at and _one_slip(name, names[other])]
        if near and name not in meant and near[0] not in meant:
            found[name] = near[0]
    if found:
        title = f"{count(len(found), 'label differs', 'labels differ')} from a far commoner one in one letter"
        yield _pairs("label_typos", "warning", title, names, rows, found, "Merge them where they mean the same.")


def _abbreviations(names: list[str], rows: np.ndarray, meant: dict[str, str]) -> Iterator[Finding]:
    """Names that are the beginning of a single other one, which is more than twice as long."""
    plain = {name: _plain(name) for name in names}
    found = {}
    for name in names:
        longer = {meant.get(other, other) for other in names if plain[other].startswith(plain[name])} - {name}
        short = len(plain[name]) >= _SHORT_LENGTH and plain[name].isalpha() and name not in meant
        if short and len(longer) == 1 and len(plain[other := longer.pop()]) > 2 * len(plain[name]):
            found[name] = other
    if found:
        title = f"{count(len(found), 'label is', 'labels are')} perhaps short for another one"
        yield _pairs(
            "label_abbreviations", "warning", title, names, rows, found, "Merge them where they mean the same."
        )


def _pairs(
    kind: str, severity: Severity, title: str, names: list[str], rows: np.ndarray, meant: dict[str, str], remedy: str
) -> Finding:
    sizes = dict(zip(names, rows.tolist(), strict=True))
    examples = [
        Example(None, "", name, f"{sizes[name]:,} rows; {other!r} has {sizes[other]:,}")
        for name, other in list(meant.items())[:EXAMPLES]
    ]
    merge = {name: Merge(other, "the same name") for name, other in meant.items()}
    return Finding(kind, severity, title, len(meant), remedy, examples, Curation(merge=merge))


def _plain(name: str) -> str:
    """What is left of a name without case, and without what divides words, unless it may be a minus."""
    gap = r"\s+" if re.search(r"\d", name) else r"(?<=\w)[\s_-]+(?=\w)|\s+"
    return re.sub(gap, "", name.casefold())


def _one_slip(one: str, other: str) -> bool:
    """Whether one letter too many, too few, or another turns one name into the other; figures are never slips."""
    one, other = sorted((one.casefold(), other.casefold()), key=len)
    if len(one) < _TYPO_LENGTH or len(other) - len(one) > 1 or one == other:
        return False
    at = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    rest = one[at:] == other[at + 1 :] if len(one) < len(other) else one[at + 1 :] == other[at + 1 :]
    return rest and not re.search(r"\d", one[at : at + 1] + other[at : at + 1])


def _sizes(items: Items, rows: np.ndarray) -> Iterator[Finding]:
    present = np.flatnonzero(rows)
    different = np.array([len(np.unique(items.contents[items.codes == at])) for at in present])
    for low, high, severity, kind in ((0, FEW, "error", "tiny_classes"), (FEW, SMALL, "warning", "small_classes")):
        few = present[(different >= low) & (different < high)]
        if not len(few):
            continue
        title = f"{count(len(few), 'class has', 'classes have')} fewer than {high} different rows"
        remedy = "Add rows, merge the classes into others, or leave them out by the decision."
        at = np.flatnonzero(np.isin(items.codes, few))
        examples = [
            Example(None, "", items.names[one], f"{count(rows[one], 'row', 'rows')}, {number:,} different")
            for one, number in zip(few[:EXAMPLES], different[np.isin(present, few)], strict=False)
        ]
        can_go = len(present) - len(few) >= 2
        decision = Curation(exclude=dict.fromkeys(items.ids(at), f"of a class of fewer than {high} rows"))
        yield Finding(kind, severity, title, len(few), remedy, examples, decision if can_go else None)
    most, least = present[rows[present].argmax()], present[rows[present].argmin()]
    if rows[most] >= TIMES * rows[least]:
        times = rows[most] / rows[least]
        share = rows[most] / rows.sum()
        title = f"{items.names[most]!r} has {times:.0f} times as many rows as {items.names[least]!r}"
        remedy = (
            f"Always answering {items.names[most]!r} would be right for {share:.0%} of the rows: judge by macro F1, "
            "not by accuracy, add rows of the rare classes, and try --class_weights balanced in training."
        )
        order = present[np.argsort(rows[present], kind="stable")]
        shown = dict.fromkeys([*order[: EXAMPLES - 1].tolist(), int(most)])
        examples = [Example(None, "", items.names[at], f"{rows[at]:,} rows") for at in shown]
        yield Finding("imbalance", "warning", title, int(rows[most]), remedy, examples)
