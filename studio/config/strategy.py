"""Settings about what of the network is trained, and how fast each part of it learns."""

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from studio.config.common import Count
from studio.errors import RequestError
from studio.fields import Range, Settings, arg, specs

_MOMENT = re.compile(r"(?P<pattern>.+)@(?P<number>\d+(\.\d+)?)(?P<steps>steps)?")
# Settings that one strategy alone heeds.
_OWNERS = {"unfreeze": "gradual", "trained_blocks": "partial"}
_OWNERS |= dict.fromkeys(("lora_rank", "lora_alpha", "lora_dropout", "use_dora"), "lora")


@dataclass
class Strategy(Settings):
    """What of the network is trained, when, and how fast."""

    title: ClassVar[str] = "Strategy"

    strategy: Literal[
        "auto", "full", "probe_then_full", "features", "partial", "gradual", "lora", "scratch"
    ] = arg(
        "auto",
        "what is trained. full: all of the network; probe_then_full: a linear classifier on the frozen network first, "
        "then all from there; features: the head alone, on features computed once; partial: the last blocks; gradual: "
        "block after block; lora: small matrices beside the weights; scratch: all, from random weights; auto: what "
        "suits the rows and the network, with the number of epochs and the learning rate where these are not given",
    )  # fmt: skip
    trained_blocks: Count = arg(2, "blocks before the head that --strategy partial trains", advanced=True)
    unfreeze: list[str] = arg(
        [],
        "for --strategy gradual: PATTERN@EPOCH or PATTERN@STEPsteps, such as '*layer.5.*@0.5' (when not given: from "
        "the last block to the first, over the first half of the training)",
        advanced=True,
    )
    lora_rank: Annotated[int, Range(1, 512, log=True)] = arg(8, "width of LoRA's matrices", advanced=True)
    lora_alpha: Annotated[float, Range(0.1, 1024)] = arg(
        16.0, "what LoRA's matrices add is scaled by this over their width", advanced=True
    )
    lora_dropout: Annotated[float, Range(0.0, 0.9)] = arg(0.05, "dropout before LoRA's matrices", advanced=True)
    use_dora: bool = arg(False, "LoRA that learns direction and length of weights apart (DoRA)", advanced=True)
    layer_decay: Annotated[float, Range(0.1, 1.0)] = arg(
        1.0, "learning rate of each block as a share of that of the block behind it", advanced=True
    )
    head_lr_multiplier: Annotated[float, Range(0.01, 1000, log=True)] = arg(
        1.0, "learning rate of the head as a multiple of the others'", advanced=True
    )

    def __post_init__(self):
        super().__post_init__()
        for spec in specs(Strategy):
            owner = _OWNERS.get(spec.name, self.strategy)
            if self.strategy != owner and getattr(self, spec.name) != spec.default:
                raise RequestError(
                    f"--{spec.name} is for --strategy {owner}, and --strategy {self.strategy} would not heed it: "
                    f"add --strategy {owner}, or leave --{spec.name} out"
                )
        if self.strategy == "features" and self.layer_decay != 1.0:
            raise RequestError("--layer_decay slows the blocks down, and --strategy features trains none of them")
        self.moments()

    def moments(self) -> list[tuple[str, float, bool]]:
        """What --unfreeze says: glob pattern, moment, and whether that counts steps instead of epochs.

        Raises:
            RequestError: a word is not written like that.
        """
        found = []
        for word in self.unfreeze:
            if not (parts := _MOMENT.fullmatch(word)):
                raise RequestError(f"--unfreeze {word}: write PATTERN@EPOCH or PATTERN@STEPsteps, like '*layer.5.*@1'")
            found.append((parts["pattern"], float(parts["number"]), bool(parts["steps"])))
        return found
