"""What an explanation of an answer says, as it goes through files and HTTP; needs no torch."""

import base64
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Word:
    """The characters `start` to `end` of a text, of the second of a pair where `part` is 1.

    `score` is by how much the word moved the logit of the label, up or down.
    """

    text: str
    start: int
    end: int
    part: int
    score: float


@dataclass(frozen=True)
class TextExplanation:
    """How each word of a text moved the logit of a label from where it stands while all words are hidden.

    `score` is the probability of the label. The scores of the words sum to `difference`, the whole way of the logit,
    but for `delta`, which `steps` of the sum left; it is small enough where it is `complete`. A text that is `cut` was
    longer than the model reads.
    """

    label: str
    score: float
    words: list[Word]
    difference: float
    delta: float
    steps: int
    complete: bool
    cut: bool

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True)
class PictureExplanation:
    """How much each part of a picture counted for a label: `grid` has rows of numbers from 0 to 1.

    `score` is the probability of the label. The grid covers what the network saw of the picture, `seen`: left, top,
    right, bottom as shares of its width and height. `picture` (JPEG) and `overlay` (PNG, the same with the grid
    over it) have the same size.
    """

    label: str
    score: float
    grid: list[list[float]]
    seen: tuple[float, float, float, float]
    picture: bytes
    overlay: bytes

    def told(self, drawn: bool = True) -> dict[str, Any]:
        """As JSON; both pictures in base64, or without them."""
        found = {"label": self.label, "score": self.score, "grid": self.grid, "seen": list(self.seen)}
        if not drawn:
            return found
        return found | {name: base64.b64encode(getattr(self, name)).decode() for name in ("picture", "overlay")}


Explanation = TextExplanation | PictureExplanation


def read(told: dict[str, Any]) -> Explanation:
    """What `told` gave."""
    if "words" in told:
        return TextExplanation(**told | {"words": [Word(**word) for word in told["words"]]})
    pictures = {name: base64.b64decode(told[name]) for name in ("picture", "overlay")}
    return PictureExplanation(**told | {"seen": tuple(told["seen"])} | pictures)
