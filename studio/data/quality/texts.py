"""Texts that a model can make little of: without words, damaged, too long, in another writing than the rest."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import cache

import numpy as np
from ftfy.badness import is_bad

from studio.data import alike
from studio.data.quality import languages, shortcuts
from studio.data.quality.items import Finding, Items, count

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\x80-\x84\x86-\x9f]")  # not tabs, line ends and page ends
_LOST = "\ufffd"  # stands where a character could not be read
_PIECE = re.compile(r"[^\W_]+|[^\w\s]|_")
_PIECE_LETTERS = 7  # of a word that is one piece of a vocabulary; every so many more are another
_LONG_SHARE = 0.01  # of cut texts from which on they are worth a word
_MANY_LONG = 0.1
_MAIN = 0.8  # share of the texts in one writing or language from which on the others stand out
_TOLD = 20  # texts whose language shows, at least


def check(items: Items, max_seq_length: int) -> Iterator[Finding]:
    """Findings about single texts, and about those that differ from the rest."""
    texts = list(alike.texts(items.rows))
    yield from _wordless(items, texts)
    yield from _damaged(items, texts)
    yield from _long(items, texts, max_seq_length)
    yield from _other_script(items, texts)
    yield from _other_language(items, texts)
    lengths = np.array([(len(text), len(text.split())) for text in texts])
    yield from shortcuts.check(items, {"The length of the text": lengths})


def _wordless(items: Items, texts: list[str]) -> Iterator[Finding]:
    at = [number for number, text in enumerate(texts) if not _says_something(text)]
    if at:
        title = f"{count(len(at), 'text has', 'texts have')} neither letters nor digits nor symbols"
        yield items.finding(
            "no_words", "warning", title, at, "Leave them out by the decision.", exclude="holds no word"
        )


def _damaged(items: Items, texts: list[str]) -> Iterator[Finding]:
    control = [at for at, text in enumerate(texts) if _CONTROL.search(text)]
    if control:
        title = f"{count(len(control), 'text holds', 'texts hold')} control characters"
        remedy = "They come from binary data or a wrong export: clean them at the source."
        remarks = (
            ", ".join(sorted({f"U+{ord(found):04X}" for found in _CONTROL.findall(texts[at])})) for at in control
        )
        yield items.finding(
            "control_characters", "warning", title, control, remedy, remarks=_first(remarks),
            exclude="holds control characters",
        )  # fmt: skip
    damaged = [at for at, text in enumerate(texts) if _LOST in text or (not text.isascii() and is_bad(text))]
    if damaged:
        lost = sum(_LOST in texts[at] for at in damaged)
        title = f"{count(len(damaged), 'text was', 'texts were')} read in a wrong encoding once, such as Ã© for é"
        remedy = "Export them anew as UTF-8; what has become \ufffd is lost." if lost else "Export them anew as UTF-8."
        remarks = (_around(texts[at]) for at in damaged)
        yield items.finding(
            "damaged_text", "warning", title, damaged, remedy, remarks=_first(remarks), exclude="damaged encoding"
        )


def _long(items: Items, texts: list[str], max_seq_length: int) -> Iterator[Finding]:
    pieces = np.array([estimated_pieces(text) for text in texts])
    at = np.flatnonzero(pieces > max_seq_length)
    if len(at) < _LONG_SHARE * len(texts):
        return
    share = len(at) / len(texts)
    title = f"{share:.0%} of the texts are longer than about {max_seq_length} tokens"
    fits = int(np.percentile(pieces, 99)) // 32 * 32 + 32
    remedy = f"--max_seq_length {fits} would hold 99 % of them, if the model takes so many."
    order = at[np.argsort(-pieces[at], kind="stable")]
    remarks = [f"about {pieces[one]:,} tokens" for one in order[:5]]
    yield items.finding(
        "long_texts", "warning" if share > _MANY_LONG else "note", title, order, remedy, remarks=remarks
    )


def estimated_pieces(text: str) -> int:
    """About how many tokens a word-piece vocabulary makes of a text, with the two that mark its ends."""
    return 2 + sum(1 + (len(piece) - 1) // _PIECE_LETTERS for piece in _PIECE.findall(text))


def _other_script(items: Items, texts: list[str]) -> Iterator[Finding]:
    found = [_script(text) for text in texts]
    main, _ = _main(found)
    at = [number for number, script in enumerate(found) if script not in (None, main)]
    if main and at:
        names = [found[one].capitalize() for one in at]
        yield _foreign(items, "other_script", at, names, f"in other letters than the rest, {main.capitalize()}")


def _other_language(items: Items, texts: list[str]) -> Iterator[Finding]:
    counts = [languages.function_words(text) for text in texts]
    found = [languages.clear(one) for one in counts]
    main, told = _main(found)
    if main is None or told < _TOLD:
        return
    at = [number for number, language in enumerate(found) if language not in (None, main)]
    if at:
        names = [languages.NAMES[found[one]] for one in at]
        what = f"in another language than the rest, {languages.NAMES[main]}"
        yield _foreign(items, "other_language", at, names, what)


def _foreign(items: Items, kind: str, at: list[int], names: list[str], what: str) -> Finding:
    title = f"{count(len(at), 'text is', 'texts are')} {what}"
    remedy = "Leave them out, or choose a multilingual model."
    return items.finding(kind, "warning", title, at, remedy, remarks=names[:5], exclude=f"{what}")


def _main(found: list[str | None]) -> tuple[str | None, int]:
    """What most have in common, None where too few do; and of how many texts something is known."""
    known = Counter(one for one in found if one is not None)
    if not known:
        return None, 0
    main, most = known.most_common(1)[0]
    return (main if most >= _MAIN * known.total() else None), known.total()


def _script(text: str) -> str | None:
    """The writing of most letters of a text, by Unicode's names; None where there are hardly any letters."""
    if text.isascii():
        return "LATIN" if sum(map(str.isalpha, text)) > 2 else None
    scripts = Counter(_script_of(letter) for letter in text if letter.isalpha())
    return scripts.most_common(1)[0][0] if scripts.total() > 2 else None


@cache
def _script_of(letter: str) -> str:
    name = unicodedata.name(letter, "UNKNOWN").split()[0]
    joined = {"CJK": "CHINESE OR JAPANESE", "HIRAGANA": "CHINESE OR JAPANESE", "KATAKANA": "CHINESE OR JAPANESE"}
    return joined.get(name, "LATIN" if name in ("FULLWIDTH", "FEMININE", "MASCULINE", "MICRO") else name)


def _says_something(text: str) -> bool:
    return any(character.isalnum() or unicodedata.category(character) == "So" for character in text)


def _around(text: str) -> str:
    """The words of a text that look damaged."""
    words = [word for word in text.split() if _LOST in word or (not word.isascii() and is_bad(word))]
    return " ".join(words[:3])


def _first(remarks: Iterator[str]) -> list[str]:
    return [remark for remark, _ in zip(remarks, range(5), strict=False)]
