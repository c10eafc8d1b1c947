"""Settings about where a run is kept and published."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from studio.errors import RequestError
from studio.fields import Settings, arg


@dataclass
class Output(Settings):
    """Where the run is kept and published."""

    title: ClassVar[str] = "Output"

    output_dir: str | None = arg(None, "the run folder (when not given: a new one under $STUDIO_RUNS or ./runs)")
    resume_from_checkpoint: bool = arg(
        False, "go on with the run in --output_dir, with the settings it was started with"
    )
    dry_run: bool = arg(
        False, "try a few steps, an evaluation and a checkpoint, keep nothing, and say what the whole run will take"
    )
    overfit_batch: bool = arg(
        False,
        "try whether one batch can be learnt by heart, keep nothing, and say so: if not, more training would not help",
        advanced=True,
    )
    push_to_hub: bool = arg(False, "publish the finished model on the Hugging Face Hub")
    hub_model_id: str | None = arg(None, "name on the Hub, such as my-name/my-model")
    hub_private_repo: bool = arg(True, "keep the published model private", advanced=True)

    def __post_init__(self):
        super().__post_init__()
        if self.resume_from_checkpoint and not self.output_dir:
            raise RequestError("--resume_from_checkpoint needs --output_dir, the folder of the run to go on with")
        if self.dry_run and self.overfit_batch:
            raise RequestError("--dry_run and --overfit_batch are two trials: make one after the other")
        if self.rehearsal and self.resume_from_checkpoint:
            raise RequestError(
                f"--{self.rehearsal} keeps nothing that could be resumed: leave --resume_from_checkpoint out"
            )
        if self.push_to_hub and not self.hub_model_id:
            raise RequestError("--push_to_hub needs --hub_model_id, such as my-name/my-model")
        if self.hub_model_id and not self.push_to_hub:
            raise RequestError(f"--hub_model_id {self.hub_model_id} publishes nothing by itself: add --push_to_hub")
        if self.output_dir and Path(self.output_dir).is_file():
            raise RequestError(f"--output_dir {self.output_dir} is a file: name a folder")

    @property
    def rehearsal(self) -> str | None:
        """The setting that makes this run a trial of which nothing is kept, if one does."""
        return "dry_run" if self.dry_run else "overfit_batch" if self.overfit_batch else None
