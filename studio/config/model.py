"""Settings about the network that training starts from."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from studio.errors import RequestError
from studio.fields import Range, Settings, arg

Rate = Annotated[float, Range(0.0, 0.9)]


@dataclass
class ModelChoice(Settings):
    """The network that training starts from."""

    title: ClassVar[str] = "Model"

    model_name_or_path: str = arg(
        "sample:minilm",
        "a model on the Hub, a model folder, a sample (sample:minilm, sample:efficientnet_lite0) "
        "or timm:ARCHITECTURE for fresh weights",
        path=True,
    )
    model_revision: str | None = arg(None, "branch, tag or commit of a Hub model", advanced=True)
    model_kwargs: str | None = arg(
        None,
        "keyword arguments of a timm: architecture as YAML, such as '{patch_size: 4, depth: 6}'",
        advanced=True,
    )
    dropout: Rate | None = arg(
        None,
        "share of the hidden values (in timm's architectures: of those before the head) that a step leaves out (when "
        "not given: the model's own)",
        advanced=True,
    )
    drop_path_rate: Rate | None = arg(
        None,
        "share of the deepest block's outputs that a step leaves out, stochastic depth (when not given: the model's "
        "own)",
        advanced=True,
    )

    def __post_init__(self):
        super().__post_init__()
        if self.model_kwargs and not self.model_name_or_path.startswith("timm:"):
            raise RequestError(
                "--model_kwargs shapes a fresh timm: architecture; "
                f"{self.model_name_or_path} brings its own shape, so leave --model_kwargs out"
            )
