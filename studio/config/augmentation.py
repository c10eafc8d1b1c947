"""Settings about how training rows are varied, and how a network is kept from depending on their details."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from studio.errors import RequestError
from studio.fields import Range, Settings, arg

Share = Annotated[float, Range(0.0, 0.9)]
Alpha = Annotated[float, Range(0.0, 10.0)]


@dataclass
class Augmentation(Settings):
    """What texts and pictures have in common. By the defaults of these groups nothing is varied."""

    title: ClassVar[str] = "Augmentation"

    rdrop_alpha: Alpha = arg(
        0.0,
        "R-Drop: weight of the rule that two passes with different dropout agree (0: none; 1 to 5 are usual; "
        "a step takes twice as long)",
        advanced=True,
    )


@dataclass
class TextAugmentation(Augmentation):
    """How training texts are varied."""

    word_deletion: Share = arg(0.0, "share of the words that training texts lose, others each time (0.1 is usual)")
    word_swap: Share = arg(
        0.0, "share of the words that change places in training texts, others each time (0.1 is usual)"
    )
    fgm_epsilon: Annotated[float, Range(0.0, 100.0)] = arg(
        0.0,
        "adversarial training: length of the worst step away from a text's word embeddings on which it is learnt "
        "as well (0: none; 1 is usual; a step takes twice as long)",
        advanced=True,
    )


@dataclass
class ImageAugmentation(Augmentation):
    """How training pictures are varied."""

    augmentation: Literal["none", "light", "medium", "strong"] = arg(
        "none",
        "how much training pictures are varied: light shifts and crops them a little, medium more, strong also turns, "
        "recolours, blurs and roughens them",
    )
    mirror: bool = arg(
        False,
        "pictures keep their meaning in a mirror and in large crops, as photos of things do; digits, documents and "
        "signs do not",
    )
    augmentation_policy: Literal["none", "randaugment", "autoaugment"] = arg(
        "none",
        "changes drawn from a list besides: randaugment, two at random; autoaugment, pairs that were searched for",
        advanced=True,
    )
    randaugment_magnitude: Annotated[int, Range(0, 30)] | None = arg(
        None, "how strong the changes of randaugment are (when not given: 9)", advanced=True
    )
    random_erasing: Annotated[float, Range(0.0, 1.0)] = arg(
        0.0, "share of the training pictures of which a box is overwritten with noise (0.25 is usual)", advanced=True
    )
    mixup_alpha: Alpha = arg(
        0.0, "mixup: training pictures are laid over each other in pairs (0: none; 0.2 is usual)", advanced=True
    )
    cutmix_alpha: Alpha = arg(
        0.0, "CutMix: training pictures get a box of another one (0: none; 1 is usual)", advanced=True
    )
    tta_views: Annotated[int, Range(1, 32)] = arg(
        1,
        "test pictures are scored a second time by the mean answer over this many views of each; a served model "
        "looks once, and so do all other figures",
        advanced=True,
    )

    def __post_init__(self):
        super().__post_init__()
        if self.randaugment_magnitude is not None and self.augmentation_policy != "randaugment":
            raise RequestError(
                f"--randaugment_magnitude {self.randaugment_magnitude} changes nothing without "
                "--augmentation_policy randaugment: add it, or leave the magnitude out"
            )
        if self.rdrop_alpha and (mixed := [name for name in ("mixup", "cutmix") if getattr(self, f"{name}_alpha")]):
            raise RequestError(
                f"--{mixed[0]}_alpha and --rdrop_alpha cannot go together: R-Drop compares two looks at one picture, "
                "and mixed ones are two pictures; set one of them to 0"
            )
