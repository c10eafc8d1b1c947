"""The model card tells the truth, in a form the Hub reads, and nothing that a person typed can break it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

from studio.evaluation import metrics as scoring
from studio.evaluation import multilabel
from studio.export import card

LABELS = ["negative", "neutral", "positive"]
SETTINGS = {
    "model_name_or_path": "google-bert/bert-base-uncased",
    "dataset_name": "stanfordnlp/sst2",
    "dataset_config_name": None,
    "column_names": [],
    "learning_rate": 2e-5,
    "bf16": False,
    "output_dir": "/home/anna/runs/first",
    "hub_model_id": "anna/film-reviews",
    "push_to_hub": True,
}


def figures(matrix: list[list[int]], labels: list[str] = LABELS, task: str = "text-classification") -> dict:
    """metrics.json of a model with this confusion matrix."""
    counts = np.asarray(matrix)
    test = {
        **scoring.scores(counts),
        "loss": 0.5,
        "samples": int(counts.sum()),
        "majority_accuracy": float(counts.sum(axis=1).max() / counts.sum()),
        "intervals": scoring.intervals(counts, seed=0),
        "per_class": scoring.per_class(counts, labels),
    }
    train = {"samples": 6000, "runtime_s": 60.0, "samples_per_second": 100.0, "steps": 188, "peak_memory_bytes": 1}
    train |= {"learning_rate": 2e-5, "precision": "bf16"}
    splits = {"validation": test, "test": test}
    return {"task": task, "labels": labels, "metric_for_best_model": "f1_macro", "splits": splits, "train": train}


GOOD = figures([[90, 5, 5], [10, 80, 10], [0, 2, 18]])


def written(folder: Path, found: dict = GOOD, origin: str = "stanfordnlp/sst2", **settings) -> ModelCard:
    folder.mkdir(exist_ok=True)
    card.write(folder, metrics=found, settings=SETTINGS | settings, origin=origin)
    return ModelCard.load(folder / "README.md")


def html_of(text: str) -> str:
    """As the Hub shows it: CommonMark with tables, HTML let through."""
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)


def test_the_hub_reads_the_test_figures_the_data_and_the_base_model(tmp_path):
    data = written(tmp_path).data
    assert data.base_model == "google-bert/bert-base-uncased"
    assert data.datasets == ["stanfordnlp/sst2"]
    assert data.library_name == "transformers"
    assert data.pipeline_tag == "text-classification"
    by_name = {result.metric_name: result for result in data.eval_results}
    test = GOOD["splits"]["test"]
    assert by_name["accuracy"].metric_value == test["accuracy"]
    assert by_name["F1, macro"].metric_value == test["f1_macro"]
    assert {result.dataset_split for result in data.eval_results} == {"test"}
    assert {result.metric_type for result in data.eval_results} == {"accuracy", "f1", "precision", "recall"}


def test_people_read_each_figure_with_its_interval_the_classes_and_the_settings(tmp_path):
    text = written(tmp_path).text
    test = GOOD["splits"]["test"]
    low, high = test["intervals"]["f1_macro"]
    assert f"| F1, macro | {test['f1_macro']:.3f} | {low:.3f} to {high:.3f} |" in text
    assert "| negative | 0.900 | 0.900 | 0.900 | 100 |" in text
    assert r"| learning\_rate | 2e-05 |" in text
    assert "| bf16 | false |" in text
    assert "On 220 test rows" in text
    assert "fine-tuned on 6,000 labelled rows of stanfordnlp/sst2" in text
    assert "column" not in text  # what was not set is not listed


def test_what_the_run_settled_for_itself_is_told(tmp_path):
    text = written(tmp_path, learning_rate=None, bf16=None).text
    assert "| learning\\_rate | 2e-05 |" in text and "| precision | bf16 |" in text


def test_the_example_is_code(tmp_path):
    code = re.search(r"```python\n(.+?)```", written(tmp_path).text, re.DOTALL).group(1)
    compile(code, "card", "exec")
    assert 'pipeline("text-classification", model="path/to/this/folder")' in code
    pictures = figures([[9, 1], [1, 9]], ["ant", "bee"], "image-classification")
    code = re.search(r"```python\n(.+?)```", written(tmp_path, pictures).text, re.DOTALL).group(1)
    assert 'pipeline("image-classification", model="path/to/this/folder")' in code
    assert "photo.jpg" in code


def test_a_model_of_an_own_architecture_says_what_has_to_be_imported_before(tmp_path):
    settings = SETTINGS | {"model_name_or_path": "baseline:lstm"}
    card.write(tmp_path, metrics=GOOD, settings=settings, origin="reviews.csv", own_architecture=True)
    text = (tmp_path / "README.md").read_text()
    code = re.search(r"```python\n(.+?)```", text, re.DOTALL).group(1)
    compile(code, "card", "exec")
    assert code.startswith("import studio.models\nfrom transformers import pipeline\n")
    assert "It is baseline:lstm, trained from scratch on 6,000 labelled rows of reviews.csv." in text
    assert "studio" not in written(tmp_path).text  # one that transformers knows


def test_a_model_of_several_labels_tells_its_threshold_and_how_to_use_it(tmp_path):
    truth = np.random.default_rng(0).random((200, 3)) < [0.5, 0.3, 0.1]
    given = truth ^ (np.random.default_rng(1).random((200, 3)) < 0.05)
    test = GOOD["splits"]["test"] | {
        **multilabel.scores(truth, given),
        "samples": 200,
        "majority_accuracy": multilabel.commonest(truth),
        "intervals": multilabel.intervals(truth, given, seed=0),
        "per_class": multilabel.per_class(truth, given, LABELS),
    }
    found = written(tmp_path, GOOD | {"threshold": 0.35, "splits": {"validation": test, "test": test}})
    assert "Gives a text any of 3 labels." in found.text
    assert f"| F1, micro | {test['f1_micro']:.3f} |" in found.text and "the commonest set of labels" in found.text
    assert "from a probability of 0.35 on" in found.text
    assert 'classify("a text to label", top_k=3, truncation=True) if answer["score"] >= 0.35]' in found.text
    assert "F1, micro" in {result.metric_name for result in found.data.eval_results}


def test_a_model_of_text_pairs_shows_a_pair(tmp_path):
    text = written(tmp_path, text_pair_column_name="hypothesis").text
    assert 'classify({"text": "one", "text_pair": "other"}, top_k=3, truncation=True)' in text
    assert "Gives a text pair one of 3 labels." in text


def test_a_model_no_better_than_the_commonest_class_says_so(tmp_path):
    assert "The model is better than that beyond chance." in written(tmp_path).text
    useless = figures([[80, 0, 0], [10, 0, 0], [10, 0, 0]])
    text = written(tmp_path, useless).text
    assert "would be right on 0.800 of the test rows. **The model is not shown to be better than that.**" in text
    assert "beyond chance" not in text


def test_limits_name_rare_classes_unknown_language_and_flawless_figures(tmp_path):
    text = written(tmp_path).text
    assert "Fewer than 30 test rows, hence rough figures: positive." in text
    assert "The language is unknown" in text
    assert "interval without width" not in text
    flawless = figures([[40, 0], [0, 40]], ["ant", "bee"], "image-classification")
    text = written(tmp_path, flawless).text
    assert "An interval without width does not mean certainty" in text
    assert "language" not in text
    assert "Fewer than" not in text


def test_no_folder_of_this_machine_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "customer" / "model").mkdir(parents=True)
    model = written(
        tmp_path,
        origin=str(tmp_path / "customer" / "reviews.csv"),
        model_name_or_path="customer/model",  # there is such a folder here: no name on the Hub
        dataset_name=None,
        train_file=str(tmp_path / "customer" / "reviews.csv"),
        test_file=r"C:\Users\anna\customer\test.csv",
        validation_file="~/customer/validation.csv",
    )
    content = model.content
    for secret in (str(tmp_path), "customer", "anna\\", "/home/", "runs/first", "output"):
        assert secret not in content, secret
    for name in ("reviews.csv", "test.csv", "validation.csv"):
        assert name in content
    assert model.data.base_model is None
    assert model.data.datasets is None
    assert model.data.model_name == "model fine-tuned on reviews.csv"


def test_a_sample_is_named_as_on_the_hub(tmp_path):
    assert (
        written(tmp_path, model_name_or_path="sample:minilm").data.base_model
        == "sentence-transformers/all-MiniLM-L6-v2"
    )


@pytest.mark.parametrize("name", ["timm:resnet18", "bert-base-uncased"])
def test_only_a_full_hub_id_is_linked_as_the_base_model(tmp_path, name):
    found = written(tmp_path, model_name_or_path=name, dataset_name="sample:tweets", origin="sample:tweets")
    assert found.data.base_model is None
    assert found.data.datasets is None
    assert name in found.text


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</td></table><iframe>",
    "a | b | c",
    "[click](javascript:alert(1))",
    "![x](http://evil.example/x.png)",
    "*bold* _em_ `code` ~~gone~~",
    "```\n# not a heading\n---\nx: y",
    "line one\nline two\r\n| cell |",
    "\n---\nbase_model: evil/model\n---\n",
    "back\\slash \\| end\\",
    "$x$ & &lt; &copy;",
    "yes: [no, {a: b}] # !!python/object:os.system '\" %",
    "{{ card_data }} {% if x %}",
    "\u202egnirts\u2066 \x1b[31mred\x00",
    "Ünïcode 日本語 👩‍🔬 نیم‌فاصله",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_label_or_name_cannot_act_as_markup_or_metadata(tmp_path, hostile):
    found = figures([[9, 1], [1, 9]], [hostile, "plain"])
    loaded = written(
        tmp_path, found, origin=hostile, model_name_or_path=hostile, label_column_name=hostile, column_names=[hostile]
    )
    harmless = written(
        tmp_path / "other", figures([[9, 1], [1, 9]], ["X", "plain"]), origin="X", model_name_or_path="X",
        label_column_name="X", column_names=["X"],
    )  # fmt: skip

    assert set(loaded.data.to_dict()) == set(harmless.data.to_dict())
    assert loaded.data.base_model is None
    # The same skeleton of tags, whatever was typed; and the words can still be read.
    tags, expected = (re.findall(r"<[^>]+>", html_of(model.text)) for model in (loaded, harmless))
    assert tags == expected
    shown = json.loads(json.dumps(html_of(loaded.text)))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    words = re.findall(r"\w{4,}", hostile)
    assert all(word in shown for word in words)
