"""Explanations of texts and pictures: of any label, of what was learned and not of the input alone."""

import io
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from transformers import BertForSequenceClassification

from studio.errors import RequestError
from studio.evaluation import coloured, explanation
from studio.evaluation.explain import explain
from studio.evaluation.randomised import randomised
from studio.predictor import Predictor
from tests.conftest import HOSTILE
from tests.evaluation.conftest import square

TEXT = "the film was quite awful and the day is so very long at the song"


def by_word(found) -> dict[str, float]:
    return {word.text: word.score for word in found.words}


def test_the_word_that_tells_the_class_has_moved_the_model_most(taught_texts):
    predictor = Predictor(taught_texts, device="cpu")
    for text, telling, label in ((TEXT, "awful", "negative"), (TEXT.replace("awful", "lovely"), "lovely", "positive")):
        found = explain(predictor, text)
        assert (found.label, found.score) == (label, predictor.predict([text])[0].score)
        scores = by_word(found)
        assert max(scores, key=scores.get) == telling
        assert scores[telling] > 0.5 * sum(map(abs, scores.values()))
        assert [word.text for word in found.words] == text.split()
        assert found.complete and not found.cut
        assert sum(word.score for word in found.words) - found.difference == pytest.approx(found.delta, abs=1e-6)


def test_any_label_can_be_asked_for(taught_texts, text_classifier):
    predictor = Predictor(taught_texts, device="cpu")
    found = explain(predictor, TEXT, "positive")
    assert by_word(found)["awful"] < 0 and found.difference < 0
    assert found.score == pytest.approx(1 - explain(predictor, TEXT).score, abs=1e-5)
    with pytest.raises(RequestError, match="no label 'splendid' to explain; it has negative, positive"):
        explain(predictor, TEXT, "splendid")


def several(folder: Path, to: Path) -> Path:
    """The same model, giving several labels."""
    shutil.copytree(folder, to)
    config = json.loads((to / "config.json").read_text()) | {"problem_type": "multi_label_classification"}
    (to / "config.json").write_text(json.dumps(config | {"threshold": 0.4}))
    return to


def test_a_model_of_several_labels_explains_each_of_them(text_classifier, tmp_path):
    predictor = Predictor(several(text_classifier, tmp_path / "several"), device="cpu")
    answer = predictor.predict([TEXT])[0]
    for label, score in answer.scores.items():
        found = explain(predictor, TEXT, label)
        assert (found.label, found.complete) == (label, True) and found.score == pytest.approx(score, abs=1e-5)
    assert explain(predictor, TEXT).label == answer.label


def test_a_pair_of_texts_is_explained_by_the_words_of_both(text_classifier, tmp_path):
    shutil.copytree(text_classifier, tmp_path / "pairs")
    config = json.loads((tmp_path / "pairs" / "config.json").read_text()) | {"text_pairs": True}
    (tmp_path / "pairs" / "config.json").write_text(json.dumps(config))
    predictor = Predictor(tmp_path / "pairs", device="cpu")
    for item in (("good film", "bad day"), {"text": "good film", "text_pair": "bad day"}):
        found = explain(predictor, item)
        assert [(word.part, word.text) for word in found.words] == [(0, "good"), (0, "film"), (1, "bad"), (1, "day")]
    with pytest.raises(RequestError, match="was trained on pairs of texts"):
        explain(predictor, "good film")


def test_what_the_model_does_not_read_is_not_explained(text_classifier, tmp_path):
    shutil.copytree(text_classifier, tmp_path / "short")
    file = tmp_path / "short" / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"model_max_length": 64}))
    found = explain(Predictor(tmp_path / "short", device="cpu"), "good film " * 100)
    assert found.cut and len(found.words) == 62
    assert any("longer than the model reads" in sentence for sentence in coloured.sentences(found))


def test_a_text_of_which_nothing_is_left_has_no_words(text_classifier):
    found = explain(Predictor(text_classifier, device="cpu"), " \n")
    assert found.words == [] and found.difference == pytest.approx(0, abs=1e-5) and found.complete
    assert coloured.shown(found, [" \n"]) and list(coloured.sentences(found))


def test_a_picture_is_explained_with_its_overlay(taught_pictures):
    predictor = Predictor(taught_pictures, device="cpu")
    content = io.BytesIO()
    square(1000, 0)[0].resize((64, 96)).save(content, "PNG")
    found = explain(predictor, content.getvalue())
    assert found.label == "red" and found.seen == (0, 0, 1, 1)
    assert max(map(max, found.grid)) == 1
    assert [Image.open(io.BytesIO(each)).size for each in (found.picture, found.overlay)] == [(320, 480)] * 2
    assert explain(predictor, content.getvalue(), "blue").grid != found.grid


def test_an_explanation_survives_the_way_through_json(taught_texts, taught_pictures):
    text = explain(Predictor(taught_texts, device="cpu"), TEXT)
    picture = explain(Predictor(taught_pictures, device="cpu"), square(1, 1)[0])
    for found in (text, picture):
        assert explanation.read(json.loads(json.dumps(found.told()))) == found
    assert picture.told(drawn=False).keys() == {"label", "score", "grid", "seen"}


def test_explanations_depend_on_what_was_learned(taught_texts, taught_pictures):
    for folder, item in ((taught_texts, TEXT), (taught_pictures, square(1001, 1)[0])):
        predictor = Predictor(folder, device="cpu")
        checked = randomised(predictor, item, explain(predictor, item))
        assert checked.passed and abs(checked.correlation) < 0.5 and len(checked.correlations) == 5
        assert checked.parts >= 15


def test_an_explanation_that_owes_nothing_to_training_fails_the_check(text_classifier):
    predictor = Predictor(text_classifier, device="cpu")

    class Untaught(BertForSequenceClassification):
        """Whoever makes it anew gets the same weights."""

        def __init__(self, config):
            super().__init__(config)
            self.load_state_dict(weights)

    weights = predictor.network.state_dict()
    predictor.network = Untaught(predictor.network.config).eval()
    checked = randomised(predictor, TEXT, explain(predictor, TEXT))
    assert checked.correlation == pytest.approx(1) and checked.passed is False


def test_the_check_leaves_the_model_as_it_was_and_needs_something_to_compare(taught_texts):
    predictor = Predictor(taught_texts, device="cpu")
    before = predictor.logits([TEXT])
    assert randomised(predictor, "awful", explain(predictor, "awful")).passed is None
    randomised(predictor, TEXT, explain(predictor, TEXT))
    assert (predictor.logits([TEXT]) == before).all()


def test_texts_and_labels_of_others_are_shown_and_do_nothing(text_classifier):
    text = f"good {HOSTILE} \u202e film"
    found = explain(Predictor(text_classifier, device="cpu"), text, HOSTILE)
    page = coloured.shown(found, [text])
    assert "<img" not in page and "&lt;" in page and "\u202e" not in page and "onerror" in page


def test_colours_say_which_way_and_a_line_says_it_without_them(taught_texts):
    found = explain(Predictor(taught_texts, device="cpu"), TEXT, "positive")
    page = coloured.shown(found, [TEXT])
    [awful] = [part for part in page.split("<mark")[1:] if ">awful<" in part]
    assert "dashed" in awful and "0.55" in awful  # the strongest, away from the label
    told = " ".join(coloured.sentences(found))
    assert "Most away from it: 'awful'" in told and "not whether that is right" in told
    assert coloured.shown(found, [TEXT], 8).count("…") == 1 and "awful" not in coloured.shown(found, [TEXT], 8)


def test_the_command_explains_a_text(taught_texts, tmp_path, program):
    output = tmp_path / "why.html"
    done = program("-m", "studio", "explain", taught_texts, TEXT, "--check", "--output", output)
    assert done.returncode == 0, done.stderr
    assert "negative" in done.stdout and "depends on what the model has learned" in done.stdout
    lines = [line for line in done.stdout.splitlines() if "awful" in line and "█" in line]
    assert lines and str(output) in done.stdout.replace("\n", "")
    page = output.read_text()
    assert ">awful</mark>" in page and "default-src 'none'" in page
    asked = program("-m", "studio", "explain", taught_texts, TEXT, "--label", "positive", "--json")
    told = json.loads(asked.stdout)
    assert told["label"] == "positive" and told["complete"] and "randomised_weights" not in told
    assert all(TEXT[word["start"] : word["end"]] == word["text"] for word in told["words"])


def test_the_command_explains_a_picture(taught_pictures, tmp_path, program):
    photo, output = tmp_path / "photo.png", tmp_path / "why.png"
    square(1002, 0)[0].save(photo)
    done = program("-m", "studio", "explain", taught_pictures, photo, "--output", output, "--check", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["label"] == "red" and told["randomised_weights"]["passed"] is True
    assert Image.open(output).size == (480, 480)
    shown = program("-m", "studio", "explain", taught_pictures, photo)
    assert "█" in shown.stdout and "roughly where" in shown.stdout, shown.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([TEXT, "--label", "splendid"], "no label 'splendid' to explain"),
        ([TEXT, "--output", "why.png"], "what explains a text is written as .html"),
        ([TEXT, "--output", "why.txt"], "must end in .html"),
        ([" "], "the input is empty"),
        ([TEXT, "--text_pair", "good"], "was trained on single texts"),
    ],
)
def test_the_command_refuses_in_words(taught_texts, program, arguments, message):
    done = program("-m", "studio", "explain", taught_texts, *arguments)
    assert done.returncode == 2 and message in " ".join(done.stderr.split()), done.stderr
