"""What stands several times: with one label or several, in one split or across two, the same or nearly."""

from collections.abc import Iterator

import numpy as np

from studio.data import alike
from studio.data.quality.items import Finding, Items, count
from studio.data.sources import SPLITS

_NAMES = ("training", "validation", "test")
_FEW = 0.01  # share of repeated rows that changes little
_MANY = 0.2  # share of near duplicates that is the nature of a set: digits, forms, templates


def check(items: Items, quick: bool) -> Iterator[Finding]:
    """Findings about equal contents; about nearly equal ones too unless pictures are to be checked in haste."""
    kind = "pictures" if items.is_image else "texts"
    _, content = np.unique(items.contents, return_inverse=True)
    yield from _conflicts(items, content, kind)
    yield from _same(items, content, kind)
    yield from _leaks(items, content, "leak", "error", f"{kind} that stand in")
    if quick and items.is_image:
        return
    near, crowded = _near(items, content)
    yield from _nearly(items, content, near, kind, crowded)
    across = np.where(_spread_over(near, items.split) & ~_spread_over(content, items.split), near, -1)
    yield from _leaks(items, across, "near_leak", "warning", f"{kind} that are nearly the same as some of")


def _conflicts(items: Items, content: np.ndarray, kind: str) -> Iterator[Finding]:
    """Contents with different labels; the rows against the majority can be left out, all where there is none."""
    torn = np.flatnonzero(_spread_over(content, items.codes))
    if not len(torn):
        return
    torn = torn[np.argsort(content[torn], kind="stable")]
    against = np.concatenate([_against_majority(items, at) for at in _groups(content, torn)])
    title = f"{count(len(np.unique(content[torn])), 'content stands', 'contents stand')} there with different labels"
    remedy = f"Settle which label is right; the decision leaves out {kind} that no majority of labels speaks for."
    yield items.finding(
        "conflicting_labels", "error", title, torn, remedy, exclude="same content, another label", excluded=against
    )


def _against_majority(items: Items, at: np.ndarray) -> np.ndarray:
    codes, counts = np.unique(items.codes[at], return_counts=True)
    majority = codes[counts > len(at) / 2]
    return at[~np.isin(items.codes[at], majority)]


def _same(items: Items, content: np.ndarray, kind: str) -> Iterator[Finding]:
    """Rows with the content, the label and the split of an earlier one."""
    key = np.stack([content, items.codes, items.split])
    _, first, group = np.unique(key, axis=1, return_index=True, return_inverse=True)
    later = np.flatnonzero(first[group.reshape(-1)] != np.arange(len(items)))
    if not len(later):
        return
    title = f"{count(len(later), 'row repeats', 'rows repeat')} the content and label of an earlier one"
    remedy = "The studio keeps them in one split. The decision leaves the later ones out."
    remarks = [f"as {items.short_place(at)}" for at in first[group.reshape(-1)][later][:5]]
    severity = "warning" if len(later) > _FEW * len(items) else "note"
    yield items.finding("duplicates", severity, title, later, remedy, remarks=remarks, exclude="repeats an earlier row")


def _leaks(items: Items, group: np.ndarray, kind: str, severity: str, what: str) -> Iterator[Finding]:
    """Rows of an earlier split whose group a later split has as well; a group of -1 is none."""
    for late in (2, 1):
        for early in range(late):
            here, there = (np.flatnonzero((items.split == split) & (group >= 0)) for split in (early, late))
            shared = here[np.isin(group[here], group[there])]
            if not len(shared):
                continue
            reached = np.count_nonzero(np.isin(group[there], group[here]))
            title = f"{count(reached, f'{SPLITS[late]} row', f'{SPLITS[late]} rows')}: {what} the {_NAMES[early]} rows"
            remedy = (
                f"Leave the {_NAMES[early]} rows out by the decision or by "
                f"--drop_overlap{' with --near_duplicates' if kind == 'near_leak' else ''}."
            )
            yield items.finding(kind, severity, title, shared, remedy, exclude=f"stands in the {_NAMES[late]} rows too")


def _near(items: Items, content: np.ndarray) -> tuple[np.ndarray, int]:
    """(rows,) the same for rows that are linked by near equality; and how many texts may have been missed."""
    usable = np.flatnonzero(items.usable)
    first = usable[np.unique(content[usable], return_index=True)[1]]
    if items.hashes is None:
        links, crowded = alike.near_pairs(items.rows.select(first))
    else:  # of pictures that have been decoded already
        links, crowded = alike.near_pictures(items.hashes[first]), 0
    tied = alike.tie(items.contents, [first[links]])
    return np.unique(tied, return_inverse=True)[1], crowded


def _nearly(items: Items, content: np.ndarray, near: np.ndarray, kind: str, crowded: int) -> Iterator[Finding]:
    """Rows that are nearly, and not wholly, the same as an earlier one of their split."""
    _, first = np.unique(np.stack([near, items.split]), axis=1, return_index=True)
    earliest = np.full((near.max() + 1, len(SPLITS)), -1)
    earliest[near[first], items.split[first]] = first
    model = earliest[near, items.split]
    later = np.flatnonzero(content[model] != content)
    later = later[np.unique(content[later], return_index=True)[1]]  # each content once
    later.sort()
    if not len(later):
        return
    differing = np.count_nonzero(items.codes[later] != items.codes[model[later]])
    title = f"{count(len(later), f'of the {kind} is', f'of the {kind} are')} nearly the same as an earlier one"
    title += f", {differing:,} with another label" if differing else ""
    remedy = "--near_duplicates keeps them in one split, so that no test row is nearly a training row."
    if crowded:
        remedy += f" Of {crowded:,} texts of common words some near duplicates may have been missed."
    common = len(later) > _MANY * len(items)
    remedy += (
        " So many are the nature of these data, perhaps." if common else " The decision leaves the later ones out."
    )
    same_label = later[items.codes[later] == items.codes[model[later]]]
    remarks = [f"{items.label(at)}; near {items.short_place(model[at])} ({items.label(model[at])})" for at in later[:5]]
    exclude = None if common else "nearly repeats an earlier row"
    yield items.finding(
        "near_duplicates", "note" if common else "warning", title, later, remedy,
        remarks=remarks, exclude=exclude, excluded=same_label,
    )  # fmt: skip


def _spread_over(group: np.ndarray, values: np.ndarray) -> np.ndarray:
    """For each row, whether its group has more than one value."""
    lowest, highest = np.full(group.max() + 1, values.max()), np.zeros(group.max() + 1, values.dtype)
    np.minimum.at(lowest, group, values)
    np.maximum.at(highest, group, values)
    return (lowest != highest)[group]


def _groups(group: np.ndarray, at: np.ndarray) -> list[np.ndarray]:
    """Positions, sorted by group, as one array for each group."""
    return np.split(at, np.flatnonzero(np.diff(group[at])) + 1)
