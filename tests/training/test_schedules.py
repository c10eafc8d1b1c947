"""Rates of parameter groups, steps of optimizers, and the moving average, in training; all of it resumable."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers import TrainerState, TrainingArguments

from studio.config import Strategy, Training
from studio.runs import Run
from studio.training import optimizers
from studio.training.average import Average
from studio.training.schedules import Plateau, scheduler
from studio.training.trainer import StudioTrainer
from tests.test_schedules import TABLES
from tests.training import scaling

STEPS = 12
SCORES = [0.5, 0.6, 0.6, 0.6, 0.6]  # of a validation after every second step


def rates(name: str, stop: int | None = None) -> list[list[float]]:
    """The rates of two groups at each step of a toy run, which may be broken off and resumed after a step."""
    training = Training(lr_scheduler_type=name, metric_for_best_model="accuracy")
    state = TrainerState(log_history=[])
    about = SimpleNamespace(greater_is_better=True)

    def made():
        groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in (1e-3, 1e-4)]
        plateau = Plateau(training)
        optimizer = torch.optim.SGD(groups)
        return optimizer, plateau, scheduler(optimizer, training, STEPS, plateau)

    optimizer, plateau, course = made()
    found = []
    for step in range(STEPS):
        found.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        course.step()
        if step % 2 and step // 2 < len(SCORES):
            state.log_history.append({"eval_accuracy": SCORES[step // 2]})
            plateau.on_evaluate(about, state, None)
        if step == stop:
            kept = optimizer.state_dict(), course.state_dict()
            optimizer, plateau, course = made()
            optimizer.load_state_dict(kept[0])
            course.load_state_dict(kept[1])
            plateau.on_train_begin(about, state, None)
    return found


@pytest.mark.parametrize("name", TABLES)
def test_a_resume_at_any_step_gives_the_same_rates_and_groups_keep_their_ratio(name):
    whole = rates(name)
    assert all(rates(name, stop) == whole for stop in range(STEPS))
    assert all(high == pytest.approx(10 * low) for high, low in whole) and max(whole)[0] <= 1e-3


def test_the_rate_falls_when_validations_bring_nothing_better():
    # the fourth validation, after 8 steps, is the second in a row without a better score
    assert [high for high, _ in rates("reduce_lr_on_plateau")][7:11] == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4])


@pytest.mark.parametrize(
    ("name", "rate"), [("adamw_torch_fused", 0.05), ("adafactor", 0.05), ("sgd", 0.05), ("lion", 0.02)]
)
def test_every_optimizer_brings_a_toy_loss_down(name, rate, tmp_path):
    trained = "adamw_torch" if name == "lion" else name
    arguments = TrainingArguments(output_dir=str(tmp_path), optim=trained, learning_rate=rate, use_cpu=True)
    kind, about = optimizers.chosen(Training(optim=name), arguments)
    torch.manual_seed(0)
    weights = nn.Parameter(torch.randn(4, 4))
    optimizer = kind([{"params": [weights], "weight_decay": 0.0}], **about)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = (weights - 1).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert kind.__name__ == {"adamw_torch_fused": "AdamW", "adafactor": "Adafactor", "sgd": "SGD", "lion": "Lion"}[name]
    assert losses[-1] < 0.5 * losses[0] and about["lr"] == rate


def test_sgd_has_momentum_which_a_flag_of_the_trainer_can_change(tmp_path):
    arguments = TrainingArguments(output_dir=str(tmp_path), optim="sgd", use_cpu=True)
    assert optimizers.chosen(Training(optim="sgd"), arguments)[1]["momentum"] == 0.9
    arguments.optim_args = "momentum=0.5"
    assert optimizers.chosen(Training(optim="sgd"), arguments)[1]["momentum"] == 0.5


def test_parts_with_rates_of_their_own_are_trained_by_the_chosen_optimizer(tmp_path):
    trainer = made(Run(tmp_path), Strategy(strategy="full", head_lr_multiplier=10.0), optim="lion")
    trainer.create_optimizer()
    assert type(trainer.optimizer).__name__ == "Lion"
    assert {group["lr"] for group in trainer.optimizer.param_groups} == {1e-1, 1e-2}


def test_the_average_is_that_of_a_hand_computation_with_running_statistics():
    network = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    average, state = Average(network, decay=0.5), TrainerState()
    with torch.no_grad():
        network[0].weight.fill_(1.0)
        average.on_train_begin(None, state, None)
        for step, value in enumerate([2.0, 4.0, 8.0]):
            network[0].weight.fill_(value)
            network[1].running_mean.fill_(value)
            network[1].num_batches_tracked.fill_(step)
            state.global_step = step
            average.on_optimizer_step(None, state, None)
    kept = [2 / 11, 3 / 12, 4 / 13]  # all below 0.5: (1 + step) / (10 + step)
    weight, mean = 1.0, 0.0
    for share, value in zip(kept, [2.0, 4.0, 8.0], strict=True):
        weight, mean = (share * old + (1 - share) * value for old in (weight, mean))
    with average.in_place():
        assert network[0].weight.item() == pytest.approx(weight)
        assert network[1].running_mean.item() == pytest.approx(mean) and network[1].num_batches_tracked == 2
    assert network[0].weight.item() == 8 and network[1].running_mean.item() == 8
    state.global_step = 100
    average.on_optimizer_step(None, state, None)
    assert average.aside["0.weight"].item() == pytest.approx(0.5 * weight + 0.5 * 8)


def made(run: Run, strategy: Strategy | None = None, **settings) -> StudioTrainer:
    """A trainer of a ResNet, which has running statistics, on a few pictures."""
    run.folder.mkdir(exist_ok=True)
    network, data = scaling.network("resnet"), scaling.rows("resnet", 24)
    training = Training(
        max_steps=6, per_device_train_batch_size=8, eval_strategy="steps", eval_steps=2, learning_rate=1e-2,
        bf16=False, save_total_limit=9, metric_for_best_model="loss", **settings,
    )  # fmt: skip
    rows = {"train": data, "validation": data}
    return StudioTrainer(network, training, rows, data._processor, run, ["a", "b", "c"], strategy=strategy)


def train(folder, after: int = 6, **settings) -> StudioTrainer:
    """All of 6 steps, or what is left of them when a run is resumed that was killed soon `after` a step."""
    run = Run(folder)
    trainer = made(run, **settings)
    for late in range(after + 2, 7, 2):
        (run.checkpoints / f"checkpoint-{late}" / "manifest.json").unlink()
    trainer.train(resume_from_checkpoint=run.last_good_checkpoint())
    return trainer


def weights(trainer) -> list[torch.Tensor]:
    return [tensor.clone() for tensor in trainer.model.state_dict().values()]


def same(one, other) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("optim", ["adamw_torch_fused", "adafactor", "sgd", "lion"])
def test_a_run_with_an_average_goes_on_bit_for_bit(optim, tmp_path):
    whole = train(tmp_path / "run", ema_decay=0.9, optim=optim)
    expected, aside = weights(whole), {name: tensor.clone() for name, tensor in whole.average.aside.items()}
    resumed = train(tmp_path / "run", 2, ema_decay=0.9, optim=optim)
    assert resumed.state.global_step == 6 and same(weights(resumed), expected)
    assert same(resumed.average.aside.values(), aside.values())


def test_what_is_validated_chosen_and_kept_is_the_average(tmp_path):
    plain, averaged = train(tmp_path / "plain"), train(tmp_path / "averaged", ema_decay=0.9)
    losses = [
        [entry["eval_loss"] for entry in one.state.log_history if "eval_loss" in entry] for one in (plain, averaged)
    ]
    assert losses[0] != losses[1]  # of the same steps: training itself is the same
    assert [entry["loss"] for entry in plain.state.log_history if "loss" in entry] == [
        entry["loss"] for entry in averaged.state.log_history if "loss" in entry
    ]
    assert averaged.evaluate()["eval_loss"] == pytest.approx(min(losses[1]))
    assert not same(weights(plain), weights(averaged))


@pytest.mark.slow
def test_all_processes_validate_the_statistics_that_are_saved(program):
    two = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    done = program(*two, "-m", "tests.training.averaging")
    assert done.returncode == 0, done.stderr[-3000:]
