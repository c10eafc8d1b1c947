"""A run that is stopped and goes on comes to the weights and figures of one that never stopped, bit for bit."""

import os
import signal

import pytest
import torch
from transformers import AutoModelForSequenceClassification, BertConfig, TrainerCallback

from studio import events, stopping
from studio.config import Training
from studio.errors import RunError
from studio.runs import Run
from studio.stopping import SIGNALS, Stopped
from studio.training.trainer import NOT_EVALUATED, StudioTrainer
from tests.training import scaling

ROWS = 26  # of batches of 4 accumulated by 2: 4 steps an epoch, the last one ragged


class SignalAt(TrainerCallback):
    """Sends this process a SIGTERM at the start of a step, or at a prediction of the evaluation after a step."""

    def __init__(self, step: int, prediction: int | None = None):
        self.step, self.prediction = step, prediction

    def on_step_begin(self, args, state, control, **kwargs):
        if self.prediction is None and state.global_step == self.step:
            os.kill(os.getpid(), signal.SIGTERM)

    def on_prediction_step(self, args, state, control, **kwargs):
        if self.prediction is not None and state.global_step == self.step:
            if self.prediction == 0:
                os.kill(os.getpid(), signal.SIGTERM)
            self.prediction -= 1


@pytest.fixture(autouse=True)
def listening():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    SIGNALS.listen()
    yield
    SIGNALS.asked = SIGNALS.patient = SIGNALS.deaf = False
    for number, handler in before.items():
        signal.signal(number, handler)


def train(folder, *callbacks, balance=None, **settings) -> StudioTrainer:
    """Two epochs of a BERT with dropout, resumed where the folder has a checkpoint."""
    torch.manual_seed(0)
    run = Run(folder)
    run.folder.mkdir(exist_ok=True)
    run.resumed = run.events.exists()
    network = AutoModelForSequenceClassification.from_config(BertConfig(**scaling.TEXT, num_labels=3))
    data = scaling.rows("bert", ROWS).add_column("length", [9] * ROWS)
    defaults = {
        "num_train_epochs": 2,
        "per_device_train_batch_size": 4,
        "per_device_eval_batch_size": 8,
        "gradient_accumulation_steps": 2,
        "bf16": False,
        "logging_steps": 1,
        "learning_rate": 1e-2,
        "save_total_limit": 9,
    }
    training = Training(**(defaults | settings))
    tokenizer = scaling.BertTokenizer(vocab={w: i for i, w in enumerate(scaling.WORDS)})
    rows = {"train": data, "validation": data}
    trainer = StudioTrainer(network, training, rows, tokenizer, run, ["a", "b", "c"], balance)
    for callback in callbacks:
        trainer.callback_handler.callbacks.insert(0, callback)
    trainer.train(resume_from_checkpoint=run.last_good_checkpoint())
    return trainer


def figures(folder) -> list:
    """Each step's loss and gradient norm and each validation's figures, as a reader of the events sees them."""
    kept = events.without_replaced(events.read(Run(folder).events)[0])
    return [events.series(kept, name) for name in ("loss", "grad_norm", "learning_rate", "eval_loss", "eval_f1_macro")]


def weights(trainer) -> list[torch.Tensor]:
    return list(trainer.model.state_dict().values())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    made = {}
    for name, settings in EVALUATIONS.items():
        folder = tmp_path_factory.mktemp("whole") / "run"
        made[name] = weights(train(folder, **settings)), figures(folder)
    return made


EVALUATIONS = {"epoch": {}, "steps": {"eval_strategy": "steps", "eval_steps": 3}}
POINTS = [("epoch", step, None) for step in range(8)] + [("epoch", step, p) for step in (4, 8) for p in (0, 2)]
POINTS += [("steps", step, None) for step in (0, 2, 3, 7)] + [("steps", step, p) for step in (3, 6) for p in (0, 3)]


@pytest.mark.parametrize(("evaluation", "step", "prediction"), POINTS)
def test_sigterm_at_any_point_then_going_on_changes_no_bit(whole, tmp_path, evaluation, step, prediction):
    settings = EVALUATIONS[evaluation]
    with pytest.raises(Stopped) as stop:
        train(tmp_path / "run", SignalAt(step, prediction), **settings)
    assert stop.value.saved
    expected = step if prediction is not None else step + 1
    assert Run(tmp_path / "run").last_good_checkpoint().endswith(f"checkpoint-{expected}")
    SIGNALS.asked = False
    resumed = train(tmp_path / "run", **settings)
    expected_weights, expected_figures = whole[evaluation]
    assert all(torch.equal(a, b) for a, b in zip(weights(resumed), expected_weights, strict=True))
    assert figures(tmp_path / "run") == expected_figures
    assert not list((tmp_path / "run").rglob(NOT_EVALUATED))


def test_a_request_in_the_folder_stops_the_run_as_a_signal_does(tmp_path):
    class Ask(TrainerCallback):
        def on_step_begin(self, args, state, control, **kwargs):
            stopping.ask(tmp_path / "run", "stop")

    with pytest.raises(Stopped) as stop:
        train(tmp_path / "run", Ask())
    assert stop.value.saved and Run(tmp_path / "run").last_good_checkpoint().endswith("checkpoint-1")
    assert Run(tmp_path / "run").state() == "stopping"


def test_a_run_that_is_to_be_discarded_saves_nothing(tmp_path):
    stopping.ask(tmp_path, "discard")
    with pytest.raises(Stopped) as stop:
        train(tmp_path)
    assert not stop.value.saved and not Run(tmp_path).checkpoint_folders()


@pytest.mark.parametrize(("number", "saved"), [(signal.SIGTERM, True), (signal.SIGHUP, True), (signal.SIGINT, False)])
def test_only_a_second_ctrl_c_stops_at_once(tmp_path, number, saved):
    """Schedulers send SIGTERM to all processes of a job, and its launcher once more to the ranks."""

    class Thrice(TrainerCallback):
        def on_step_begin(self, args, state, control, **kwargs):
            for _ in range(2):
                os.kill(os.getpid(), number)

        def on_save(self, args, state, control, **kwargs):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped) as stop:
        train(tmp_path, Thrice())
    assert stop.value.saved == saved and bool(Run(tmp_path).last_good_checkpoint()) == saved
    os.kill(os.getpid(), signal.SIGTERM)  # before it is written that it has stopped


@pytest.mark.parametrize("moment", ["on_evaluate", "on_save"])
def test_a_kill_while_a_broken_off_validation_is_made_up_for_loses_no_checkpoint(whole, tmp_path, moment):
    class Killed(Exception):
        pass

    class Kill(TrainerCallback):
        pass

    def kill(self, args, state, control, **kwargs):
        raise Killed

    setattr(Kill, moment, kill)
    for error, callback in ((Stopped, SignalAt(4, 0)), (Killed, Kill())):
        with pytest.raises(error):
            train(tmp_path / "run", callback)
        SIGNALS.asked = False
        assert Run(tmp_path / "run").last_good_checkpoint().endswith("checkpoint-4")
    resumed = train(tmp_path / "run")
    expected_weights, expected_figures = whole["epoch"]
    assert all(torch.equal(a, b) for a, b in zip(weights(resumed), expected_weights, strict=True))
    assert figures(tmp_path / "run") == expected_figures
    names = {c.name for c in Run(tmp_path / "run").checkpoint_folders()}
    assert names == {"checkpoint-4", "checkpoint-8"}


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_a_number_that_is_none_stops_the_run_before_it_reaches_the_weights(tmp_path, what):
    bad = 3

    class Poison(TrainerCallback):
        def on_step_begin(self, args, state, control, model=None, **kwargs):
            self.before = [p.detach().clone() for p in model.parameters()]
            self.model, self.step = model, state.global_step
            if state.global_step == bad and what == "loss":
                hook = model.register_forward_hook(
                    lambda m, i, o: hook.remove() or o.__class__(logits=o.logits * torch.nan)
                )
            if state.global_step == bad and what == "gradient":
                weight = next(model.parameters())
                hook = weight.register_hook(lambda gradient: hook.remove() or gradient * torch.inf)

    poison = Poison()
    with pytest.raises(RunError, match=f"not a number at step {bad + 1}") as failure:
        train(tmp_path, poison)
    assert failure.value.cause == "nan" and poison.step == bad
    assert all(torch.equal(a, b) for a, b in zip(poison.before, poison.model.parameters(), strict=True))
