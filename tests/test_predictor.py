"""The Predictor answers as the model itself and transformers' pipeline do, and opens nothing that could run code."""

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import (
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertTokenizer,
    TimmWrapperConfig,
    TimmWrapperForImageClassification,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
    pipeline,
)
from typer.testing import CliRunner

from studio.cli import app
from studio.data.decode import decode
from studio.errors import RequestError, RunError
from studio.predictor import Predictor

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "song", "very", "not"]
TEXTS = ["good film", "very very bad", "song", "not a good song " * 20, "", "film " * 7]


@pytest.fixture(scope="module")
def text_model(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "text"
    BertTokenizer(vocab={word: i for i, word in enumerate(WORDS)}, model_max_length=12).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
        id2label={0: "negative", 1: "neutral", 2: "positive"},
        initializer_range=0.5,  # so that an untrained network already tells texts apart
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def image_model(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "image"
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    config = ViTConfig(
        image_size=16,
        patch_size=4,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        id2label={0: "ant", 1: "bee"},
        initializer_range=0.5,
    )
    ViTForImageClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def timm_model(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "timm"
    pretrained = {
        "input_size": [3, 32, 32],
        "mean": [0.5, 0.5, 0.5],
        "std": [0.2, 0.2, 0.2],
        "interpolation": "bicubic",
        "crop_pct": 0.9,
    }
    config = TimmWrapperConfig(
        architecture="test_resnet", pretrained_cfg=pretrained, id2label={0: "ant", 1: "bee", 2: "fly"}
    )
    TimmWrapperForImageClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture
def damaged(text_model, tmp_path) -> Path:
    """A copy of the text model, to be damaged."""
    return Path(shutil.copytree(text_model, tmp_path / "copy"))


def test_texts_get_the_logits_that_the_model_itself_gives_them_one_by_one(text_model):
    network = AutoModelForSequenceClassification.from_pretrained(text_model).eval()
    tokenizer = AutoTokenizer.from_pretrained(text_model)
    found = Predictor(text_model).logits(TEXTS)
    for row, text in zip(found, TEXTS, strict=True):
        ids = tokenizer(text, truncation=True, max_length=12, return_tensors="pt")
        assert ids.input_ids.shape[1] <= 12
        with torch.no_grad():
            assert torch.allclose(row, network(**ids).logits[0], atol=1e-5)


def test_texts_get_the_probabilities_of_the_pipeline(text_model):
    classify = pipeline("text-classification", model=str(text_model), top_k=None)
    for answer, expected in zip(Predictor(text_model).predict(TEXTS), classify(TEXTS, truncation=True), strict=True):
        assert list(answer.scores) == [item["label"] for item in expected]  # best first
        assert list(answer.scores.values()) == pytest.approx([item["score"] for item in expected], abs=1e-5)
        assert (answer.label, answer.score) == next(iter(answer.scores.items()))
        assert sum(answer.scores.values()) == pytest.approx(1)
        assert answer.milliseconds > 0
        assert answer.version is None


@pytest.mark.parametrize("threshold", [None, 0.3])
def test_a_model_of_several_labels_gives_all_that_reach_its_threshold(damaged, threshold):
    config = json.loads((damaged / "config.json").read_text()) | {"problem_type": "multi_label_classification"}
    config |= {} if threshold is None else {"threshold": threshold}
    (damaged / "config.json").write_text(json.dumps(config))
    classify = pipeline("text-classification", model=str(damaged))
    answers = Predictor(damaged).predict(TEXTS, top_k=2)
    for answer, expected in zip(answers, classify(TEXTS, truncation=True, top_k=3), strict=True):
        assert answer.labels == [item["label"] for item in expected if item["score"] >= (threshold or 0.5)]
        kept = expected[: max(2, len(answer.labels))]
        assert answer.scores == pytest.approx({item["label"]: item["score"] for item in kept}, abs=1e-5)
        assert (answer.label, answer.score) == next(iter(answer.scores.items()))
    assert len({len(answer.labels) for answer in answers}) > 1


def stated(folder: Path, **settings) -> Path:
    """The folder, with more in its config.json."""
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))
    return folder


def test_every_label_that_is_given_is_shown_with_its_probability_whatever_top_k(damaged):
    stated(damaged, problem_type="multi_label_classification", threshold=0.0)
    (answer,) = Predictor(damaged).predict(["good film"])
    asked = CliRunner().invoke(app, ["predict", str(damaged), "good film", "--top_k", "1", "--json"])
    (found,) = json.loads(asked.stdout)
    assert found["labels"] == list(found["scores"]) == list(answer.scores) and len(found["labels"]) == 3
    shown = CliRunner().invoke(app, ["predict", str(damaged), "good film", "--top_k", "1"]).stdout
    for label, score in answer.scores.items():
        assert any(label in line and f"{score:.1%}" in line for line in shown.splitlines())


@pytest.mark.parametrize(
    ("text_pairs", "given", "message"),
    [
        (True, [], "was trained on pairs of texts: give the second text of each as well .--text_pair"),
        (False, ["--text_pair", "bad"], "was trained on single texts: leave out the second ones .--text_pair"),
    ],
)
def test_a_model_of_pairs_takes_only_pairs_and_one_of_single_texts_none(damaged, text_pairs, given, message):
    for stating in (not text_pairs, None):
        stated(damaged, text_pairs=stating)
        assert CliRunner().invoke(app, ["predict", str(damaged), "good", *given]).exit_code == 0
    stated(damaged, text_pairs=text_pairs)
    refused = CliRunner().invoke(app, ["predict", str(damaged), "good", *given]).exception
    assert isinstance(refused, RequestError) and re.search(message, str(refused))


def test_a_second_text_beside_a_picture_is_refused(image_model, photos):
    picture = str(next(photos.rglob("*.png")))
    refused = CliRunner().invoke(app, ["predict", str(image_model), picture, "--text_pair", "bad"]).exception
    assert isinstance(refused, RequestError) and "--text_pair is for models of text pairs" in str(refused)


def test_pairs_of_texts_get_the_probabilities_of_the_pipeline(text_model):
    texts = list(filter(None, TEXTS))
    pairs = [{"text": text, "text_pair": pair} for text, pair in zip(texts, texts[::-1], strict=True)]
    classify = pipeline("text-classification", model=str(text_model))
    expected = [{item["label"]: item["score"] for item in row} for row in classify(pairs, truncation=True, top_k=3)]
    predictor = Predictor(text_model)
    for items in (pairs, [tuple(pair.values()) for pair in pairs]):
        for answer, scores in zip(predictor.predict(items), expected, strict=True):
            assert answer.scores == pytest.approx(scores, abs=1e-5) and answer.labels == [answer.label]
    assert predictor.predict([("good", "bad")]) != predictor.predict(["good"])
    assert predictor.predict([{"text": "good"}])[0].scores == predictor.predict(["good"])[0].scores


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (["good", ("good", "bad")], "some items are pairs of texts and others are not"),
        ([("good", "bad"), ("good", None)], "item 2 is not a text but NoneType"),
        ([("good", "bad", "film")], "item 1 is not a text but tuple"),
        ([{"words": "good"}], "item 1 is not a text but dict"),
    ],
)
def test_what_is_neither_a_text_nor_a_pair_is_refused(text_model, items, message):
    with pytest.raises(RequestError, match=message):
        Predictor(text_model).predict(items)


def test_the_size_of_the_batches_changes_no_answer(text_model):
    predictor = Predictor(text_model)
    whole = [answer.scores for answer in predictor.predict(TEXTS)]
    for size in (1, 2, 4):
        for scores, expected in zip(predictor.predict(TEXTS, batch_size=size), whole, strict=True):
            assert scores.scores == pytest.approx(expected, abs=1e-5)
    assert predictor.predict([]) == []


def test_top_k_keeps_the_best_labels(text_model):
    predictor = Predictor(text_model)
    for few, all_ in zip(predictor.predict(TEXTS, top_k=2), predictor.predict(TEXTS), strict=True):
        assert list(few.scores.items()) == list(all_.scores.items())[:2]
        assert (few.label, few.score) == (all_.label, all_.score)


def test_a_run_folder_stands_for_its_model(text_model, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(RequestError, match="has not saved a model.*--resume_from_checkpoint"):
        Predictor(tmp_path)
    shutil.copytree(text_model, tmp_path / "model")
    assert Predictor(tmp_path).labels == ["negative", "neutral", "positive"]


@pytest.mark.parametrize("kind", ["image_model", "timm_model"])
def test_pictures_get_the_probabilities_of_the_pipeline_whichever_way_they_come(request, photos, kind):
    folder = request.getfixturevalue(kind)
    files = sorted(photos.rglob("*.png"))[:5]
    classify = pipeline("image-classification", model=str(folder), top_k=3)
    expected = [{item["label"]: item["score"] for item in answer} for answer in classify([str(f) for f in files])]
    predictor = Predictor(folder)
    assert predictor.task == "image-classification"
    ways = (files, [str(f) for f in files], [f.read_bytes() for f in files], [Image.open(f) for f in files])
    for pictures in ways:
        for answer, scores in zip(predictor.predict(pictures, batch_size=2), expected, strict=True):
            assert answer.scores == pytest.approx(scores, abs=1e-5)


def test_pictures_are_decoded_as_in_training(image_model, tmp_path):
    """Turned by EXIF and on white, where the pipeline's plain reading would differ."""
    network = AutoModelForImageClassification.from_pretrained(image_model).eval()
    turned = Image.linear_gradient("L").resize((24, 16)).convert("RGB")
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    clear = Image.new("RGBA", (24, 16), (200, 0, 0, 60))
    clear.save(tmp_path / "clear.png")
    processor = ViTImageProcessor.from_pretrained(image_model)
    for name in ("turned.png", "clear.png"):
        pixels = processor([decode(tmp_path / name)], return_tensors="pt")
        with torch.no_grad():
            expected = network(**pixels).logits
        with Image.open(tmp_path / name) as opened:
            for picture in (tmp_path / name, opened):
                assert torch.allclose(Predictor(image_model).logits([picture]), expected, atol=1e-5), name


def test_print_colours_in_memory_are_accepted(image_model):
    assert Predictor(image_model).predict([Image.new("CMYK", (20, 20))])[0].label in ("ant", "bee")


def test_a_picture_that_cannot_be_read_is_named(image_model, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_text("no picture")
    predictor = Predictor(image_model)
    with pytest.raises(RequestError, match=re.escape(str(bad))):
        predictor.predict([Image.new("RGB", (9, 9)), bad])
    with pytest.raises(RequestError, match=r"picture 3 "):
        predictor.predict([Image.new("RGB", (9, 9))] * 2 + [b"no picture"], batch_size=2)
    with pytest.raises(RequestError, match=r"missing\.jpg"):
        predictor.predict([tmp_path / "missing.jpg"])


def test_what_is_no_text_is_named(text_model):
    with pytest.raises(RequestError, match="item 4 is not a text but NoneType"):
        Predictor(text_model).predict(["good", "bad", "film", None], batch_size=2)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_that_comes_with_a_model_is_refused_and_never_runs(damaged, tmp_path, file):
    canary = tmp_path / "ran"
    (damaged / "own.py").write_text(f"open({str(canary)!r}, 'w')\nclass Own: pass\n")
    settings = json.loads((damaged / file).read_text())
    settings["auto_map"] = {"AutoConfig": "own.Own", "AutoModelForSequenceClassification": "own.Own"}
    (damaged / file).write_text(json.dumps(settings))
    with pytest.raises(RequestError, match=f"{file} asks for Python code .*auto_map"):
        Predictor(damaged)
    assert not canary.exists()


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, canary: Path):
        self.canary = canary

    def __reduce__(self):
        return (open, (str(self.canary), "w"))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "weights.ckpt"])
def test_a_pickle_is_refused_and_never_opened(damaged, tmp_path, name):
    canary = tmp_path / "ran"
    (damaged / "model.safetensors").unlink()
    (damaged / name).write_bytes(pickle.dumps(Bomb(canary)))
    with pytest.raises(RequestError, match=f"{name}, a pickle"):
        Predictor(damaged)
    assert not canary.exists()


def test_the_way_to_convert_a_pickle_that_the_refusal_names_works(text_model, damaged):
    weights = load_file(damaged / "model.safetensors")
    (damaged / "model.safetensors").unlink()
    torch.save(weights, damaged / "pytorch_model.bin")
    with pytest.raises(RequestError) as refused:
        Predictor(damaged)
    code = re.search(r'python -c "(.+)"', str(refused.value)).group(1)
    subprocess.run([sys.executable, "-c", code], cwd=damaged, check=True, timeout=120)
    assert torch.equal(Predictor(damaged).logits(TEXTS), Predictor(text_model).logits(TEXTS))


def test_an_encoder_without_a_trained_head_is_refused(tiny_bert):
    with pytest.raises(RequestError, match=r"no finished classifier: its weights lack classifier.*fine-tune it first"):
        Predictor(tiny_bert)


def test_a_folder_that_is_no_model_is_refused_with_what_is_missing(tmp_path, damaged):
    with pytest.raises(RequestError, match="there is no such folder"):
        Predictor(tmp_path / "nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(RequestError, match=r"it has no config\.json"):
        Predictor(empty)
    (damaged / "model.safetensors").unlink()
    with pytest.raises(RequestError, match=r"model\.safetensors is missing"):
        Predictor(damaged)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"])
def test_a_damaged_file_is_a_clear_refusal(damaged, name):
    content = (damaged / name).read_bytes()
    (damaged / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(RequestError, match=str(damaged)):
        Predictor(damaged)


@pytest.mark.parametrize("change", [{"problem_type": "regression"}, {"id2label": {"0": "one"}, "num_labels": 1}])
def test_a_model_that_does_not_choose_one_of_several_labels_is_refused(damaged, change):
    config = json.loads((damaged / "config.json").read_text())
    (damaged / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(RequestError, match="does not choose one of several labels"):
        Predictor(damaged)


def test_a_model_of_another_kind_is_refused(damaged):
    config = json.loads((damaged / "config.json").read_text())
    (damaged / "config.json").write_text(json.dumps(config | {"model_type": "vits"}))
    with pytest.raises(RequestError, match="classifies neither texts nor images"):
        Predictor(damaged)


def test_weights_of_16_bits_are_computed_with_in_32_so_that_pictures_fit_them(tiny_resnet, photos, tmp_path):
    shutil.copytree(tiny_resnet, tmp_path / "half")
    network = AutoModelForImageClassification.from_pretrained(tiny_resnet).to(torch.bfloat16)
    network.save_pretrained(tmp_path / "half")
    files = sorted(photos.rglob("*.png"))[:3]
    pixels = ViTImageProcessor.from_pretrained(tiny_resnet)([decode(file) for file in files], return_tensors="pt")
    with torch.no_grad():
        expected = network.float().eval()(**pixels).logits
    assert torch.allclose(Predictor(tmp_path / "half").logits(files), expected, atol=1e-5)


def test_a_model_that_answers_not_a_number_gives_no_label(text_model):
    predictor = Predictor(text_model)
    with torch.no_grad():
        predictor.network.classifier.bias[0] = torch.nan
    with pytest.raises(RunError, match="not finite"):
        predictor.predict(["good"])


def test_a_tokenizer_that_states_no_limit_does_not_break_on_long_texts(damaged):
    settings = json.loads((damaged / "tokenizer_config.json").read_text())
    del settings["model_max_length"]
    (damaged / "tokenizer_config.json").write_text(json.dumps(settings))
    config = json.loads((damaged / "config.json").read_text()) | {"max_position_embeddings": 512}
    (damaged / "config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    BertForSequenceClassification(BertConfig(**config)).save_pretrained(damaged)
    assert len(Predictor(damaged).predict(["good film " * 2000])) == 1


def test_nothing_is_asked_of_the_hub(text_model):
    code = (
        "import socket, sys\n"
        "def refuse(*_, **__): sys.stderr.write('a connection was opened'); raise OSError\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from studio.predictor import Predictor\n"
        f"print(Predictor({str(text_model)!r}).predict(['good'])[0].label)\n"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "0", "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "a connection was opened" not in done.stderr
