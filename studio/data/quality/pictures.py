"""Pictures that cannot be read or differ from the rest: small, narrow, blank, flat, dark, bright, blurred."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from rich.progress import Progress

from studio.data.alike import picture_hash
from studio.data.decode import UnreadablePicture, decode, header
from studio.data.quality import shortcuts
from studio.data.quality.items import Finding, Items, count
from studio.data.readable import BLANK, each

_LOOKED_AT = 256  # pixels of the shorter side, about what models see
_SMALL = 32  # pixels; less than that has no details
_SMALL_PART = 4  # of the usual size: such a picture is mostly made up when it is enlarged
_NARROW = 4  # times as long as wide, where the usual ones are not
_ODD_MODES = {"CMYK": "colours for print", "YCbCr": "colours of video", "LAB": "measured colours"}
_ODD_MODES |= dict.fromkeys(("I", "I;16", "I;16B", "I;16L", "F"), "more than 8 bits")
_DARK = 64  # levels of 256 below which nearly all of a dark picture stays
_BRIGHT = 224  # and above which nearly all of a washed-out one is
_BLURRED = 0.06  # contrast from one pixel to the next, as a share of the contrast of the whole
_FLAT = 0.75  # of the pixels in one of 16 x 16 x 16 colours, in a drawing or a placeholder
_ODD_ONES = 0.1  # share of all pictures up to which those that look odd are; more are the nature of the set


class Look(NamedTuple):
    """What one picture is like; `complaint` says why it cannot be read, and then all else is 0."""

    complaint: str | None
    width: int = 0
    height: int = 0
    format: str = ""
    mode: str = ""
    transparent: bool = False
    size_bytes: int = 0
    contrast: int = 255  # levels between the darkest and the brightest, of the colour in which they differ most
    dark_end: int = 0  # level below which one pixel in 200 is
    bright_end: int = 255
    sharpness: float = 1.0
    flatness: float = 0.0  # share of the commonest colour
    hash: int = 0  # by alike.picture_hash


def check(items: Items, quick: bool, bar: Progress) -> Iterator[Finding]:
    """Findings about single pictures and what tells their classes; without decoding them when `quick`.

    Marks the pictures that cannot be read as not usable, and keeps the hashes of those that were decoded.

    Raises:
        KeyboardInterrupt: it was asked to end; the findings before it are about the pictures looked at.
    """
    looks: list[Look] = []
    stopped = False
    try:
        for one in each(items.rows, look_quickly if quick else look, bar):
            looks.append(one)
    except KeyboardInterrupt:
        stopped = True
    items.usable[len(looks) :] = False
    items.usable[: len(looks)] = [look.complaint is None for look in looks]
    if not (quick or stopped):
        items.hashes = np.array([look.hash for look in looks], np.uint64)
    at = np.flatnonzero(items.usable)
    yield from _unreadable(items, looks)
    if len(at):
        yield from _odd(items, at, [looks[one] for one in at], quick)
    if stopped:
        raise KeyboardInterrupt
    if len(at):
        yield from shortcuts.check(items, _features(items, looks))


def look_quickly(picture: dict, row_id: str) -> Look:
    """What the header of a picture file says."""
    try:
        found = header(picture)
        return Look(None, *found, _size_bytes(picture))
    except UnreadablePicture as error:
        return Look(str(error))


def look(picture: dict, row_id: str) -> Look:
    """What the header and the pixels say."""
    try:
        image = decode(picture, _LOOKED_AT)
    except UnreadablePicture as error:
        return Look(str(error))
    contrast = max(high - low for low, high in image.getextrema())
    factor = min(image.size) / _LOOKED_AT
    if factor > 1:
        image = image.resize((round(image.width / factor), round(image.height / factor)), Image.Resampling.BOX)
    colours = np.asarray(image)
    grey = image.convert("L")
    dark_end, bright_end = _levels(np.array(grey.histogram()), (0.005, 0.995))
    return look_quickly(picture, row_id)._replace(
        contrast=contrast,
        dark_end=dark_end,
        bright_end=bright_end,
        sharpness=_sharpness(np.asarray(grey, np.int16)),
        flatness=_flatness(colours),
        hash=picture_hash(grey),
    )


def _sharpness(grey: np.ndarray) -> float:
    """How much of the contrast is between neighbours; lines, noise and grain have much, a blurred picture has none.

    The strongest hundredth of the differences counts: a photo is sharp when its subject is, whatever the background.
    """
    spread = float(grey.std())
    if min(grey.shape) < 3 or spread < 1:
        return 1.0
    curvature = np.abs(4 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:])
    return _levels(np.bincount(curvature.ravel()), (0.99,))[0] / 4 / spread


def _levels(counts: np.ndarray, shares: tuple[float, ...]) -> list[int]:
    """The levels up to which these shares of all values are; counts: (levels,) how often each occurs."""
    upto = np.cumsum(counts)
    return np.searchsorted(upto, np.multiply(shares, upto[-1])).tolist()


def _flatness(colours: np.ndarray) -> float:
    red, green, blue = (colours >> 4).astype(np.uint16).transpose(2, 0, 1)
    coarse = (red << 8) | (green << 4) | blue
    return np.bincount(coarse.ravel()).max() / coarse.size


def _unreadable(items: Items, looks: list[Look]) -> Iterator[Finding]:
    bad = [at for at, look in enumerate(looks) if look.complaint]
    if bad:
        title = f"{count(len(bad), 'picture', 'pictures')} cannot be read"
        remedy = "They are left out in training if they are few; mend or remove the files, or take the decision."
        remarks = [looks[at].complaint for at in bad[:5]]
        yield items.finding(
            "unreadable", "error", title, bad, remedy, remarks=remarks, exclude="a picture that cannot be read"
        )


def _odd(items: Items, at: np.ndarray, looks: list[Look], quick: bool) -> Iterator[Finding]:
    """Findings about pictures that can be read; `looks` are those at the positions `at`."""
    short = np.array([min(look.width, look.height) for look in looks])
    long = np.array([max(look.width, look.height) for look in looks])

    def found(kind, severity, which, title, remedy, remark, exclude=None, rare=True):
        which = np.flatnonzero(which)
        if len(which) and not (rare and len(which) > max(1, _ODD_ONES * len(at))):
            remarks = [remark(looks[one]) for one in which[:5]]
            told = title.format(count(len(which), "picture is", "pictures are"))
            yield items.finding(kind, severity, told, at[which], remedy, remarks=remarks, exclude=exclude)

    usual = np.median(short)
    tiny = (short < usual / _SMALL_PART) | ((short < _SMALL) & (usual >= 2 * _SMALL))
    size = "{0.width} x {0.height}".format
    yield from found(
        "too_small", "warning", tiny, f"{{}} far smaller than the others, whose shorter side is {usual:.0f} pixels",
        "Find larger copies, or leave them out.", size, "far smaller than the others",
    )  # fmt: skip
    narrow = (long > _NARROW * short) & (np.median(long / short) < _NARROW / 2)
    yield from found(
        "narrow", "warning", narrow, f"{{}} more than {_NARROW} times as long as wide, unlike the others",
        "Most of such a picture is cut off or squeezed: cut it yourself, or leave it out.",
        size, "too narrow",
    )  # fmt: skip
    modes = np.array([bool(look.mode in _ODD_MODES or look.transparent) for look in looks])
    yield from found(
        "odd_modes", "note", modes, "{} kept with transparency, or in colours other than red, green and blue",
        "They are read as RGB on white; look whether they come out as they should.",
        lambda look: f"{look.format} {look.mode}: {_ODD_MODES.get(look.mode, 'transparency')}", rare=False,
    )  # fmt: skip
    if quick:
        return
    contrast, dark, bright, sharpness, flatness = (
        np.array([getattr(look, name) for look in looks])
        for name in ("contrast", "dark_end", "bright_end", "sharpness", "flatness")
    )
    blank = contrast < BLANK
    yield from found(
        "blank", "warning", blank, "{} blank, of one colour all over", "Leave them out.",
        size, "a blank picture", rare=False,
    )  # fmt: skip
    drawings = np.median(flatness) > _FLAT  # thin lines leave nearly all of a page white: look at the lines
    low, high = (255 - contrast, contrast) if drawings else (dark, bright)
    flat = ~blank & (flatness > max(_FLAT, 2 * np.percentile(flatness, 90)))
    yield from found(
        "flat", "warning", flat, "{} mostly of one colour, unlike the others: a drawing or a placeholder, perhaps",
        "Look at them; a placeholder such as 'image not available' is to be left out.",
        lambda look: f"one colour over {look.flatness:.0%}", "mostly of one colour, unlike the others",
    )  # fmt: skip
    yield from found(
        "dark", "warning", ~blank & ~flat & (bright < _DARK) & (high < _DARK), "{} so dark that little shows",
        "Lighten them at the source, or leave them out.",
        lambda look: f"nearly all of it is darker than level {look.bright_end:.0f} of 255", "too dark",
    )  # fmt: skip
    yield from found(
        "bright", "warning", ~blank & ~flat & (dark > _BRIGHT) & (low > _BRIGHT), "{} so bright that little shows",
        "Darken them at the source, or leave them out.",
        lambda look: f"nearly all of it is brighter than level {look.dark_end:.0f} of 255", "too bright",
    )  # fmt: skip
    yield from found(
        "blurry", "warning", ~blank & ~flat & (sharpness < _BLURRED), "{} blurred",
        "Find sharp ones, or leave them out.",
        lambda look: f"sharpness {look.sharpness:.2f}, usually {np.median(sharpness):.2f}", "blurred",
    )  # fmt: skip


def _features(items: Items, looks: list[Look]) -> dict[str, np.ndarray]:
    """What should not tell the class: sizes, formats, colours as stored, folders that classes share."""
    names = {
        "The picture's size": np.array([(look.width, look.height) for look in looks]),
        "The size of the file": np.array([look.size_bytes for look in looks]),
        "The format of the file": _numbers([look.format for look in looks]),
        "The way colours are stored": _numbers([look.mode for look in looks]),
    }
    folders = [_folder(items, at) for at in range(len(items))] if items.labels.ndim == 1 else []
    shared = {folder for folder, classes in Counter(_pairs(folders, items.codes)).items() if classes > 1}
    if len(shared) > 1:
        names["The folder of the file"] = _numbers([folder if folder in shared else "" for folder in folders])
    return names


def _pairs(folders: list[str], codes: np.ndarray) -> list[str]:
    """Each folder once for every class that has pictures in it."""
    return [folder for folder, _ in set(zip(folders, codes.tolist(), strict=True))]


def _folder(items: Items, at: int) -> str:
    """Where a picture lies, without the folder that is its label."""
    path = items.rows[at]["image"]["path"]
    return "/".join(part for part in Path(path).parent.parts if part != items.label(at)) if path else ""


def _numbers(words: list[str]) -> np.ndarray:
    return np.unique(words, return_inverse=True)[1]


def _size_bytes(picture: dict) -> int:
    return os.path.getsize(picture["path"]) if picture["bytes"] is None else len(picture["bytes"])
