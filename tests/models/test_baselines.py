"""Networks that start from nothing: trained, kept, opened, asked and explained like any other."""

import json

import pytest
import torch
from torch.export import Dim

from studio.config import ImageData, ModelChoice
from studio.evaluation.explain import explain
from studio.evaluation.profile import profile
from studio.models import build, vocabulary
from studio.models.baselines import CnnConfig, CnnForImageClassification, LstmConfig, LstmForSequenceClassification
from studio.predictor import Predictor
from studio.recipe_files import find
from studio.runs import Run
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def lstm() -> LstmForSequenceClassification:
    torch.manual_seed(0)
    return LstmForSequenceClassification(LstmConfig(vocab_size=40, embedding_size=8, hidden_size=16)).eval()


@pytest.fixture(scope="module")
def cnn() -> CnnForImageClassification:
    torch.manual_seed(0)
    return CnnForImageClassification(CnnConfig(hidden_sizes=(8, 16))).eval()


@pytest.fixture(scope="module")
def text_run(tmp_path_factory, program) -> Run:
    """Of 240 texts with a number of their own, each twice in its text, so that no number is left out as too rare."""
    folder = tmp_path_factory.mktemp("baseline")
    words = [("good", "great"), ("bad", "awful")]
    texts = [
        f"a {words[i % 2][i % 4 // 2]} film {i} {i},{'positive' if i % 2 == 0 else 'negative'}" for i in range(240)
    ]
    (folder / "texts.csv").write_text("\n".join(["text,label", *texts]))
    flags = ["--dataset_name", folder / "texts.csv", "--model_name_or_path", "baseline:lstm", "--max_steps", "8"]
    done = program("recipes/text_classification.py", *flags, "--output_dir", folder / "run")
    assert done.returncode == 0, done.stderr
    return Run(folder / "run")


@pytest.fixture(scope="module")
def image_run(tmp_path_factory, program, photos) -> Run:
    folder = tmp_path_factory.mktemp("baseline") / "run"
    flags = ["--dataset_name", photos, "--model_name_or_path", "baseline:cnn", "--image_size", "16", "--max_steps", "4"]
    done = program("recipes/resnet_image_classification.py", *flags, "--output_dir", folder)
    assert done.returncode == 0, done.stderr
    return Run(folder)


def test_padding_never_changes_the_answer_of_the_lstm(lstm):
    texts = [[5, 6, 2], [7, 2], [9, 8, 7, 6, 5, 2]]
    alone = torch.cat([lstm(torch.tensor([ids])).logits for ids in texts])
    ids = torch.tensor([text + [0] * (11 - len(text)) for text in texts])
    for padding in (ids, ids.where(ids != 0, 13)):  # whatever stands there
        together = lstm(padding, attention_mask=(ids != 0).long()).logits
        torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)


def test_weights_start_with_the_variances_of_he_et_al():
    torch.manual_seed(0)
    text, picture = LstmForSequenceClassification(LstmConfig()), CnnForImageClassification(CnnConfig())
    resnet, _ = build.image_classifier(ModelChoice(model_name_or_path="timm:resnet18"), ["a", "b"], ImageData(), 0)
    for network in (picture, resnet):
        convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
        assert len(convolutions) >= 8
        for layer in convolutions:
            fan = {layer.weight[0].numel(), layer.weight[:, 0].numel()}  # "either alternative is sufficient", 2.2
            assert any(layer.weight.var().item() * n == pytest.approx(2, rel=0.15) for n in fan)
    assert text.lstm.weight_ih_l0.var().item() * 128 == pytest.approx(1, rel=0.05)
    assert text.lstm.weight_hh_l0.var().item() * 256 == pytest.approx(1, rel=0.05)
    forget = text.lstm.bias_ih_l0.view(4, 256)
    assert torch.equal(forget.sum(1), torch.tensor([0.0, 256, 0, 0])) and not text.lstm.bias_hh_l0.any()


def test_loss_of_labels_is_that_of_the_logits(lstm, cnn):
    labels = torch.tensor([0, 1])
    for network, item in ((lstm, torch.tensor([[4, 5], [6, 7]])), (cnn, torch.rand(2, 3, 16, 16))):
        found = network(item, labels=labels)
        torch.testing.assert_close(found.loss, torch.nn.functional.cross_entropy(found.logits, labels))


def test_both_can_be_exported_for_any_batch_length_and_size(lstm, cnn):
    free = Dim.DYNAMIC
    ids, more = torch.randint(3, 40, (2, 5)), torch.randint(3, 40, (3, 9))
    mask = (torch.arange(9) < torch.tensor([[9], [4], [1]])).long()
    shapes = {"input_ids": {0: free, 1: free}, "attention_mask": {0: free, 1: free}}
    with torch.no_grad():  # with slopes it would be unrolled, for one length
        exported = torch.export.export(lstm, (ids, torch.ones_like(ids)), dynamic_shapes=shapes).module()
    torch.testing.assert_close(exported(more, mask).logits, lstm(more, mask).logits)
    shapes = {"pixel_values": {0: free, 2: free, 3: free}}
    exported = torch.export.export(cnn, (torch.rand(2, 3, 16, 16),), dynamic_shapes=shapes).module()
    pixels = torch.rand(3, 3, 20, 32)
    torch.testing.assert_close(exported(pixels).logits, cnn(pixels).logits)


def test_the_vocabulary_is_the_same_for_any_order_of_the_texts_and_ends():
    texts = ["Good, good DAY", "day \u00c9t\u00e9 e\u0301te\u0301 \u5929\u5929", "\u00e9t\u00e9 once"]
    content = vocabulary.learned(texts)
    assert content == vocabulary.learned(texts[::-1])
    words = list(json.loads(content)["model"]["vocab"])
    assert words == ["[PAD]", "[UNK]", "[SEP]", "\u00e9t\u00e9", "day", "good", "\u5929"]  # the commonest first
    ids = vocabulary.tokenizer(content)(["", "a good once"], ["", "day"])["input_ids"]
    assert ids == [[2, 2], [1, 5, 1, 2, 4, 2]]


def test_the_vocabulary_is_that_of_the_training_rows_alone(text_run):
    words = json.loads((text_run.model / "tokenizer.json").read_text())["model"]["vocab"]
    numbers = [word for word in words if word.isdigit()]
    assert len(numbers) == len((text_run.splits / "train.txt").read_text().split()) < 240
    assert {"good", "bad", "film"} <= set(words)


def test_a_resumed_run_keeps_its_vocabulary(text_run, tmp_path):
    model = ModelChoice(model_name_or_path="baseline:lstm")
    network, tokenizer = build.text_classifier(model, ["no", "yes"], 0, None, text_run)  # of no rows it could learn
    saved = json.loads((text_run.model / "tokenizer.json").read_text())["model"]["vocab"]
    assert tokenizer.get_vocab() == saved and network.config.vocab_size == len(saved)


def test_a_baseline_starts_at_its_own_learning_rate_in_every_recipe(text_run, image_run):
    metrics = json.loads((text_run.report / "metrics.json").read_text())
    assert metrics["train"]["learning_rate"] == 1e-3 and metrics["train"]["precision"] == "fp32"
    vit = next(recipe for recipe in find(ROOT / "recipes") if recipe.path.stem.startswith("vit"))
    flags = ["--dataset_name", "photos", "--model_name_or_path"]
    assert vit.parse([*flags, "baseline:cnn"])["training"].learning_rate is None
    assert vit.parse([*flags, "google/vit-base-patch16-224-in21k"])["training"].learning_rate == 5e-5


def test_after_one_import_standard_code_answers_as_the_studio_does(text_run, image_run, photos, program):
    photo = next(photos.rglob("*.png"))
    code = f"""
import studio.models
from transformers import pipeline
asked = [("text-classification", {str(text_run.model)!r}, "a great film"),
         ("image-classification", {str(image_run.model)!r}, {str(photo)!r})]
there = [pipeline(task, folder, device="cpu", top_k=2)(item) for task, folder, item in asked]
from studio.predictor import Predictor
for (task, folder, item), answers in zip(asked, there):
    [ours] = Predictor(folder, "cpu").predict([item])
    assert {{a["label"] for a in answers}} == set(ours.scores)
    assert all(abs(ours.scores[a["label"]] - a["score"]) < 1e-6 for a in answers), (ours, answers)
"""
    done = program("-c", code)
    assert done.returncode == 0, done.stderr
    for run in (text_run, image_run):
        card = (run.model / "README.md").read_text()
        assert "import studio.models\nfrom transformers import pipeline" in card and "from scratch" in card


def test_the_saved_weights_are_those_that_answer(text_run, image_run):
    from safetensors.torch import load_file

    for run in (text_run, image_run):
        network = Predictor(run.folder).network
        saved, fresh = load_file(run.model / "model.safetensors"), type(network)(network.config)
        assert all(torch.equal(saved[name], value) for name, value in network.state_dict().items())
        assert not torch.equal(fresh.classifier.weight, network.classifier.weight)


def test_unknown_words_and_empty_texts_get_an_answer(text_run):
    answers = Predictor(text_run.folder).predict(["", "   ", "xyzzy \U0001f600", "good"])
    assert len(answers) == 4 and answers[0].scores == answers[1].scores != answers[3].scores


def test_the_answers_of_both_are_explained(text_run, image_run, photos):
    found = explain(Predictor(text_run.folder), "a good film")
    assert found.complete and [word.text for word in found.words] == ["a", "good", "film"]
    assert any(word.score for word in found.words)
    seen = explain(Predictor(image_run.folder), next(photos.rglob("*.png")))
    assert len(seen.grid) * len(seen.grid[0]) >= 16


def test_the_arithmetic_of_an_lstm_is_counted(text_run):
    found = profile(Predictor(text_run.folder))
    tokens = 128
    by_name = {layer["name"]: layer["flops"] for layer in found["layers"]}
    assert found["input"] == f"a text of {tokens} tokens"
    assert by_name["lstm"] == 2 * tokens * 4 * 256 * (128 + 256)
