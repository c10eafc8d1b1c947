"""Each strategy trains exactly what it says, ends as a standard model, and goes on after a stop as if none had been."""

import json
from types import SimpleNamespace

import pytest
import torch

from studio import events
from studio.config import Augmentation, Balance, Strategy, Training
from studio.errors import RequestError
from studio.runs import Run
from studio.stopping import Stopped
from studio.training import auto, budget, callbacks, rates, strategies
from studio.training.fit import fit
from tests.training import scaling

LABELS = ["a", "b", "c"]
STEPS = 6


def network(family: str = "bert"):
    return scaling.network(family)


def trained(folder, one, family: str = "bert", **settings):
    run = Run(folder)
    run.folder.mkdir(exist_ok=True)
    run.resumed = run.events.exists()
    rows = scaling.rows(family, 24)
    if family == "bert":
        rows = rows.add_column("length", [9] * 24)
        processor = scaling.BertTokenizer(vocab={word: i for i, word in enumerate(scaling.WORDS)})
    else:
        processor = rows._processor
    training = Training(
        per_device_train_batch_size=8, eval_strategy="steps", eval_steps=2, max_steps=STEPS, learning_rate=1e-2,
        warmup_steps=0, bf16=False, logging_steps=1, weight_decay=0.0, save_total_limit=9,
    )  # fmt: skip
    split = {"train": rows, "validation": rows, "test": rows}
    return fit(one, processor, split, LABELS, run, Augmentation(), Strategy(**settings), Balance(), training)


def changed(before: dict, after: dict) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


def weights(one) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in one.state_dict().items()}


@pytest.mark.parametrize(
    ("family", "settings", "moves"),
    [
        ("bert", {"strategy": "full"}, lambda name: True),
        ("bert", {"strategy": "features"}, lambda name: name.startswith("classifier")),
        ("timm", {"strategy": "features"}, lambda name: name.startswith("timm_model.fc")),
        (
            "bert",
            {"strategy": "partial", "trained_blocks": 1},
            lambda name: name.startswith(("classifier", "bert.pooler", "bert.encoder.layer.1")),
        ),
        (
            "timm",
            {"strategy": "partial", "trained_blocks": 1},
            lambda name: name.startswith(("timm_model.fc", "timm_model.layer4")),
        ),
    ],
)
def test_what_is_frozen_keeps_its_weights_and_its_statistics(tmp_path, family, settings, moves):
    one = network(family)
    before = weights(one)
    trained(tmp_path, one, family, **settings)
    still = {name for name in before if not moves(name)}
    found = changed(before, one.state_dict())
    assert found and not found & still


def test_gradual_unfreezing_goes_from_the_head_to_the_embeddings_by_the_step(tmp_path):
    one = network()
    plan = strategies.Gradual(one, Strategy(strategy="gradual"))
    seen = [{plan.deep[n] for n, _ in one.named_parameters() if plan.trained(n, step, 12, 4)} for step in range(12)]
    assert seen[0] == {3} and seen[2] == {2, 3} and seen[4] == {1, 2, 3} and seen[6] == {0, 1, 2, 3} == seen[11]


def test_gradual_unfreezing_by_patterns_heeds_epochs_and_steps(tmp_path):
    one = network()
    before = weights(one)
    plan = strategies.Gradual(one, Strategy(strategy="gradual", unfreeze=["*layer.1.*@1", "*layer.0.*@3steps"]))
    blocks = [
        {
            name.split(".")[3]
            for name, _ in one.named_parameters()
            if "layer." in name and plan.trained(name, step, 12, 4)
        }
        for step in range(6)
    ]
    assert blocks == [set(), set(), set(), {"0"}, {"0", "1"}, {"0", "1"}]
    trained(tmp_path, one, strategy="gradual", unfreeze=["*layer.1.*@0"])
    assert {name for name in changed(before, one.state_dict()) if "classifier" not in name} == {
        name for name in before if "layer.1." in name and not name.endswith("key.bias")
    } | {name for name in changed(before, one.state_dict()) if name.endswith("1.attention.self.key.bias")}


def test_among_several_processes_what_is_not_yet_trained_is_kept_from_the_optimizer():
    one = network()
    plan = strategies.Gradual(one, Strategy(strategy="gradual"))
    several = SimpleNamespace(world_size=2)
    plan.on_train_begin(several, SimpleNamespace(global_step=0, max_steps=12, num_train_epochs=3), None)
    for parameter in one.parameters():
        assert parameter.requires_grad  # the processes wait for the gradients of all
        parameter.grad = torch.ones_like(parameter)
    plan.on_pre_optimizer_step(several, None, None)
    learning = {name for name, parameter in one.named_parameters() if parameter.grad is not None}
    assert learning == {name for name, depth in plan.deep.items() if depth == 3}


def test_a_pattern_that_names_nothing_is_refused_with_the_layers_there_are():
    with pytest.raises(RequestError, match=r"--unfreeze \*layer.7\* names nothing .*bert.encoder.layer.1.output.dense"):
        strategies.Gradual(network(), Strategy(strategy="gradual", unfreeze=["*layer.7*@1"]))


@pytest.mark.parametrize(("family", "dora"), [("bert", False), ("bert", True), ("timm", False)])
def test_lora_trains_small_matrices_and_ends_as_a_standard_model_that_answers_the_same(tmp_path, family, dora):
    one = network(family)
    before = weights(one)
    learner = trained(tmp_path, one, family, strategy="lora", lora_rank=2, use_dora=dora)
    told = next(e.data for e in events.read(Run(tmp_path).events)[0] if "trainable_parameters" in e.data)
    assert told["trainable_parameters"] < told["parameters"] / 3 and told["strategy"] == "lora"
    assert set(one.state_dict()) == set(before)  # merged: no matrix of LoRA's is left
    kernel = "bert.encoder.layer.0.attention.self.query" if family == "bert" else "timm_model.layer2.0.conv1"
    moved = changed(before, one.state_dict())
    assert f"{kernel}.weight" in moved and f"{kernel}.bias" not in moved
    scores = [e for e in learner.state.log_history if "eval_loss" in e and e["step"] == learner.state.best_global_step]
    assert learner.evaluate()["eval_loss"] == pytest.approx(scores[-1]["eval_loss"], abs=1e-4)


@pytest.mark.parametrize("family", ["bert", "timm"])
def test_from_scratch_nothing_pretrained_is_left(family):
    one = network(family)
    before = weights(one)
    strategies.start_anew(one, seed=7)
    kernels = {name for name, p in one.named_parameters() if p.ndim > 1}
    assert kernels <= changed(before, one.state_dict())
    again = network(family)
    strategies.start_anew(again, seed=7)
    assert not changed(weights(one), weights(again))


def test_more_blocks_than_there_are_is_refused():
    with pytest.raises(RequestError, match="--trained_blocks 2: this network has 2 blocks"):
        strategies.train_last_blocks(network(), 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strategy": "lora", "unfreeze": ["*@1"]}, "--unfreeze is for --strategy gradual, and --strategy lora"),
        ({"lora_rank": 4}, "--lora_rank is for --strategy lora"),
        ({"strategy": "gradual", "unfreeze": ["layer"]}, "--unfreeze layer: write PATTERN@EPOCH"),
        ({"strategy": "features", "layer_decay": 0.9}, "--layer_decay slows the blocks down"),
    ],
)
def test_settings_that_conflict_are_refused(settings, message):
    with pytest.raises(RequestError, match=message):
        Strategy(**settings)


def test_learning_rates_reach_the_right_groups():
    one = network()
    arguments = SimpleNamespace(learning_rate=1.0, weight_decay=0.1)
    decaying = {name for name, p in one.named_parameters() if p.ndim > 1}
    found = rates.groups(one, arguments, Strategy(layer_decay=0.5, head_lr_multiplier=10), decaying)
    rate = {id(p): (group["lr"], group["weight_decay"]) for group in found for p in group["params"]}
    by_name = {name: rate[id(p)] for name, p in one.named_parameters()}
    assert by_name["classifier.weight"] == (10, 0.1) and by_name["classifier.bias"] == (10, 0.0)
    assert by_name["bert.pooler.dense.weight"] == (1, 0.1)
    assert by_name["bert.encoder.layer.1.output.dense.weight"] == (0.5, 0.1)
    assert by_name["bert.encoder.layer.0.output.dense.bias"] == (0.25, 0.0)
    assert by_name["bert.embeddings.word_embeddings.weight"] == (0.125, 0.1)
    assert len(rate) == len(by_name)


@pytest.mark.parametrize(
    "settings",
    [
        {"strategy": "features"},
        {"strategy": "gradual"},
        {"strategy": "lora", "lora_dropout": 0.5},
        {"strategy": "full", "layer_decay": 0.5},
        {"strategy": "probe_then_full"},
    ],
    ids=lambda settings: settings["strategy"],
)
def test_a_run_that_was_stopped_goes_on_to_the_same_bits(tmp_path, monkeypatch, settings):
    whole, parts = network(), network()
    whole.name_or_path = parts.name_or_path = "pretrained"
    trained(tmp_path / "whole", whole, **settings)
    with monkeypatch.context() as patch:
        patch.setattr(callbacks.StopWhenAsked, "asked", lambda self, args: self.run.step >= 3)
        with pytest.raises(Stopped):
            trained(tmp_path / "parts", network() if settings["strategy"] == "lora" else parts, **settings)
    parts = network()
    parts.name_or_path = "pretrained"
    trained(tmp_path / "parts", parts, **settings)
    assert not changed(weights(whole), weights(parts))


def test_the_probe_is_the_first_checkpoint_and_is_kept_where_training_makes_it_worse(tmp_path):
    one = network()
    one.name_or_path = "pretrained"
    learner = trained(tmp_path, one, strategy="probe_then_full")
    scores = {e["step"]: e["eval_f1_macro"] for e in learner.state.log_history if "eval_f1_macro" in e}
    assert (
        list(scores)[0] == 0
        and (Run(tmp_path).checkpoints / "checkpoint-0").is_dir()
        or max(scores.values()) > scores[0]
    )
    assert json.loads((tmp_path / "strategy.json").read_text())["probe_accuracy"] <= 1.0


def test_what_is_given_is_never_overruled_and_what_is_left_open_is_told_with_reasons():
    open_ = auto.choose(Strategy(), Training(), network(), 500, 50, 3, 0.9)
    assert open_.strategy == "probe_then_full" and len(open_.reasons) == 3
    assert (open_.num_train_epochs, open_.learning_rate) == (budget.epochs(500, "full"), 1e-4)
    given = Training(num_train_epochs=3, learning_rate=1e-5)
    said = auto.choose(Strategy(strategy="full"), given, network(), 500, 50, 3, None)
    assert (said.strategy, said.num_train_epochs, said.learning_rate, said.reasons) == ("full", 3, 1e-5, [])
    assert auto.choose(Strategy(), Training(), network(), 500, 50, 3, None).strategy == "scratch"


def test_a_probe_that_errs_too_seldom_to_see_a_gain_is_left_as_it_is():
    chosen = [auto.choose(Strategy(), Training(), network(), 500, rows, 3, 0.95).strategy for rows in (17, 200)]
    assert chosen == ["features", "probe_then_full"]


def test_few_rows_are_seen_often_and_many_rows_seldom():
    passes = [budget.epochs(rows, "probe_then_full") for rows in (20, 100, 1000, 7000, 100_000)]
    assert passes == sorted(passes, reverse=True) and passes[0] == 20 and passes[-1] == 2
