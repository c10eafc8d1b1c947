"""A run's report: every figure from the saved predictions, written whole, by one rank, and never of a broken model."""

import io
import json
import math
import os
import stat
import subprocess
import sys
from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from rich.console import Console
from sklearn.metrics import accuracy_score, f1_score, log_loss
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    Trainer,
    TrainingArguments,
    ViTConfig,
    ViTForImageClassification,
)

from studio.errors import RunError
from studio.evaluation import metrics, modules, report, show

LABELS = ["bad", "good", "[red]so so[/red]"]
SIZES = {"train": 12, "validation": 9, "test": 21}


def collate(features: list[dict]) -> dict[str, torch.Tensor]:
    longest = max(len(f["input_ids"]) for f in features)
    padded = {
        name: torch.tensor([f[name] + [0] * (longest - len(f[name])) for f in features])
        for name in ("input_ids", "attention_mask")
    }
    return padded | {"labels": torch.tensor([f["labels"] for f in features])}


def tokens(seed: int = 0) -> dict[str, datasets.Dataset]:
    random = np.random.default_rng(seed)
    found = {}
    for split, size in SIZES.items():
        ids = [random.integers(1, 50, random.integers(2, 9)).tolist() for _ in range(size)]
        found[split] = datasets.Dataset.from_dict(
            {
                "row_id": [f"{split}-{i}" for i in range(size)],
                "input_ids": ids,
                "attention_mask": [[1] * len(i) for i in ids],
                "labels": random.integers(0, 2, size).tolist(),  # the third label occurs in no split
                "length": [len(i) for i in ids],
            }
        )
    return found


def text_trainer(folder: Path, rows: dict[str, datasets.Dataset], **arguments) -> Trainer:
    torch.manual_seed(0)
    names = dict(enumerate(LABELS))
    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, id2label=names
    )
    config.initializer_range = 0.5  # so that an untrained network already tells texts apart
    arguments = {"metric_for_best_model": "f1_macro", "per_device_eval_batch_size": 4, "use_cpu": True} | arguments
    return Trainer(
        model=BertForSequenceClassification(config),
        args=TrainingArguments(str(folder / "checkpoints"), report_to="none", disable_tqdm=True, **arguments),
        train_dataset=rows["train"],
        eval_dataset=rows["validation"],
        data_collator=collate,
        compute_metrics=modules.compute_metrics(LABELS, several=False),
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Trainer, report.Report]:
    rows = tokens()
    trainer = text_trainer(tmp_path_factory.mktemp("run"), rows, max_steps=2, per_device_train_batch_size=4)
    trainer.train()
    return trainer, report.evaluate(trainer, rows)


def test_metrics_json_is_as_other_programs_expect_it(trained, tmp_path):
    trained[1].save(tmp_path / "report")
    found = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert found["task"] == "text-classification"
    assert found["labels"] == LABELS
    assert found["metric_for_best_model"] == "f1_macro"
    assert set(found["splits"]) == {"validation", "test"}
    for split, figures in found["splits"].items():
        assert figures["samples"] == SIZES[split]
        assert math.isfinite(figures["loss"])
        assert set(figures["intervals"]) >= set(metrics.SCORES)
        assert set(figures["per_class"]) == set(LABELS)
        assert sum(row["support"] for row in figures["per_class"].values()) == SIZES[split]
        for name in metrics.SCORES:
            low, high = figures["intervals"][name]
            assert 0 <= low <= figures[name] <= high <= 1
    assert found["train"]["samples"] == SIZES["train"]
    assert found["train"]["steps"] == 2
    assert found["train"]["learning_rate"] > 0 and found["train"]["precision"] == "fp32"
    assert found["train"]["runtime_s"] > 0
    assert found["train"]["samples_per_second"] > 0
    assert found["train"]["peak_memory_bytes"] > 50e6  # bytes, not kilobytes


def test_the_figures_follow_from_the_saved_predictions(trained, tmp_path):
    trained[1].save(tmp_path)
    predictions = pq.read_table(tmp_path / "predictions.parquet").to_pandas()
    for split in ("validation", "test"):
        rows, figures = predictions[predictions.split == split], trained[1].metrics["splits"][split]
        assert figures["accuracy"] == pytest.approx(accuracy_score(rows.label, rows.prediction))
        assert figures["f1_macro"] == pytest.approx(f1_score(rows.label, rows.prediction, average="macro"))
        assert figures["majority_accuracy"] == pytest.approx(rows.label.value_counts().max() / len(rows))
        ids = [LABELS.index(label) for label in rows.label]
        probabilities = rows[[f"probability_{label}" for label in LABELS]].to_numpy()
        assert figures["loss"] == pytest.approx(log_loss(ids, probabilities, labels=range(3)), rel=1e-4)


def test_each_prediction_stands_beside_the_id_of_its_own_row(trained):
    trainer, found = trained
    rows = found.predictions.to_pandas().set_index("row_id")
    assert rows.split.value_counts().to_dict() == {"validation": 9, "test": 21}
    for split in ("validation", "test"):
        for row in tokens()[split]:
            with torch.no_grad():
                logits = trainer.model.eval()(input_ids=torch.tensor([row["input_ids"]])).logits
            probabilities = logits.softmax(-1)[0]
            saved = rows.loc[row["row_id"]]
            assert saved.label == LABELS[row["labels"]]
            assert saved.prediction == LABELS[int(probabilities.argmax())]
            assert saved.score == pytest.approx(float(probabilities.max()), abs=1e-5)
            assert [saved[f"probability_{label}"] for label in LABELS] == pytest.approx(
                probabilities.tolist(), abs=1e-5
            )


def test_the_recipe_gets_the_plain_figures_of_the_test_split(trained):
    scores = trained[1].scores
    assert set(scores) >= {*metrics.SCORES, "loss", "samples", "majority_accuracy", "balanced_accuracy", "log_loss"}
    assert all(isinstance(value, int | float) for value in scores.values())
    assert scores["f1_macro"] == trained[1].metrics["splits"]["test"]["f1_macro"]


def test_a_report_is_the_same_when_it_is_made_again(trained):
    trainer, found = trained
    again = report.evaluate(trainer, tokens())
    assert again.metrics["splits"] == found.metrics["splits"]
    assert again.predictions.equals(found.predictions)


def test_predictions_in_another_order_than_the_rows_are_refused(tmp_path):
    rows = tokens()
    trainer = text_trainer(tmp_path, rows, train_sampling_strategy="group_by_length")
    with pytest.raises(RunError, match="validation rows came back .* another order"):
        report.evaluate(trainer, rows)


def test_a_model_that_answers_not_a_number_is_not_reported(tmp_path):
    rows = tokens()
    trainer = text_trainer(tmp_path, rows)
    with torch.no_grad():
        trainer.model.classifier.bias[1] = torch.nan
    with pytest.raises(RunError, match="not finite"):
        report.evaluate(trainer, rows)
    trainer.compute_metrics = None  # then nothing but the report looks at the logits
    with pytest.raises(RunError, match="not finite"):
        report.evaluate(trainer, rows)


class Squares(torch.utils.data.Dataset):
    """Pictures with row ids and labels beside them, as studio.data.images gives them to the Trainer."""

    def __init__(self, split: str, size: int):
        self.row_ids = [f"{split}-{i}" for i in range(size)]
        self.labels = [i % 2 for i in range(size)]

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        shade = torch.full((3, 8, 8), index / len(self))
        return {"pixel_values": shade, "labels": self.labels[index]}


def test_pictures_are_reported_under_their_row_ids(tmp_path):
    config = ViTConfig(
        image_size=8, patch_size=4, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    trainer = Trainer(
        model=ViTForImageClassification(config),
        args=TrainingArguments(
            str(tmp_path), report_to="none", disable_tqdm=True, use_cpu=True, remove_unused_columns=False
        ),
    )
    squares = {split: Squares(split, size) for split, size in SIZES.items()}
    found = report.evaluate(trainer, squares)
    assert found.metrics["task"] == "image-classification"
    ids = squares["validation"].row_ids + squares["test"].row_ids
    assert (
        found.predictions["row_id"].to_pylist()
        == ids
        == [
            *report.row_ids(squares["validation"]),
            *report.row_ids(squares["test"]),
        ]
    )


def test_files_are_private_and_nothing_half_written_stays(trained, tmp_path, monkeypatch):
    folder = tmp_path / "report"
    trained[1].save(folder)
    assert sorted(file.name for file in folder.iterdir()) == ["metrics.json", "predictions.parquet"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    before = (folder / "predictions.parquet").read_bytes()

    def full_disk(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        trained[1].save(folder)
    assert (folder / "predictions.parquet").read_bytes() == before


def test_people_see_each_figure_with_its_interval_and_each_class(trained):
    found = trained[1].metrics
    console = Console(file=io.StringIO(), width=120)
    show.show(found, console)
    printed = console.file.getvalue()
    test = found["splits"]["test"]
    low, high = test["intervals"]["f1_macro"]
    assert f"{test['f1_macro']:.3f}" in printed
    assert f"{low:.3f} to {high:.3f}" in printed
    assert f"{test['majority_accuracy']:.3f}" in printed
    assert "[red]so so[/red]" in printed  # a label is shown as it is written, not obeyed


def test_a_hundred_classes_are_not_printed_one_by_one(trained):
    found = json.loads(json.dumps(trained[1].metrics))
    test = found["splits"]["test"]
    test["per_class"] = {f"class {i}": test["per_class"]["bad"] for i in range(100)}
    console = Console(file=io.StringIO(), width=120)
    show.show(found, console)
    assert "class 7" not in console.file.getvalue()


RANKS = """
import sys
from pathlib import Path
from torch import distributed
sys.path.insert(0, sys.argv[2])
from test_report import text_trainer, tokens
from studio.evaluation import report

rows = tokens()
folder = Path(sys.argv[1])
trainer = text_trainer(folder, rows, max_steps=2, per_device_train_batch_size=4, eval_strategy="steps", eval_steps=1)
trainer.train()
found = report.evaluate(trainer, rows)
found.save(folder / f"rank-{distributed.get_rank()}")
assert distributed.get_world_size() == 2
distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_ranks_score_all_rows_once_and_agree(tmp_path):
    script = tmp_path / "ranks.py"
    script.write_text(RANKS)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    project = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(project), "OMP_NUM_THREADS": "1", "HF_HOME": str(tmp_path / "hf")}
    done = subprocess.run(
        [*launch, str(script), str(tmp_path), str(Path(__file__).parent)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = ((tmp_path / f"rank-{rank}") for rank in (0, 1))
    splits = [json.loads((folder / "metrics.json").read_text())["splits"] for folder in (first, second)]
    assert splits[0] == splits[1]
    table = pq.read_table(first / "predictions.parquet")
    assert table["row_id"].to_pylist() == [f"{s}-{i}" for s in ("validation", "test") for i in range(SIZES[s])]
    assert not list((tmp_path / "hf").rglob("*.lock"))
