"""Settings for classes of very different sizes."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from studio.errors import RequestError
from studio.fields import Range, Settings, arg


@dataclass
class Balance(Settings):
    """What is done about classes of very different sizes. Training alone changes: scores stay those of the rows."""

    title: ClassVar[str] = "Classes of different sizes"

    class_weights: Literal["none", "balanced"] = arg(
        "none", "how much a row counts: none, each the same; balanced, the more the rarer its class is"
    )
    sampling: Literal["natural", "balanced", "oversample", "undersample"] = arg(
        "natural",
        "the rows of an epoch: natural, each once; balanced, as many, and every class as often; oversample, every "
        "class as often as the largest; undersample, as often as the smallest",
    )
    loss: Literal["cross_entropy", "focal", "logit_adjusted"] = arg(
        "cross_entropy",
        "what is made small: cross_entropy; focal, which passes over rows that are easy; logit_adjusted, which asks "
        "a wider lead of rare classes",
        advanced=True,
    )
    focal_gamma: Annotated[float, Range(0.0, 10.0)] | None = arg(
        None, "how far --loss focal passes over easy rows (when not given: 2; 0 is cross_entropy)", advanced=True
    )
    logit_adjustment_tau: Annotated[float, Range(0.0, 5.0)] | None = arg(
        None, "how wide a lead --loss logit_adjusted asks (when not given: 1; 0 is cross_entropy)", advanced=True
    )

    def __post_init__(self):
        super().__post_init__()
        if self.focal_gamma is not None and self.loss != "focal":
            raise RequestError(f"--focal_gamma {self.focal_gamma:g} needs --loss focal")
        if self.logit_adjustment_tau is not None and self.loss != "logit_adjusted":
            raise RequestError(f"--logit_adjustment_tau {self.logit_adjustment_tau:g} needs --loss logit_adjusted")
        remedies = {
            f"--class_weights {self.class_weights}": self.class_weights != "none",
            f"--sampling {self.sampling}": self.sampling != "natural",
            "--loss logit_adjusted": self.loss == "logit_adjusted",
        }
        taken = [flag for flag, is_taken in remedies.items() if is_taken]
        if len(taken) > 1:
            raise RequestError(
                f"{' and '.join(taken)} each make up for the sizes of the classes, and together they would do so "
                "twice: keep one of them"
            )

    @property
    def idle(self) -> bool:
        """Whether nothing is done: each row comes once an epoch and counts the same."""
        return (self.class_weights, self.sampling, self.loss) == ("none", "natural", "cross_entropy")

    @property
    def gamma(self) -> float:
        """The focusing of Lin et al. 2017, whose value 2 is the default (https://arxiv.org/abs/1708.02002)."""
        if self.loss != "focal":
            return 0.0
        return 2.0 if self.focal_gamma is None else self.focal_gamma

    @property
    def tau(self) -> float:
        """The scale of the adjustment; 1 is the one that makes mistakes on all classes equally dear."""
        if self.loss != "logit_adjusted":
            return 0.0
        return 1.0 if self.logit_adjustment_tau is None else self.logit_adjustment_tau
