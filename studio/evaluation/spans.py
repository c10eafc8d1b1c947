"""Scores of tokens become scores of words, each with its place in the text."""

import unicodedata
from collections.abc import Sequence

from studio.evaluation.explanation import Word

_INSIDE = "'’"  # a word, as in don't
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")  # no spaces part their words

Span = tuple[int, int, int]  # part, start, end


def words(texts: Sequence[str], spans: Sequence[Span | None], scores: Sequence[float]) -> list[Word]:
    """The words of `texts` (one, or two of a pair) with the sum of the scores of their tokens, in order.

    `spans` tells where each token stands in the texts, None of one that stands for no text; its score is left out.
    Tokens that touch belong to one word where letters or digits meet; in scripts without spaces each is a word.
    """
    found: list[Word] = []
    blank = 0.0  # the score of line ends and the like, which goes to the word that follows
    for span, score in zip(spans, scores, strict=True):
        if span is None:
            continue
        part, start, end = span
        text = texts[part][start:end]
        start, end = start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())
        if start >= end:
            blank += score
            continue
        if found and found[-1].part == part and _joined(texts[part], found[-1].end, start):
            before = found.pop()
            start, end, score = before.start, max(before.end, end), before.score + score
        found.append(Word(texts[part][start:end], start, end, part, score + blank))
        blank = 0.0
    if blank and found:
        last = found.pop()
        found.append(Word(last.text, last.start, last.end, last.part, last.score + blank))
    return found


def _joined(text: str, end: int, start: int) -> bool:
    """Whether a token that begins at `start` goes on with the word that ends at `end`."""
    if start < end:  # several tokens of one character
        return True
    return start == end and _of_a_word(text[end - 1]) and _of_a_word(text[start])


def _of_a_word(character: str) -> bool:
    if character in _INSIDE:
        return True
    is_one = unicodedata.category(character)[0] in "LMN"  # letters, marks on them, digits
    return is_one and not unicodedata.name(character, "").startswith(_UNSPACED)
