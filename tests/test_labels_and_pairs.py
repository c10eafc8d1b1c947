"""Several labels per row, and texts that come in pairs, from a person's file to the answers of the saved model."""

import csv
import json
import random
from pathlib import Path

import pandas as pd
import pytest
import torch
from sklearn.metrics import f1_score
from transformers import AutoTokenizer, BertConfig, BertModel, pipeline
from typer.testing import CliRunner, Result

from studio.cli import app
from studio.config import Training
from studio.errors import RequestError
from studio.runs import Run
from studio.training.trainer import _check_metric
from tests.conftest import WORDS

TOPICS = {"music": "song", "joy": "lovely", "rain": "dull"}
FAST = ["--strategy", "full", "--learning_rate", "1e-2", "--per_device_train_batch_size", "16", "--logging_steps", "5"]


@pytest.fixture(scope="module")
def quick_bert(tmp_path_factory, tiny_bert) -> Path:
    """A BERT folder that learns what single words say in a few epochs: without dropout, always the same."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("quick")
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config = BertConfig.from_pretrained(tiny_bert, num_hidden_layers=1, hidden_size=32, initializer_range=0.1, **still)
    BertModel(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def topics(tmp_path_factory) -> Path:
    """240 sentences with the labels whose words they hold, a quarter of them with none."""
    chance = random.Random(0)
    rows = []
    for at in range(240):
        labels = [label for label, share in zip(TOPICS, (0.5, 0.4, 0.2), strict=True) if chance.random() < share]
        words = chance.sample(WORDS[11:], chance.randint(2, 5)) + [TOPICS[label] for label in labels]
        chance.shuffle(words)
        rows.append(json.dumps({"text": f"{' '.join(words)} {at}", "labels": labels}))
    file = tmp_path_factory.mktemp("topics") / "topics.jsonl"
    file.write_text("\n".join(rows))
    return file


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> Path:
    """240 questions that say nothing with answers that are good or bad."""
    chance = random.Random(0)
    rows = [
        (f"{' '.join(chance.sample(WORDS[6:], 4))} {at}", f"{chance.choice(WORDS[3 * (at % 2) :][:3])} {at}", at % 2)
        for at in range(240)
    ]
    file = tmp_path_factory.mktemp("pairs") / "answers.csv"
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([("question", "answer", "label"), *rows])
    return file


def ask(run: Run, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["predict", str(run.folder), *arguments])


def test_several_labels_per_row_from_file_to_answers(tmp_path, program, quick_bert, topics):
    run = Run(tmp_path / "run")
    done = program(
        "recipes/text_classification.py", "--dataset_name", topics, "--model_name_or_path", quick_bert,
        "--num_train_epochs", "10", "--metric_for_best_model", "f1_micro", "--output_dir", run.folder, *FAST,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((run.report / "metrics.json").read_text())
    test, threshold = found["splits"]["test"], found["threshold"]
    assert found["labels"] == ["joy", "music", "rain"] and found["metric_for_best_model"] == "f1_micro"
    assert test["f1_micro"] > 0.9 and test["accuracy"] > test["majority_accuracy"]
    assert set(test["intervals"]) >= {
        "accuracy", "f1_micro", "f1_macro", "f1_weighted", "precision_macro", "recall_macro"
    }  # fmt: skip

    rows = pd.read_parquet(run.report / "predictions.parquet")
    rows = rows[rows.split == "test"]
    truth, answers = (
        [[label in row for label in found["labels"]] for row in rows[column]] for column in ("label", "prediction")
    )
    assert f1_score(truth, answers, average="micro") == pytest.approx(test["f1_micro"])
    given = rows[[f"probability_{label}" for label in found["labels"]]].to_numpy() >= threshold
    assert given.tolist() == answers and (rows.score == rows.filter(like="probability_").max(axis=1)).all()

    config = json.loads((run.model / "config.json").read_text())
    assert config["problem_type"] == "multi_label_classification" and config["threshold"] == threshold
    answer = pipeline("text-classification", str(run.model))("a lovely song", top_k=None)
    assert {item["label"] for item in answer if item["score"] >= threshold} == {"joy", "music"}
    first, second = json.loads(ask(run, "a lovely song", "so and so", "--json").stdout)
    assert set(first["labels"]) == {"joy", "music"} and second["labels"] == []
    assert first["scores"] == pytest.approx({item["label"]: item["score"] for item in answer}, abs=1e-5)
    assert "(none)" in ask(run, "a lovely song", "so and so").stdout
    assert f"labels from a probability of {threshold:g} on" in done.stdout


def test_text_pairs_from_file_to_answers(tmp_path, program, quick_bert, answers):
    run = Run(tmp_path / "run")
    done = program(
        "recipes/text_classification.py", "--dataset_name", answers, "--model_name_or_path", quick_bert,
        "--text_pair_column_name", "answer", "--num_train_epochs", "8", "--output_dir", run.folder, *FAST,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((run.report / "metrics.json").read_text())
    assert found["splits"]["test"]["accuracy"] > 0.9  # the question alone says nothing
    assert "text_pair" in (run.model / "README.md").read_text() and "--text_pair" in done.stdout

    items = [{"text": "was the film", "text_pair": "good"}, {"text": "was the film", "text_pair": "awful"}]
    expected = pipeline("text-classification", str(run.model))(items)
    assert [item["label"] for item in expected] == ["0", "1"]
    asked = ask(run, "was the film", "was the film", "--text_pair", "good", "--text_pair", "awful", "--json")
    found = json.loads(asked.stdout)
    assert [answer["label"] for answer in found] == ["0", "1"]
    assert [answer["score"] for answer in found] == pytest.approx([item["score"] for item in expected], abs=1e-5)
    refused = ask(run, "good", "bad", "--text_pair", "good")
    assert "--text_pair is given 1 times for 2 texts" in str(refused.exception)


def test_micro_f1_is_refused_where_it_is_the_accuracy():
    from studio.evaluation import metrics, multilabel

    name = Training(metric_for_best_model="f1_micro").metric_for_best_model
    _check_metric(name, multilabel.SCORES)
    with pytest.raises(RequestError, match="--metric_for_best_model f1_micro is for rows with several labels"):
        _check_metric(name, metrics.SCORES)
