"""Tokens become words that stand where the text has them, whatever the script, and no score is lost."""

import pytest

from studio.evaluation.spans import words


def found(text: str, tokens: list[str]) -> list[tuple[str, float]]:
    """The words of a text that was cut into such tokens, each with a score of 1."""
    spans, at = [None], 0
    for token in tokens:
        at = text.index(token, at)
        spans.append((0, at, at + len(token)))
        at += len(token)
    told = words([text], [*spans, None], [1.0] * (len(spans) + 1))
    assert all(text[word.start : word.end] == word.text for word in told)
    return [(word.text, word.score) for word in told]


@pytest.mark.parametrize(
    ("text", "tokens", "expected"),
    [
        ("unbelievable film.", ["un", "believ", "able", "film", "."], ["unbelievable", "film", "."]),
        ("I don't", ["I", "don", "'", "t"], ["I", "don't"]),
        ("well-made", ["well", "-", "made"], ["well", "-", "made"]),
        ("很好看", ["很", "好", "看"], ["很", "好", "看"]),
        ("ดีมาก", ["ดี", "มาก"], ["ดี", "มาก"]),
        ("हिन्दी है", ["हि", "न्दी", "है"], ["हिन्दी", "है"]),
        ("naïve café", ["na", "ïve", " café"], ["naïve", "café"]),
    ],
)
def test_tokens_are_joined_to_the_words_of_their_script(text, tokens, expected):
    assert [word for word, _ in found(text, tokens)] == expected
    assert sum(score for _, score in found(text, tokens)) == len(tokens)


def test_a_character_in_several_tokens_is_one_word():
    [word] = words(["🙂"], [(0, 0, 1), (0, 0, 1), (0, 0, 1)], [1.0, 2.0, 3.0])
    assert (word.text, word.score) == ("🙂", 6.0)


def test_the_score_of_a_line_end_goes_to_a_word_beside_it():
    told = words(["a\nb\n"], [(0, 0, 1), (0, 1, 2), (0, 2, 3), (0, 3, 4)], [1.0, 10.0, 2.0, 20.0])
    assert [(word.text, word.score) for word in told] == [("a", 1.0), ("b", 32.0)]


def test_words_of_a_pair_stay_apart():
    told = words(["good", "film"], [None, (0, 0, 4), None, (1, 0, 4), None], [9, 1.0, 9, 2.0, 9])
    assert [(word.text, word.part, word.start, word.score) for word in told] == [("good", 0, 0, 1.0), ("film", 1, 0, 2)]
