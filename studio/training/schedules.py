"""The learning rate's course in training: at each step a share of every parameter group's own rate."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from studio.config import Training
from studio.schedules import drops, schedule


class Plateau(TrainerCallback):
    """Knows by what factor the learning rate has fallen since validations bring nothing better.

    It follows from the history of the run, so that it goes on after a resume. Other schedules leave it at 1.
    """

    def __init__(self, training: Training):
        self.training = training
        self.factor = 1.0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        self.on_evaluate(args, state, control)

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        if self.training.lr_scheduler_type != "reduce_lr_on_plateau":
            return
        name = f"eval_{self.training.metric_for_best_model}"
        sign = 1 if args.greater_is_better else -1
        scores = [sign * entry[name] for entry in state.log_history if name in entry]
        fallen = drops(scores, self.training.of_schedule("lr_patience"))
        self.factor = self.training.of_schedule("lr_gamma") ** fallen


def scheduler(optimizer: Optimizer, training: Training, steps: int, plateau: Plateau) -> LambdaLR:
    """Sets the rates of an optimizer's groups, in a run of so many steps."""
    share = schedule(training, steps)
    return LambdaLR(optimizer, lambda step: share(step) * plateau.factor)
