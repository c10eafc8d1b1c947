"""Texts that a model can make little of are found, and good ones are left alone."""

import pytest

from studio.data.quality.languages import clear, function_words
from studio.data.quality.texts import estimated_pieces
from tests.data.quality.planted import excerpts, found, good, sentences, table

ENGLISH = ["the dog that was here is not from this place", "you have the right to be with them and to see it"]
GERMAN = "der Hund ist nicht von hier und das wird sich auch nicht ändern"


def test_good_texts_give_no_finding(tmp_path):
    assert found(table(tmp_path / "t.csv", good())) == {}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("no_words", "?! ..."),
        ("control_characters", "a bell\x07 rang"),
        ("control_characters", "c\x9cur de la ville"),
        ("damaged_text", "le cafÃ© Ã©tait trÃ¨s bon"),
        ("damaged_text", "the caf\ufffd was good"),
        ("damaged_text", "itâ€™s a pity"),
        ("other_script", "это совсем другой язык"),
        ("other_script", "今天天气很好我们去公园吧"),
    ],
)
def test_a_bad_text_is_found_and_can_be_left_out(tmp_path, kind, text):
    findings = found(table(tmp_path / "t.csv", [*good(), (text, "a")]))
    assert findings[kind].count == 1 and findings[kind].examples[0].place == "t.csv, line 62"
    assert list(findings[kind].decision.exclude) == [findings[kind].examples[0].row]


@pytest.mark.parametrize(
    "text",
    [
        "CAFÉ «Élan» à l’œuvre…",
        "100 % “quoted” – and more",
        "so good 😀👍",
        "naïve façade, jalapeño, Zürich",
        "\ttabs\nlines\r\n",
    ],
)
def test_good_text_with_rare_characters_is_left_alone(tmp_path, text):
    findings = found(table(tmp_path / "t.csv", [*good(), (f"{text} baridk kesod", "a")]))
    assert not findings.keys() & {"no_words", "control_characters", "damaged_text", "other_script"}


def test_emoji_alone_say_something(tmp_path):
    assert "no_words" not in found(table(tmp_path / "t.csv", [*good(), ("😀😀", "a")]))


def test_a_text_in_another_language_is_found(tmp_path):
    rows = [(f"{ENGLISH[at % 2]} {text}", "ab"[at % 2]) for at, text in enumerate(sentences(60))]
    finding = found(table(tmp_path / "t.csv", [*rows, (GERMAN, "a")]))["other_language"]
    assert finding.count == 1 and finding.examples[0].remark == "German" and excerpts(finding) == [GERMAN]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "a joy to watch and especially to listen to , it is what you have been waiting for"),
        ("de", GERMAN),
        ("fr", "le parc des éoliennes de l'Érable est plus grand que les autres et il sera dans la région"),
        ("es", "los niños de la escuela también fueron a ver las obras que hay en el museo"),
        ("it", "il sindaco della città ha detto che una parte degli edifici non è sicura"),
        ("pt", "os alunos não foram para a escola e também não fizeram uma prova das mais difíceis"),
        ("nl", "het is niet dat wij van een ander zijn maar ook dat hij voor het werk wordt betaald"),
    ],
)
def test_languages_are_told_apart_by_their_little_words(language, text):
    assert clear(function_words(text)) == language


def test_texts_longer_than_the_model_reads_are_told_with_the_length_that_would_do(tmp_path):
    rows = good(60) + [(" ".join(sentences(6, seed)), "ab"[seed % 2]) for seed in range(1, 13)]
    finding = found(table(tmp_path / "t.csv", rows), max_seq_length=32)["long_texts"]
    assert finding.count == 12 and finding.title.startswith("17%") and "--max_seq_length 64" in finding.remedy
    assert "long_texts" not in found(tmp_path / "t.csv", max_seq_length=64)


def test_the_estimate_of_tokens_is_near_what_a_tokenizer_makes():
    from tokenizers import Tokenizer

    from studio import samples

    tokenizer = Tokenizer.from_file(str(samples.minilm() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    text = "A gorgeous, witty, seductive movie. It isn't the incomprehensible overindulgence that critics predicted! "
    for part in (text, text * 3, "Driverless cars will be on the road by 2020 (or so they say): #future"):
        true = len(tokenizer.encode(part).ids)
        assert estimated_pieces(part) == pytest.approx(true, rel=0.2)


def test_one_of_several_labels_told_by_the_length_of_the_texts_is_suspect(tmp_path):
    texts = sentences(120)
    rows = [
        (text if at % 2 else f"{text} {texts[at - 1]}", ["x", "x;y", "z", "z;y"][at % 4])
        for at, text in enumerate(texts)
    ]
    title = found(table(tmp_path / "t.csv", rows), label_delimiter=";")["shortcut"].title
    assert title.startswith("The length of the text alone tells whether a row has the label 'y' in 100%")
    even = [(text, ["x", "x;y", "z", "z;y"][at % 4]) for at, text in enumerate(texts)]
    assert "shortcut" not in found(table(tmp_path / "u.csv", even), label_delimiter=";")


def test_a_class_told_by_the_length_of_its_texts_is_suspect(tmp_path):
    texts = sentences(80)
    rows = [(text if at % 2 else f"{text} {texts[at - 1]}", "ab"[at % 2]) for at, text in enumerate(texts)]
    assert "length of the text" in found(table(tmp_path / "t.csv", rows))["shortcut"].title
