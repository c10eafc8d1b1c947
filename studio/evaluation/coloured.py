"""Explanations as people see them: texts with coloured words, pictures with a layer of orange, a sentence to both."""

import base64
import html
from collections.abc import Iterator, Sequence

from studio.evaluation.explanation import Explanation, TextExplanation, Word

# Orange and blue (after Okabe and Ito 2008) differ for every kind of eye; the line below a word tells the two apart
# without any colour. On white and on the dark page the text above them keeps a contrast of 4.5:1.
_FOR, _AGAINST = "217,101,11", "62,126,203"
_STRONGEST = 0.55  # of a colour
_FAINTEST = 0.05  # of the strongest score; what moved the model less is left as it is
_NAMED = 3  # words in a sentence
STYLE = """
div.explained { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.8; }
div.explained mark { color: inherit; padding: 0 1px; }
div.explained img { display: inline-block; width: min(240px, 40vw); max-width: none; height: auto; margin: 0 8px 0 0;
  vertical-align: top; }
"""


def shown(found: Explanation, texts: Sequence[str] = (), longest: int | None = None) -> str:
    """HTML that shows an explanation and nothing else: no script, no address; STYLE belongs to it.

    `texts` are the text it is about, or the two of a pair, of which no more than `longest` characters are shown.
    """
    if isinstance(found, TextExplanation):
        coloured = "\n\n".join(_coloured(text, found.words, part, longest) for part, text in enumerate(texts))
        return f'<div class="explained">{coloured}</div>'
    pictures = ((found.picture, "jpeg", "The picture"), (found.overlay, "png", f"What counted for {found.label}"))
    drawn = "".join(
        f'<img alt="{escaped(told)}" src="data:image/{kind};base64,{base64.b64encode(content).decode()}">'
        for content, kind, told in pictures
    )
    return f'<div class="explained">{drawn}</div>'


def sentences(found: Explanation) -> Iterator[str]:
    """What an explanation means and does not mean, for people."""
    nothing = not isinstance(found, TextExplanation) and not any(map(any, found.grid))
    if nothing:
        yield f"No part of the picture speaks for '{found.label}' more than another."
        return
    yield meaning(found, f"'{found.label}'")
    if isinstance(found, TextExplanation):
        yield from filter(None, (_strongest(found.words, 1, "towards it"), _strongest(found.words, -1, "away from it")))
        if found.cut:
            yield "The text is longer than the model reads; what follows the last coloured word played no part."
        if not found.complete:
            yield (
                f"The scores are rough: they miss {abs(found.delta):.2f} of the {abs(found.difference):.2f} by which "
                "the words moved the logit."
            )
    elif found.seen != (0, 0, 1, 1):
        yield "What is dark at the edges was cut off before the model saw the picture."


def meaning(found: Explanation, label: str) -> str:
    """How to read an explanation of a label, and what not to read out of it."""
    if isinstance(found, TextExplanation):
        return (
            f"Orange words (a solid line below) moved the model towards {label}, blue ones (a dashed line) away from "
            "it: what it went by, not whether that is right."
        )
    return (
        f"The stronger the orange, the more that part of the picture counted for {label}: roughly where the model "
        "looked, not what it saw there nor whether it is right."
    )


def escaped(words: str) -> str:
    """Anybody's words inside HTML; what turns writing round would turn the rest of the line round as well."""
    return html.escape(words.translate(dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))))


def _coloured(text: str, words: list[Word], part: int, longest: int | None) -> str:
    end = len(text) if longest is None else longest
    most = max((abs(word.score) for word in words), default=0) or 1
    pieces, at = [], 0
    for word in words:
        share = abs(word.score) / most
        if word.part == part and word.end <= end and share >= _FAINTEST:
            pieces += [escaped(text[at : word.start]), _word(text[word.start : word.end], word.score, share)]
            at = word.end
    return "".join([*pieces, escaped(text[at:end]), "…" if end < len(text) else ""])


def _word(text: str, score: float, share: float) -> str:
    colour, line = (_FOR, "solid") if score > 0 else (_AGAINST, "dashed")
    style = f"background:rgba({colour},{_STRONGEST * share:.2f});border-bottom:2px {line} rgb({colour})"
    return f'<mark style="{style}" title="{score:+.2f}">{escaped(text)}</mark>'


def _strongest(words: list[Word], sign: int, whither: str) -> str:
    """The words that moved most towards the label, or away from it; each once, by the sum of its scores."""
    sums: dict[str, float] = {}
    for word in words:
        sums[word.text] = sums.get(word.text, 0) + sign * word.score
    least = _FAINTEST * max(map(abs, sums.values()), default=0)
    best = [f"'{text}'" for text in sorted(sums, key=sums.get, reverse=True)[:_NAMED] if sums[text] > least]
    return f"Most {whither}: {', '.join(best)}." if best else ""
