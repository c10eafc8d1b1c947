"""What a checkpoint holds is what the network goes on with, whatever its weights are called on the Hub."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageClassification, AutoModelForSequenceClassification, TrainerCallback, ViTConfig
from transformers import ViTForImageClassification as Vit

from studio import events
from studio.config import Training
from studio.errors import RequestError, RunError
from studio.runs import Run, manifest_fault, write_manifest
from studio.training import callbacks
from studio.training import trainer as trainer_module
from studio.training.trainer import StudioTrainer
from tests.training import scaling


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    """A folder with a tiny ViT as the Hub has them: older names than those of the layers in memory."""
    folder = tmp_path_factory.mktemp("vit")
    Vit(ViTConfig(**scaling.SMALL, image_size=16, patch_size=8, num_labels=3)).save_pretrained(folder)
    with safe_open(folder / "model.safetensors", "pt") as published:
        names = set(published.keys())
    assert names != set(AutoModelForImageClassification.from_pretrained(folder).state_dict())
    return folder


def trainer(folder, run, **settings) -> StudioTrainer:
    torch.manual_seed(0)
    data = scaling.rows("vit", 24)
    training = Training(
        per_device_train_batch_size=8, eval_strategy="steps", eval_steps=1, learning_rate=1e-2, warmup_steps=0,
        bf16=False, **settings,
    )  # fmt: skip
    run.folder.mkdir(exist_ok=True)
    network = AutoModelForImageClassification.from_pretrained(folder)
    return StudioTrainer(
        network, training, {"train": data, "validation": data}, data._processor, run, ["a", "b", "c"]
    )  # fmt: skip


def weights(network) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_best_checkpoint_is_in_place_at_the_end_with_all_its_weights(vit, tmp_path):
    learner = trainer(vit, Run(tmp_path), max_steps=3)
    seen, scores = [], iter([0.9, 0.1, 0.2])
    learner.compute_metrics = lambda evaluation: (
        seen.append(weights(learner.model)) or dict.fromkeys(["f1_macro"], next(scores))
    )
    learner.train()
    assert same(weights(learner.model), seen[0]) and not same(seen[0], seen[2])


def test_a_resumed_run_comes_to_the_weights_of_one_that_never_stopped(vit, tmp_path):
    whole = trainer(vit, Run(tmp_path / "whole"), max_steps=4, metric_for_best_model="loss")
    whole.train()
    stopped = Run(tmp_path / "stopped")
    trainer(vit, stopped, max_steps=4, metric_for_best_model="loss", save_total_limit=9).train()
    for late in (3, 4):
        (stopped.checkpoints / f"checkpoint-{late}" / "manifest.json").unlink()
    assert stopped.last_good_checkpoint().endswith("checkpoint-2")
    resumed = trainer(vit, stopped, max_steps=4, metric_for_best_model="loss")
    resumed.train(resume_from_checkpoint=stopped.last_good_checkpoint())
    assert same(weights(resumed.model), weights(whole.model))


def test_a_run_folder_that_was_moved_goes_on_with_its_best_checkpoint(vit, tmp_path):
    scores = iter([0.9, 0.1, 0.2, 0.3])
    first = Run(tmp_path / "here")
    learner = trainer(vit, first, max_steps=4, save_total_limit=9)
    learner.compute_metrics = lambda evaluation: {"f1_macro": next(scores)}
    learner.train()
    moved = Run(first.folder.rename(tmp_path / "there"))
    for late in (3, 4):
        (moved.checkpoints / f"checkpoint-{late}/manifest.json").unlink()
    scores = iter([0.2, 0.3])
    resumed = trainer(vit, moved, max_steps=4, save_total_limit=9)
    resumed.compute_metrics = lambda evaluation: {"f1_macro": next(scores)}
    resumed.train(resume_from_checkpoint=moved.last_good_checkpoint())
    best = load_file(moved.checkpoints / "checkpoint-1/model.safetensors")
    assert same(weights(resumed.model), best)


def test_the_finished_model_has_the_names_of_the_hub(vit, tmp_path):
    learner = trainer(vit, Run(tmp_path), max_steps=1)
    learner.save_model(str(tmp_path / "model"))
    with (
        safe_open(vit / "model.safetensors", "pt") as one,
        safe_open(tmp_path / "model/model.safetensors", "pt") as two,
    ):
        assert set(one.keys()) == set(two.keys())
    assert not list((tmp_path / "model").glob("*.bin"))


def test_a_checkpoint_of_another_network_is_refused_instead_of_filled_in_by_chance(vit, tmp_path):
    run = Run(tmp_path)
    trainer(vit, run, max_steps=1).train()
    file = run.checkpoints / "checkpoint-1/model.safetensors"
    foreign = {f"other.{name}": value for name, value in load_file(file).items()}
    save_file(foreign, file, metadata={"format": "pt"})
    write_manifest(file.parent)
    with pytest.raises(RunError, match="a checkpoint does not fit the network"):
        trainer(vit, run, max_steps=2).train(resume_from_checkpoint=str(file.parent))


def test_older_checkpoints_go_when_a_newer_one_is_sealed_and_the_best_one_stays(vit, tmp_path, monkeypatch):
    run, scores = Run(tmp_path), iter([0.1, 0.9, 0.2, 0.3, 0.4])
    learner = trainer(vit, run, max_steps=5, save_total_limit=2)
    learner.compute_metrics = lambda evaluation: {"f1_macro": next(scores)}
    sealed, rmtree = [], callbacks.shutil.rmtree

    def watched(folder, **kwargs):
        if run.checkpoints not in Path(folder).parents:
            return rmtree(folder, **kwargs)
        sealed.append(all(manifest_fault(c) is None for c in run.checkpoint_folders()[:2]))
        return rmtree(folder)

    monkeypatch.setattr(callbacks.shutil, "rmtree", watched)
    learner.train()
    assert [c.name for c in run.checkpoint_folders()] == ["checkpoint-5", "checkpoint-4", "checkpoint-2"]
    assert sealed == [True, True]


@pytest.mark.parametrize("resumed", [False, True])
def test_a_damaged_best_checkpoint_never_becomes_the_model(vit, tmp_path, resumed):
    class Damage(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == 3 and not resumed:
                damage()

    def damage():
        with (run.checkpoints / "checkpoint-1/model.safetensors").open("r+b") as file:
            file.seek(-1, 2)
            file.write(b"\x55")

    run, scores = Run(tmp_path), iter([0.9, 0.1, 0.2])
    learner = trainer(vit, run, max_steps=3)
    learner.compute_metrics = lambda evaluation: {"f1_macro": next(scores)}
    learner.add_callback(Damage())
    if resumed:  # after its last step
        learner.train()
        damage()
        learner = trainer(vit, run, max_steps=3)
    with pytest.raises(RunError, match="checkpoint-1, cannot become the model: model.safetensors is damaged"):
        learner.train(resume_from_checkpoint=run.last_good_checkpoint() if resumed else None)


def test_a_resumed_run_needs_no_more_room_than_it_has_still_to_fill(vit, tmp_path, monkeypatch):
    run = Run(tmp_path)
    trainer(vit, run, max_steps=3).train()
    weights = sum(p.numel() * p.element_size() for p in trainer(vit, run).model.parameters())
    monkeypatch.setattr(trainer_module.shutil, "disk_usage", lambda folder: SimpleNamespace(free=weights * 6))
    trainer(vit, run, max_steps=4)
    with pytest.raises(RequestError, match="lower --save_total_limit"):
        trainer(vit, Run(tmp_path / "new"), max_steps=4)


def test_a_run_resumed_before_its_first_checkpoint_counts_each_step_once(vit, tmp_path):
    run = Run(tmp_path)
    for resumed in (False, True):
        run.resumed = resumed
        trainer(vit, run, max_steps=2, logging_steps=1).train()
    kept = events.without_replaced(events.read(run.events)[0])
    assert [step for step, _ in events.series(kept, "loss")] == [1, 2]


def test_bert_in_the_old_spelling_of_layer_norms_goes_on_from_its_checkpoint(tiny_bert, tmp_path):
    """bert-base-uncased has gamma and beta where others have weight and bias."""
    old = tmp_path / "old"
    AutoModelForSequenceClassification.from_pretrained(tiny_bert, num_labels=3).save_pretrained(old)
    spelt = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for name, value in load_file(old / "model.safetensors").items()
    }
    save_file(spelt, old / "model.safetensors", metadata={"format": "pt"})
    network = AutoModelForSequenceClassification.from_pretrained(old)
    data = scaling.rows("bert", 16).add_column("length", [8] * 16)
    run = Run(tmp_path / "run")
    run.folder.mkdir()
    learner = StudioTrainer(
        network, Training(max_steps=2, eval_strategy="steps", eval_steps=1, bf16=False),
        {"train": data, "validation": data},
        scaling.BertTokenizer(vocab={w: i for i, w in enumerate(scaling.WORDS)}), run, ["a", "b", "c"],
    )  # fmt: skip
    learner.train()
    state = json.loads((run.checkpoints / "checkpoint-2/trainer_state.json").read_text())
    best = load_file(run.checkpoints / state["best_model_checkpoint"].split("/")[-1] / "model.safetensors")
    assert same(best, weights(learner.model))
