"""Answers from a saved model: labels with probabilities for texts or pictures, prepared as they were in training."""

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageOps
from safetensors import SafetensorError
from transformers import (
    MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BatchEncoding,
    BatchFeature,
    PreTrainedConfig,
    PreTrainedModel,
)

import studio.models  # noqa: F401  the Auto classes learn the studio's own architectures
from studio.data.decode import UnreadablePicture, decode
from studio.errors import RequestError, RunError
from studio.model_folder import model_folder

Picture = Path | str | bytes | Image.Image
Text = str | tuple[str, str] | dict[str, str]  # a dict has the keys text and text_pair, as in transformers' pipeline

# Only files of the folder, only safetensors, and never code that came with the model.
_SAFELY = {"local_files_only": True, "trust_remote_code": False}
_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16")
_LONGEST = 512  # tokens; for a tokenizer that does not say how many its model takes
_USUAL = 0.5  # threshold of a model of several labels that states none


@dataclass(frozen=True)
class Prediction:
    """The label with the highest probability, `score`; `scores` holds labels, the best first.

    `labels` are those that the model gives: that one, or, of a model of several labels per item, all whose
    probability reaches its threshold, the best first; perhaps none.
    `version` names the registered model that answered, None for a plain folder. `milliseconds` is the
    share of one item in the time its batch took.
    """

    label: str
    score: float
    scores: dict[str, float]
    labels: list[str]
    version: str | None
    milliseconds: float


class Predictor:
    """A text or image classifier in memory, read from a Hugging Face model folder or a run folder.

    Raises:
        RequestError: the folder holds no model, none that classifies, or one that cannot be loaded safely.
    """

    def __init__(self, folder: Path | str, device: str | None = None):
        self.folder = model_folder(Path(folder))
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.version: str | None = None
        config = _loaded(self.folder, AutoConfig.from_pretrained, self.folder, **_SAFELY)
        self.task = _task(config, self.folder)
        self.labels = [config.id2label[i] for i in range(config.num_labels)]
        several = config.problem_type == "multi_label_classification"
        self.threshold = config.to_dict().get("threshold", _USUAL) if several else None
        self.text_pairs: bool | None = config.to_dict().get("text_pairs")  # None where the model does not say
        self.network = _network(self.folder, config, self.task).to(self.device).eval()
        processor = AutoImageProcessor if self.task == "image-classification" else AutoTokenizer
        self.processor = _loaded(self.folder, processor.from_pretrained, self.folder, **_SAFELY)

    def predict(
        self, items: Sequence[Text | Picture], batch_size: int = 32, top_k: int | None = None
    ) -> list[Prediction]:
        """One prediction per item: texts for a text model; paths, contents or PIL pictures for an image model.

        A model that was trained on pairs of texts takes pairs: ("one", "other").

        `top_k` keeps that many of the best labels in `scores`, and all that the model gives.

        Raises:
            RequestError: an item is not what the model takes; it is named by its path or place. Or the model was
                trained on pairs of texts and these are none, or the other way round.
            RunError: the model's answer is not finite, so that no label is better than another.
        """
        answers = []
        for first in range(0, len(items), batch_size):
            batch = items[first : first + batch_size]
            began = time.perf_counter()
            logits = self.logits(batch, first)
            if not logits.isfinite().all():
                raise RunError(f"the model in {self.folder} answers with numbers that are not finite: train it anew")
            probabilities = logits.softmax(dim=-1) if self.threshold is None else logits.sigmoid()
            milliseconds = (time.perf_counter() - began) * 1000 / len(batch)
            answers += [self._prediction(row, top_k, milliseconds) for row in probabilities.tolist()]
        return answers

    @torch.inference_mode()
    def logits(self, items: Sequence[Text | Picture], first: int = 0) -> torch.Tensor:
        """What the network says of one batch: (items, classes) on the CPU; `first` is the place of its first item."""
        return self.network(**self.inputs(items, first)).logits.float().cpu()

    def inputs(self, items: Sequence[Text | Picture], first: int = 0) -> BatchFeature | BatchEncoding:
        """What the network reads of one batch, on its device."""
        if self.task == "image-classification":
            pictures = [decoded(item, first + place) for place, item in enumerate(items, start=1)]
            return self.processor(images=pictures, return_tensors="pt").to(self.device)
        texts, pairs = _texts(items, first)
        self._check_pairs(pairs is not None)
        stated = self.processor.model_max_length  # a number beyond all bounds when it was never set
        longest = stated if stated < 1_000_000 else _LONGEST
        return self.processor(texts, pairs, truncation=True, max_length=longest, padding=True, return_tensors="pt").to(
            self.device
        )

    def _check_pairs(self, given: bool) -> None:
        """Refuses what the model was not trained on: it would answer all the same, and as well as a blind guess."""
        if self.text_pairs and not given:
            raise RequestError(
                f"the model in {self.folder} was trained on pairs of texts: give the second text of each as well "
                "(--text_pair)"
            )
        if self.text_pairs is False and given:
            raise RequestError(
                f"the model in {self.folder} was trained on single texts: leave out the second ones (--text_pair)"
            )

    def _prediction(self, probabilities: list[float], top_k: int | None, milliseconds: float) -> Prediction:
        scores = sorted(zip(self.labels, probabilities, strict=True), key=lambda pair: -pair[1])
        label, score = scores[0]
        given = [label] if self.threshold is None else [name for name, value in scores if value >= self.threshold]
        kept = scores[: top_k and max(top_k, len(given))]
        return Prediction(label, score, dict(kept), given, self.version, milliseconds)


def _texts(items: Sequence[Text], first: int) -> tuple[list[str], list[str] | None]:
    """The texts, and the second texts if they come in pairs."""
    rows = [text_parts(item, place) for place, item in enumerate(items, start=first + 1)]
    if len(set(map(len, rows))) > 1:
        raise RequestError("some items are pairs of texts and others are not: give pairs to a model trained on pairs")
    texts, *pairs = map(list, zip(*rows, strict=True))
    return texts, pairs[0] if pairs else None


def text_parts(item: Text, place: int = 1) -> tuple[str, ...]:
    """A text, or two of a pair."""
    if isinstance(item, dict) and "text" in item:
        item = (item["text"], item["text_pair"]) if "text_pair" in item else item["text"]
    parts = item if isinstance(item, tuple) and len(item) == 2 else (item,)
    for part in parts:
        if not isinstance(part, str):
            raise RequestError(f"item {place} is not a text but {type(part).__name__}")
    return parts


def _task(config: PreTrainedConfig, folder: Path) -> str:
    if config.problem_type == "regression" or config.num_labels < 2:
        raise RequestError(
            f"{folder} does not choose one of several labels "
            f"(problem_type {config.problem_type}, {config.num_labels} labels)"
        )
    if type(config) in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING:
        return "image-classification"
    if type(config) in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING:
        return "text-classification"
    raise RequestError(f"{folder} holds a {config.model_type} model, which classifies neither texts nor images")


def _network(folder: Path, config: PreTrainedConfig, task: str) -> PreTrainedModel:
    is_image = task == "image-classification"
    family = AutoModelForImageClassification if is_image else AutoModelForSequenceClassification
    network, found = _loaded(
        folder,
        family.from_pretrained,
        folder,
        config=config,
        use_safetensors=True,
        dtype=torch.float32,
        output_loading_info=True,
        **_SAFELY,
    )
    if found["missing_keys"]:
        raise RequestError(
            f"{folder} is no finished classifier: its weights lack {', '.join(sorted(found['missing_keys'])[:3])}, "
            "which would be random; fine-tune it first"
        )
    return network


def _loaded(folder: Path, load: Any, *args: Any, **kwargs: Any) -> Any:
    """What a from_pretrained returns; a damaged or foreign folder becomes a RequestError."""
    try:
        return load(*args, **kwargs)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RequestError(f"{folder} cannot be loaded as a model: {reason}") from error


def decoded(item: Picture, place: int = 1) -> Image.Image:
    """A picture as the network is to see it before its processor; `place` names it where nothing else does.

    Raises:
        RequestError: it cannot be read.
    """
    try:
        return decode(_content(item) if isinstance(item, Image.Image) else item)
    except UnreadablePicture as error:
        name = item if isinstance(item, str | Path) else f"picture {place}"
        raise RequestError(f"{name} {error}") from error


def _content(picture: Image.Image) -> bytes:
    """The picture as a file, so that decode treats its transparency and depth as it did in training."""
    upright = ImageOps.exif_transpose(picture)
    content = io.BytesIO()
    (upright if upright.mode in _PNG_MODES else upright.convert("RGB")).save(content, "PNG")
    return content.getvalue()
