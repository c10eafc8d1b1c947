"""Small networks that start from nothing: is the big one worth it?

Their layers start as He et al. 2015 advise, https://arxiv.org/abs/1502.01852: outputs vary as much as inputs do. They
are standard PreTrainedModels, which the Auto classes know once this module is imported (`import studio.models`).
"""

import contextlib
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    PreTrainedConfig,
    PreTrainedModel,
    initialization,
)
from transformers.modeling_outputs import ImageClassifierOutputWithNoAttention, SequenceClassifierOutput


class LstmConfig(PreTrainedConfig):
    """The shape of an LSTM; what is dropped are shares of the word vectors and of the states."""

    model_type = "studio_lstm"

    vocab_size: int = 20_000
    embedding_size: int = 128
    hidden_size: int = 256
    num_hidden_layers: int = 1
    dropout: float = 0.5
    pad_token_id: int | None = 0
    initializer_range: float = 0.02  # of word vectors: small, so that those of rare words say little


class CnnConfig(PreTrainedConfig):
    """The shape of a small CNN: `hidden_sizes` are the channels of its stages, of which each halves the sides."""

    model_type = "studio_cnn"

    num_channels: int = 3
    hidden_sizes: list[int] | tuple[int, ...] = (32, 64, 128, 256)
    dropout: float = 0.2


class Baseline(PreTrainedModel):
    """A network whose weights start with He et al.'s variances: 2 / inputs where ReLUs follow, 1 / inputs elsewhere."""

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)  # norms, biases
        if isinstance(module, nn.Conv2d | nn.Linear):
            rectified = "relu" if isinstance(self.config, CnnConfig) else "linear"
            initialization.kaiming_normal_(module.weight, nonlinearity=rectified)
        elif isinstance(module, nn.LSTM):
            forgets_little = torch.zeros(4, module.hidden_size)
            forgets_little[1] = 1  # Jozefowicz et al. 2015: what is read first must reach the end
            for name, parameter in module.named_parameters():
                if name.startswith("weight"):
                    initialization.kaiming_normal_(parameter, nonlinearity="linear")
                elif name.startswith("bias_ih"):
                    initialization.copy_(parameter, forgets_little.flatten())


class LstmForSequenceClassification(Baseline):
    """Reads a text once from its beginning to its end, and answers by what it then remembers.

    Hochreiter and Schmidhuber 1997. In one direction, so that what follows a text in its row cannot reach the answer
    and nothing has to be packed.
    """

    config_class = LstmConfig

    def __init__(self, config: LstmConfig):
        super().__init__(config)
        self.embeddings = nn.Embedding(config.vocab_size, config.embedding_size, config.pad_token_id)
        between = config.dropout if config.num_hidden_layers > 1 else 0.0
        sizes = (config.embedding_size, config.hidden_size, config.num_hidden_layers)
        self.lstm = nn.LSTM(*sizes, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def get_input_embeddings(self) -> nn.Embedding:
        return self.embeddings

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        self.embeddings = value

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> SequenceClassifierOutput:
        """Ids and mask are (batch, tokens), padded behind the texts; the logits (batch, classes)."""
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        embedded = self.dropout(self.embeddings(input_ids))
        # cuDNN keeps what its way back needs in training alone, and explanations go back through a network at rest
        slopes_at_rest = embedded.is_cuda and torch.is_grad_enabled() and not self.training
        with torch.backends.cudnn.flags(enabled=False) if slopes_at_rest else contextlib.nullcontext():
            states, _ = self.lstm(embedded)  # (batch, tokens, width)
        last = (attention_mask.sum(1) - 1).clamp(min=0).long()
        state = states[torch.arange(states.shape[0], device=states.device), last]  # (batch, width)
        logits = self.classifier(self.dropout(state))
        return SequenceClassifierOutput(loss=_loss(self, logits, labels), logits=logits)


class CnnForImageClassification(Baseline):
    """Stages of two convolutions each, as of VGG (Simonyan and Zisserman 2015), with batch norms and a mean at the end.

    It takes pictures of any size.
    """

    config_class = CnnConfig
    main_input_name = "pixel_values"

    def __init__(self, config: CnnConfig):
        super().__init__(config)
        inputs = [config.num_channels, *config.hidden_sizes]
        self.stages = nn.ModuleList(map(_stage, inputs, config.hidden_sizes))
        self.shrink = nn.MaxPool2d(2, ceil_mode=True)  # so that something is left of the smallest picture
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(config.hidden_sizes[-1], config.num_labels)
        self.post_init()

    def forward(
        self, pixel_values: torch.Tensor, labels: torch.Tensor | None = None, **kwargs: Any
    ) -> ImageClassifierOutputWithNoAttention:
        """Pixels are (batch, channels, height, width), the logits (batch, classes)."""
        seen = self.stages[0](pixel_values)
        for stage in self.stages[1:]:
            seen = stage(self.shrink(seen))
        logits = self.classifier(self.dropout(seen.mean((2, 3))))
        return ImageClassifierOutputWithNoAttention(loss=_loss(self, logits, labels), logits=logits)


def _stage(inputs: int, outputs: int) -> nn.Sequential:
    """Two convolutions, each with its norm and ReLU; the norm brings the bias."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


def _loss(network: Baseline, logits: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor | None:
    return None if labels is None else network.loss_function(labels, logits, network.config)


for _config, _auto, _network in (
    (LstmConfig, AutoModelForSequenceClassification, LstmForSequenceClassification),
    (CnnConfig, AutoModelForImageClassification, CnnForImageClassification),
):
    AutoConfig.register(_config.model_type, _config, exist_ok=True)
    _auto.register(_config, _network, exist_ok=True)
