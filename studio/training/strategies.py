"""What a strategy does to a network before it is trained: what is frozen, what is added, what is learnt when."""

import copy
import fnmatch
from collections.abc import Callable

import timm
from peft import LoraConfig
from peft.tuners.lora import LoraModel
from torch import nn
from transformers import (
    PreTrainedModel,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)

from studio.config import Strategy
from studio.errors import RequestError
from studio.models import layers


def start_anew(network: PreTrainedModel, seed: int) -> None:
    """Random weights in the place of pretrained ones, as the architecture starts."""
    set_seed(seed)
    if hasattr(network, "timm_model"):
        config = network.config
        fresh = timm.create_model(config.architecture, num_classes=config.num_labels, **(config.model_args or {}))
        network.timm_model.load_state_dict(fresh.state_dict())
    else:
        network.load_state_dict(type(network)(copy.deepcopy(network.config)).state_dict())


def freeze(network: PreTrainedModel, trained: Callable[[str], bool]) -> None:
    """Freezes all parameters but those whose names are `trained`.

    Parts in which nothing is trained behave as in evaluation: batch norms keep their statistics, nothing is dropped.
    """
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(trained(name))
    for module in _frozen_parts(network):
        module.register_forward_pre_hook(_evaluating)


def keep_statistics(network: PreTrainedModel) -> None:
    """Lets batch norms use the means and spreads they know, in training as in evaluation.

    The head was fitted to what comes of these; those of small batches of varied pictures are others.
    """
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.register_forward_pre_hook(_evaluating)


def train_head(network: PreTrainedModel) -> None:
    """Freezes all but the head."""
    freeze(network, layers.head(network).__contains__)


def train_last_blocks(network: PreTrainedModel, count: int) -> None:
    """Freezes all but the last `count` blocks and what stands behind them.

    Raises:
        RequestError: the network has no more blocks than that.
    """
    deep = layers.depths(network)
    blocks = max(deep.values()) - 1
    if count >= blocks:
        raise RequestError(
            f"--trained_blocks {count}: this network has {blocks} blocks, so that nothing of it would be frozen: "
            "name fewer, or take --strategy full"
        )
    freeze(network, lambda name: deep[name] > blocks - count)


def add_lora(network: PreTrainedModel, strategy: Strategy) -> LoraModel:
    """Puts small trained matrices beside the weights of linear and convolutional layers, in place; the rest but the
    head is frozen. `merge` makes them part of the weights (Hu et al. 2021, https://arxiv.org/abs/2106.09685; with
    use_dora Liu et al. 2024, https://arxiv.org/abs/2402.09353).
    """
    head = layers.head(network)
    targets = [
        name
        for name, module in network.named_modules()
        if (isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1))
        and f"{name}.weight" not in head
    ]
    config = LoraConfig(
        r=strategy.lora_rank,
        lora_alpha=strategy.lora_alpha,
        lora_dropout=strategy.lora_dropout,
        use_dora=strategy.use_dora,
        target_modules=targets,
    )
    adapted = LoraModel(network, config, "default")
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in head or "lora_" in name)
    return adapted


class Gradual(TrainerCallback):
    """Trains the head first, then more and more of the network (Howard and Ruder 2018,
    https://arxiv.org/abs/1801.06146).

    What is trained follows from the step alone, so that a resumed run goes on as it was.

    Raises:
        RequestError: a pattern names no parameter.
    """

    def __init__(self, network: PreTrainedModel, strategy: Strategy):
        self.network = network
        self.deep = layers.depths(network)
        self.head = layers.head(network)
        self.moments = strategy.moments()
        for pattern, _, _ in self.moments:
            if not any(fnmatch.fnmatch(name, pattern) for name in self.deep):
                known = sorted({name.rpartition(".")[0] for name in self.deep})
                raise RequestError(
                    f"--unfreeze {pattern} names nothing in this network, whose layers are {_few(known)}"
                )
        self.frozen: list[nn.Parameter] = []

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        self._settle(args, state)

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        self._settle(args, state)

    def on_pre_optimizer_step(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        for parameter in self.frozen:
            parameter.grad = None  # which the optimizer passes over

    def trained(self, name: str, step: int, steps: int, steps_per_epoch: float) -> bool:
        """Whether the parameter learns in the step after `step` of all `steps`."""
        if name in self.head:
            return True
        if not self.moments:
            last = max(self.deep.values())
            return step >= (last - self.deep[name]) * steps / 2 / last
        for pattern, moment, counts_steps in self.moments:
            if fnmatch.fnmatch(name, pattern) and step >= (moment if counts_steps else moment * steps_per_epoch):
                return True
        return False

    def _settle(self, args: TrainingArguments, state: TrainerState) -> None:
        per_epoch = state.max_steps / max(state.num_train_epochs, 1)
        self.frozen = []
        for name, parameter in self.network.named_parameters():
            trained = self.trained(name, state.global_step, state.max_steps, per_epoch)
            if args.world_size == 1:
                parameter.requires_grad_(trained)
            elif not trained:  # several processes agree on the gradients of all parameters, or wait for them for ever
                self.frozen.append(parameter)


def _few(names: list[str]) -> str:
    return ", ".join(names[:40]) + (f" and {len(names) - 40} more" if len(names) > 40 else "")


def _frozen_parts(module: nn.Module) -> list[nn.Module]:
    """The largest parts that have parameters and train none of them."""
    parameters = list(module.parameters())
    if parameters and not any(parameter.requires_grad for parameter in parameters):
        return [module]
    return [part for child in module.children() for part in _frozen_parts(child)]


def _evaluating(module: nn.Module, _inputs: tuple) -> None:
    if module.training:
        module.eval()
