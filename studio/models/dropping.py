"""Dropout and stochastic depth: set where an architecture has them, refused where it has not."""

from typing import Any

from transformers import PreTrainedConfig, TimmWrapperConfig

from studio.config import ModelChoice
from studio.errors import RequestError


def set_rates(config: PreTrainedConfig, model: ModelChoice) -> None:
    """Writes the rates that were asked for into the configuration that a network is built from.

    Architectures have different names for them. Dropout is that of hidden states and of the head; that of attention
    is left as it is.

    Raises:
        RequestError: the architecture has none.
    """
    if isinstance(config, TimmWrapperConfig):
        config.model_args = {**(config.model_args or {}), **timm_rates(model)}
        return
    known = [name for name in config.to_dict() if "drop" in name]
    depth = [name for name in known if name.startswith(("drop_path", "drop_connect"))]
    hidden = [name for name in known if ("dropout" in name or "pdrop" in name) and not name.startswith(("att", "qa_"))]
    for flag, rate, names in (("dropout", model.dropout, hidden), ("drop_path_rate", model.drop_path_rate, depth)):
        if rate is not None and not names:
            raise RequestError(
                f"--{flag} {rate:g}: {model.model_name_or_path} ({config.model_type}) has nothing of the kind; "
                f"it has {', '.join(known) or 'no other rate either'}. Leave --{flag} out"
            )
        if rate is not None:
            config.update(dict.fromkeys(names, rate))


def timm_rates(model: ModelChoice) -> dict[str, Any]:
    """The rates as timm's architectures take them; timm refuses those that one has not."""
    asked = {"drop_rate": model.dropout, "drop_path_rate": model.drop_path_rate}
    return {name: rate for name, rate in asked.items() if rate is not None}
