"""The language of a text by its commonest little words: rough, and silent where it is not sure."""

import re

# Words that are frequent in one of these languages, without those that are words of English too.
_WORDS = {
    "en": "the and of is was with that this it for you are have not they his her but from what would there which to be "
    "by or we if my been has had who when can will",
    "de": "der und das ist nicht ein eine mit auf den dem sich auch von für wird sind wie aber nur wir ich haben",
    "fr": "le les et est une dans pas que qui sur avec ce cette mais nous vous ont sont très été aux leur je du",
    "es": "el los las una es por del se lo como más pero sus muy también fue hay este esta está y yo",
    "it": "il gli della che di è sono una non anche più del nella questo questa ho alla dei delle degli nel",
    "pt": "os um uma não em para com da dos das mais foi são muito também ele ela isso você pelo na",
    "nl": "het een van niet dat voor zijn aan ook maar bij naar wordt hij ze deze dit geen werd heeft wel",
    "sv": "och att det som är på för av med inte jag ett om från vi så han hon eller också",
    "pl": "się nie jest na że jak co za już po od przez dla czy był są tego może tylko ich",
    "tr": "ve bir bu için çok daha olarak gibi ama kadar olan değil sonra ancak şey beni onun",
}
NAMES = {
    "en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian",
    "pt": "Portuguese", "nl": "Dutch", "sv": "Swedish", "pl": "Polish", "tr": "Turkish",
}  # fmt: skip
_LEAST = 3  # little words
_SHARE = 0.2  # of all words
_LEAD = 2  # times as many as in the next language
_LANGUAGES = {language: frozenset(words.split()) for language, words in _WORDS.items()}
_WORD = re.compile(r"[^\W\d_]+")


def function_words(text: str) -> dict[str, int]:
    """How many of a text's words are little words of each language; and under "" how many words there are."""
    words = _WORD.findall(text.casefold())
    counts = {language: sum(word in known for word in words) for language, known in _LANGUAGES.items()}
    return counts | {"": len(words)}


def clear(counts: dict[str, int]) -> str | None:
    """The language that the little words show; None where they are few or speak for several."""
    first, second = sorted(_LANGUAGES, key=counts.__getitem__, reverse=True)[:2]
    enough = counts[first] >= max(_LEAST, _SHARE * counts[""])
    return first if enough and counts[first] >= _LEAD * counts[second] else None
