"""The recipes as a person runs them: real processes, the real launcher, tiny models."""

import base64
import json
import os
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from studio import events
from studio.data import curation
from studio.data.curation import Curation, Relabel
from studio.evaluation import paired
from studio.jobs.standing import standing
from studio.recipe_files import find
from studio.runs import MANIFEST, Run

ROOT = Path(__file__).parent.parent
ACCELERATE = (str(Path(sys.executable).parent / "accelerate"), "launch")
CANARY = "hf_canaryCANARYcanaryCANARYcanary12"


@pytest.fixture(scope="session")
def text_flags(tiny_bert, reviews) -> list[str]:
    return ["--dataset_name", reviews, "--model_name_or_path", tiny_bert, "--logging_steps", "1"]


@pytest.fixture(scope="session")
def image_flags(tiny_resnet, photos) -> list[str]:
    return ["--dataset_name", photos, "--model_name_or_path", tiny_resnet, "--logging_steps", "1"]


TINY_VIT = [
    "--model_name_or_path", "timm:vit_tiny_patch16_224", "--image_size", "16",
    "--model_kwargs", "{patch_size: 8, embed_dim: 16, depth: 1, num_heads: 2}",
]  # fmt: skip


@pytest.mark.parametrize(
    "recipe",
    [
        "bert_sentiment",
        pytest.param("text_classification", marks=pytest.mark.slow),
        "resnet_image_classification",
        pytest.param("vit_image_classification", marks=pytest.mark.slow),
    ],
)
def test_two_steps_leave_the_whole_run_folder(recipe, tmp_path, program, text_flags, image_flags, photos):
    flags = {
        "resnet_image_classification": image_flags,
        "vit_image_classification": ["--dataset_name", photos, *TINY_VIT],
    }
    folder = tmp_path / "run"
    done = program(
        f"recipes/{recipe}.py", *flags.get(recipe, text_flags), "--max_steps", "2", "--output_dir", folder,
        launcher=ACCELERATE if recipe.startswith(("bert", "vit")) else (), env={"HF_TOKEN": CANARY},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

    run = Run(folder)
    assert run.state() == "finished" and run.record()["recipe"] == recipe
    task = run.record()["task"]
    metrics = json.loads((run.report / "metrics.json").read_text())
    assert metrics["task"] == task and metrics["metric_for_best_model"] == "f1_macro"
    test = metrics["splits"]["test"]
    for name in ("accuracy", "f1_macro", "f1_weighted", "precision_macro", "recall_macro"):
        low, high = test["intervals"][name]
        assert 0 <= low <= test[name] <= high <= 1
    assert set(test["per_class"]) == set(metrics["labels"])
    assert set(metrics["train"]) >= {"runtime_s", "samples_per_second", "steps", "peak_memory_bytes"}

    ids = {split: (run.splits / f"{split}.txt").read_text().split() for split in ("train", "validation", "test")}
    assert test["samples"] == len(ids["test"]) and not set(ids["train"]) & set(ids["test"])
    import pandas as pd

    predictions = pd.read_parquet(run.report / "predictions.parquet")
    assert set(predictions[predictions.split == "test"].row_id) == set(ids["test"])
    scored = predictions[predictions.split == "test"]
    assert (scored.label == scored.prediction).mean() == pytest.approx(test["accuracy"])

    page = (run.report / "report.html").read_text()
    plots = [base64.b64encode(file.read_bytes()).decode() for file in run.report.glob("*.png")]
    assert "What next?" in page and len(plots) >= 8 and all(plot in page for plot in plots)
    assert predictions["characters" if task == "text-classification" else "shorter_side"].notna().all()

    points = events.read(run.events)[0]
    assert {e.kind for e in points} >= {"status", "metric", "system", "artifact"}
    assert [step for step, _ in events.series(points, "loss")] == [1, 2]
    for name in ("learning_rate", "grad_norm", "samples_per_second", "data_wait_share", "eval_f1_macro", "eval_loss"):
        assert events.series(points, name), name
    assert (run.folder / "train.log").read_text().count("Test set") == 1

    assert (run.model / "README.md").exists() and not list(run.model.glob("*.bin"))
    from transformers import pipeline

    item = str(next(photos.rglob("*.png"))) if task == "image-classification" else "a lovely film"
    answer = pipeline(task, str(run.model))(item)
    assert {a["label"] for a in answer} <= set(metrics["labels"])

    for file in folder.rglob("*"):
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, f"{file} is open to others"
        assert not file.is_file() or CANARY.encode() not in file.read_bytes(), f"{file} holds the token"
    assert CANARY not in done.stdout + done.stderr


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory, program, text_flags) -> Run:
    """A run of 12 steps with three checkpoints, never interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    flags = ["--max_steps", "12", "--eval_strategy", "steps", "--eval_steps", "4", "--save_total_limit", "5"]
    done = program(
        "recipes/text_classification.py", *text_flags, *flags, "--learning_rate", "1e-2", "--output_dir", folder
    )
    assert done.returncode == 0, done.stderr
    return Run(folder)


@pytest.mark.xdist_group("whole run")
def test_the_config_alone_runs_it_again_with_the_same_metrics(whole_run, tmp_path, program):
    again = Run(tmp_path / "again")
    done = program("recipes/text_classification.py", "--config", whole_run.config, "--output_dir", again.folder)
    assert done.returncode == 0, done.stderr
    first, second = (json.loads((run.report / "metrics.json").read_text())["splits"] for run in (whole_run, again))
    assert first == second
    assert (whole_run.model / "model.safetensors").read_bytes() == (again.model / "model.safetensors").read_bytes()


@pytest.mark.xdist_group("whole run")
def test_a_killed_run_goes_on_to_the_same_model(whole_run, tmp_path, program):
    killed = Run(tmp_path / "killed")
    command = [
        sys.executable, "recipes/text_classification.py", "--config", whole_run.config,
        "--output_dir", killed.folder, "--logging_steps", "2",
    ]  # fmt: skip
    process = subprocess.Popen(list(map(str, command)), cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    first = killed.checkpoints / "checkpoint-4" / MANIFEST
    deadline = time.monotonic() + 120
    while not first.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert first.exists() and not killed.model.exists()
    resumed = program("recipes/text_classification.py", "--output_dir", killed.folder, "--resume_from_checkpoint")
    assert resumed.returncode == 0, resumed.stderr
    assert (whole_run.model / "model.safetensors").read_bytes() == (killed.model / "model.safetensors").read_bytes()
    kept = events.without_replaced(events.read(killed.events)[0])
    steps = [step for step, _ in events.series(kept, "eval_loss")]
    assert steps == [0, 4, 8, 12]  # the first is that of the probe
    assert killed.state() == "finished"


@pytest.mark.xdist_group("whole run")
def test_a_run_killed_while_it_was_scored_ends_as_if_it_had_not_been(whole_run, tmp_path, program):
    """Trained to the end, half of the model folder written, the state still running: resuming only finishes it."""
    killed = Run(tmp_path / "killed")
    shutil.copytree(whole_run.folder, killed.folder)
    killed.model.rename(killed.folder / "model.unfinished")
    shutil.rmtree(killed.report)
    killed.set_state("running")
    resumed = program("recipes/text_classification.py", "--output_dir", killed.folder, "--resume_from_checkpoint")
    assert resumed.returncode == 0, resumed.stderr
    assert (whole_run.model / "model.safetensors").read_bytes() == (killed.model / "model.safetensors").read_bytes()
    first, second = (json.loads((run.report / "metrics.json").read_text()) for run in (whole_run, killed))
    assert first["splits"] == second["splits"] and first["train"]["steps"] == second["train"]["steps"] == 12
    assert killed.state() == "finished" and not (killed.folder / "model.unfinished").exists()


@pytest.mark.xdist_group("whole run")
def test_a_resumed_run_keeps_its_division_when_rows_have_come_since(whole_run, tmp_path, program):
    rows = tmp_path / "rows.csv"
    shutil.copy(whole_run.settings()["dataset_name"], rows)
    stopped = Run(tmp_path / "stopped")
    settings = whole_run.config.read_text().replace(whole_run.settings()["dataset_name"], str(rows))
    stopped.create(
        recipe="text_classification", task="text-classification", command=[], seed=42, settings=settings
    )  # fmt: skip
    stopped.set_state("stopped")
    stopped._lock.close()
    shutil.copytree(whole_run.splits, stopped.splits)
    with rows.open("a") as stream:
        stream.writelines(f"a new row {i},{'positive' if i % 2 else 'negative'}\n" for i in range(30))
    done = program("recipes/text_classification.py", "--output_dir", stopped.folder, "--resume_from_checkpoint")
    assert done.returncode == 0, done.stderr
    for split in ("train", "validation", "test"):
        assert (stopped.splits / f"{split}.txt").read_text() == (whole_run.splits / f"{split}.txt").read_text()
    scored = json.loads((stopped.report / "metrics.json").read_text())["splits"]["test"]["samples"]
    assert scored == len((whole_run.splits / "test.txt").read_text().split())


@pytest.mark.xdist_group("whole run")
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "already holds a run: go on with it by --resume_from_checkpoint"),
        (["--resume_from_checkpoint"], "is finished: nothing is left to resume"),
    ],
)
def test_a_finished_run_is_not_touched(whole_run, flags, message, program):
    before = {file: file.stat().st_mtime_ns for file in whole_run.folder.rglob("*")}
    done = program("recipes/text_classification.py", "--output_dir", whole_run.folder, *flags)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
    assert {file: file.stat().st_mtime_ns for file in whole_run.folder.rglob("*")} == before


@pytest.mark.xdist_group("whole run")
def test_a_resumed_run_keeps_its_settings(whole_run, tmp_path, program):
    stopped = Run(tmp_path / "stopped")
    stopped.create(
        recipe="text_classification", task="text-classification", command=[], seed=42,
        settings=whole_run.config.read_text(),
    )  # fmt: skip
    stopped._lock.close()
    resume = ["--output_dir", stopped.folder, "--resume_from_checkpoint"]
    done = program("recipes/text_classification.py", *resume, "--learning_rate", "0.5")
    assert done.returncode == 2 and "--learning_rate 0.5 differs from the run's own 0.01" in done.stderr
    done = program("recipes/bert_sentiment.py", *resume)
    assert done.returncode == 2 and "is a run of recipes/text_classification.py" in done.stderr


@pytest.mark.xdist_group("whole run")
def test_a_run_answers_questions_on_the_command_line(whole_run, program):
    done = program("-m", "studio", "predict", whole_run.folder, "a lovely film", "an awful day", "--json")
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert [a["input"] for a in answers] == ["a lovely film", "an awful day"]
    assert all(sum(a["scores"].values()) == pytest.approx(1, abs=1e-5) for a in answers)
    table = program("-m", "studio", "predict", whole_run.folder, "a [red]lovely[/red] film")
    assert "[red]lovely" in table.stdout and "%" in table.stdout


@pytest.mark.xdist_group("whole run")
def test_a_division_is_used_again_by_another_run(whole_run, tmp_path, program, text_flags):
    other = Run(tmp_path / "other")
    done = program(
        "recipes/text_classification.py", *text_flags, "--max_steps", "1", "--seed", "7",
        "--splits_from", whole_run.folder, "--output_dir", other.folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for split in ("train", "validation", "test"):
        ids = [set((run.splits / f"{split}.txt").read_text().split()) for run in (whole_run, other)]
        assert ids[0] == ids[1]


@pytest.mark.xdist_group("whole run")
def test_a_run_is_trained_again_on_its_rows_with_decisions_about_them(whole_run, tmp_path, program, text_flags):
    """As the Evaluate screen starts it: one row left out, one with another label, everything else divided as before."""
    splits = ("train", "validation", "test")
    ids = {split: (whole_run.splits / f"{split}.txt").read_text().split() for split in splits}
    truth = {row: label for row, ((label,), _) in paired.answers(whole_run.report).items()}
    gone, changed = ids["train"][0], ids["test"][0]
    other = {"positive": "negative", "negative": "positive"}[truth[changed]]
    curation.write(Curation({gone: "dull"}, {changed: Relabel(other, "ironic")}), tmp_path / "decisions.json")
    again = Run(tmp_path / "again")
    done = program(
        "recipes/text_classification.py", *text_flags, "--max_steps", "1", "--splits_from", whole_run.folder,
        "--curation_file", tmp_path / "decisions.json", "--output_dir", again.folder,
    )  # fmt: skip
    assert done.returncode == 0 and again.state() == "finished", done.stderr
    assert "1 rows left out, 1 with another label" in done.stdout
    found = {split: (again.splits / f"{split}.txt").read_text().split() for split in splits}
    assert found == ids | {"train": ids["train"][1:]}
    assert {row: label for row, ((label,), _) in paired.answers(again.report).items()} == truth | {changed: other}


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_two_processes_train_one_model(tmp_path, program, text_flags):
    """Without a GPU as well: every rank sees half of the rows, and rank zero alone writes."""
    run = Run(tmp_path / "run")
    done = program(
        "--multi_gpu", "--num_processes", "2", "--main_process_port", free_port(), "recipes/text_classification.py",
        *text_flags, "--num_train_epochs", "1", "--output_dir", run.folder, launcher=ACCELERATE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    points = events.read(run.events)[0]
    rows = len((run.splits / "train.txt").read_text().split())
    assert [step for step, _ in events.series(points, "loss")] == list(range(1, -(-rows // (2 * 32)) + 1))
    assert done.stdout.count("Test set") == 1
    test = json.loads((run.report / "metrics.json").read_text())["splits"]["test"]
    assert test["samples"] == len((run.splits / "test.txt").read_text().split())


@pytest.mark.slow
def test_the_failure_of_another_rank_is_told_as_the_reason(tmp_path, program):
    recipe = tmp_path / "fragile.py"
    recipe.write_text(
        "from studio import launch\nfrom studio.config import ModelChoice, TextData, Training\n"
        "from studio.recipe import Recipe\nfrom studio.runs import Run\n\n"
        "def finetune(data: TextData, model: ModelChoice, training: Training, run: Run) -> dict[str, float]:\n"
        "    if launch.rank() == 1:\n        raise MemoryError\n    with launch.rank_zero_first():\n        pass\n\n"
        "RECIPE = Recipe(finetune, 'Fragile', 'text-classification', {'dataset_name': 'sample:tweets'})\n"
        "RECIPE.launch()\n"
    )
    run = Run(tmp_path / "run")
    done = program(
        "--multi_gpu", "--num_processes", "2", "--main_process_port", free_port(), recipe, "--output_dir", run.folder,
        launcher=ACCELERATE, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode != 0
    now = standing(run.folder)
    assert (now.state, now.cause) == ("failed", "memory"), run.events.read_text()
    assert now.reason.startswith("rank1: out of memory"), now.reason
    assert "MemoryError" in (run.folder / "train.rank1.log").read_text()
    assert run.record()["start"]["processes"] == 2 and run.record()["command"][:3] == [
        "accelerate",
        "launch",
        "--multi_gpu",
    ]


def test_a_launch_that_would_silently_run_one_process_is_refused(tmp_path, program, text_flags):
    done = program(
        "--cpu", "--num_processes", "2", "recipes/text_classification.py", *text_flags,
        "--output_dir", tmp_path / "run", launcher=ACCELERATE,
    )  # fmt: skip
    assert done.returncode != 0 and "accelerate launch --multi_gpu --num_processes 2" in done.stderr
    assert not (tmp_path / "run").exists()


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


ROWS = "".join(f"{'a good film' if i % 2 else 'a bad day'} {i},{i % 2}\n" for i in range(40))
BAD_DATA = {  # what stands in rows.csv, more flags, what the message must say
    "a missing file": (None, [], "no rows.csv|does not exist|there is no"),
    "an empty file": ("", [], "empty"),
    "a header alone": ("text,label\n", [], "header|no rows|empty"),
    "a missing column": ("text,label\n" + ROWS, ["--label_column_name", "mood"], "mood.*text.*label"),
    "one class": ("text,label\n" + re.sub(r",\d\n", ",yes\n", ROWS), [], "at least two"),
    "a class of one": ("text,label\n" + ROWS + "unique,rare\n", [], "rare"),
    "labels mostly missing": ("text,label\n" + ROWS + "".join(f"text {i},\n" for i in range(100)), [], "100 of 140"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_gets_one_paragraph_and_leaves_no_run(case, tmp_path, program, tiny_bert):
    text, flags, message = BAD_DATA[case]
    file = tmp_path / "rows.csv" if text is None else write(tmp_path / "rows.csv", text)
    done = program(
        "recipes/text_classification.py", "--dataset_name", file, "--model_name_or_path", tiny_bert, *flags,
        "--output_dir", tmp_path / "run",
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    paragraph = next(line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert "rows.csv" in paragraph and re.search(message, paragraph), paragraph
    assert not (tmp_path / "run").exists()


def test_a_hub_name_fails_within_seconds_when_the_hub_is_out_of_reach(tmp_path, program, reviews):
    unreachable = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": ""}
    for flags, name in (
        (["--model_name_or_path", "google-bert/bert-base-uncased", "--dataset_name", reviews], "google-bert/bert-base"),
        (["--dataset_name", "stanfordnlp/sst2"], "stanfordnlp/sst2"),
    ):
        began = time.monotonic()
        done = program(
            "recipes/bert_sentiment.py", *flags, "--output_dir", tmp_path / "run", env=unreachable, fresh=True
        )
        assert time.monotonic() - began < 40  # imports included; the libraries' own retries take 25 s more
        assert done.returncode == 2 and "Traceback" not in done.stderr
        error = done.stderr[done.stderr.index("error: ") :]
        assert name in error and "sample:" in error


def test_a_loss_that_is_not_a_number_fails_the_run_by_name(tmp_path, program, tiny_bert, reviews):
    from safetensors.torch import load_file, save_file

    sick = tmp_path / "sick"
    shutil.copytree(tiny_bert, sick)
    weights = load_file(sick / "model.safetensors")
    weights["encoder.layer.0.output.dense.bias"][0] = float("nan")
    save_file(weights, sick / "model.safetensors", metadata={"format": "pt"})
    run = Run(tmp_path / "run")
    done = program(
        "recipes/text_classification.py", "--dataset_name", reviews, "--model_name_or_path", sick,
        "--max_steps", "4", "--output_dir", run.folder,
    )  # fmt: skip
    assert done.returncode == 1 and "the loss is not a number at step 1" in done.stderr
    assert "Traceback" not in done.stderr and "Traceback" in (run.folder / "train.log").read_text()
    assert run.state() == "failed" and not run.model.exists() and not run.report.exists()


def test_a_full_disk_is_noticed_before_training(tmp_path, monkeypatch, tiny_bert):
    from collections import namedtuple

    from transformers import BertConfig, BertForSequenceClassification

    from studio.config import Training
    from studio.errors import RequestError
    from studio.training.trainer import _check_disk

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 1000))
    network = BertForSequenceClassification(BertConfig.from_pretrained(tiny_bert))
    with pytest.raises(RequestError, match="GB free.*--save_total_limit"):
        _check_disk(network, Training(), Run(tmp_path))


def test_curves_go_to_the_tracker_that_is_asked_for(tmp_path, program, text_flags):
    folder = tmp_path / "run"
    done = program(
        "recipes/bert_sentiment.py",
        *text_flags,
        "--max_steps",
        "1",
        "--report_to",
        "tensorboard",
        "--output_dir",
        folder,
    )
    assert done.returncode == 0, done.stderr
    assert list((folder / "tensorboard").rglob("events.out.tfevents.*"))


@pytest.mark.parametrize("recipe", ["text_classification", "resnet_image_classification"])
def test_a_dry_run_tells_what_the_run_will_take_and_keeps_nothing(recipe, tmp_path, program, text_flags, image_flags):
    flags = image_flags if recipe.startswith("resnet") else text_flags
    here = {"STUDIO_RUNS": str(tmp_path / "runs"), "TMPDIR": str(tmp_path)}
    done = program(f"recipes/{recipe}.py", *flags, "--num_train_epochs", "100", "--dry_run", env=here)
    assert done.returncode == 0, done.stderr
    table = done.stdout[done.stdout.index("Dry run: 4 steps went well") :]
    assert re.search(r"the run +│ [\d,]+00 steps of \d+ rows, about \d+:\d\d:\d\d", table), table
    assert "Test set" not in done.stdout  # figures after four steps mean nothing
    assert "memory of a process" in table and "on the disk" in table
    assert not (tmp_path / "runs").exists() and not list(tmp_path.glob("dry-run-*"))


def test_a_dry_run_tells_its_figures_to_programs(tmp_path, program, text_flags):
    done = program("recipes/text_classification.py", *text_flags, "--dry_run", "--json", env={"TMPDIR": str(tmp_path)})
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["step_s"] > 0 and told["training_s"] == pytest.approx(told["steps"] * told["step_s"])
    assert told["memory_bytes"] > 1e8 and told["disk_bytes"] > 1e4


@pytest.mark.parametrize("recipe", ["text_classification", "resnet_image_classification"])
def test_one_batch_is_learnt_by_heart_and_nothing_is_kept(recipe, tmp_path, program, text_flags, image_flags):
    flags = [*(image_flags if recipe.startswith("resnet") else text_flags), "--learning_rate", "1e-2"]
    flags += ["--per_device_train_batch_size", "8", "--label_smoothing_factor", "0.1"]
    here = {"STUDIO_RUNS": str(tmp_path / "runs"), "TMPDIR": str(tmp_path)}
    done = program(f"recipes/{recipe}.py", *flags, "--overfit_batch", env=here)
    assert done.returncode == 0, done.stderr
    assert "The network learnt 8 rows in" in done.stdout and "Test set" not in done.stdout
    assert not (tmp_path / "runs").exists() and not list(tmp_path.glob("dry-run-*"))


def test_a_batch_that_cannot_be_learnt_is_told_with_the_remedy(tmp_path, program, text_flags):
    flags = [*text_flags, "--learning_rate", "1e-7", "--overfit_batch", "--json"]
    done = program("recipes/text_classification.py", *flags, env={"TMPDIR": str(tmp_path)})
    told = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 1 and told["fitted"] is False and told["last_loss"] > 0.5 and told["steps"] == 200
    assert told["verdict"] in done.stderr and "--learning_rate 1e-06 and 1e-08" in told["verdict"]
    assert any("learns next to nothing" in notice for notice in told["notices"])
    assert not list(tmp_path.glob("dry-run-*"))


def commands(text: str) -> list[list[str]]:
    """The recipe commands in the shell blocks of a page."""
    found = []
    for block in re.findall(r"```sh\n(.*?)```", text, flags=re.S):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if any(word.startswith("recipes/") for word in words):
                found.append(words)
    return found


@pytest.mark.parametrize("page", ["README.md", *(str(f.relative_to(ROOT)) for f in ROOT.glob("docs/*.md"))])
def test_every_command_in_the_pages_is_accepted(page):
    recipes = {f"recipes/{recipe.path.name}": recipe for recipe in find(ROOT / "recipes")}
    for words in commands((ROOT / page).read_text()):
        at = next(i for i, word in enumerate(words) if word.startswith("recipes/"))
        assert recipes[words[at]].parse(words[at + 1 :])


def test_the_readme_names_every_file_of_the_top_level_and_the_studio():
    tree = (ROOT / "README.md").read_text()
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    assert tracked
    for name in {file.split("/")[0] for file in tracked if file != "README.md"} | {
        Path(file).name for file in tracked if file.startswith("studio/") and not file.endswith("__init__.py")
    }:
        assert name in tree, name


def test_the_demo_settings_fit_what_the_readme_says():
    demo = yaml.safe_load((ROOT / "recipes/presets/demo.yaml").read_text())
    assert f"{demo['max_train_samples']:,} tweets" in (ROOT / "README.md").read_text()
    assert os.access(ROOT / ".ci/run", os.X_OK)
