"""Texts and pictures as the sample networks see them, untrained for the task: a sentence, a photo as some numbers."""

from collections.abc import Iterable

import numpy as np
import torch
from datasets import Dataset
from rich.progress import Progress
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging

from studio import samples
from studio.config import ImageData, ModelChoice
from studio.data import alike
from studio.data.decode import decode
from studio.models import build

_BATCH = 64
_TOKENS = 128  # of a text; what is beyond seldom changes what it is about
_SIDE = 224  # pixels


@torch.inference_mode()
def features(rows: Dataset, bar: Progress) -> np.ndarray:
    """(rows, numbers) float32: MiniLM's mean over the tokens of a text, or EfficientNet-Lite0's over a picture."""
    return _pictures(rows, bar) if "image" in rows.column_names else _texts(list(alike.texts(rows)), bar)


def _texts(texts: list[str], bar: Progress) -> np.ndarray:
    folder = samples.minilm()
    logging.set_verbosity_error()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    network = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
    found = np.empty((len(texts), network.config.hidden_size), np.float32)
    order = np.argsort([len(text) for text in texts], kind="stable")
    for at in _batches(order, bar):
        tokens = tokenizer(
            [texts[one] for one in at], padding=True, truncation=True, max_length=_TOKENS, return_tensors="pt"
        )
        states = network(**tokens).last_hidden_state  # (batch, tokens, width)
        mask = tokens["attention_mask"].unsqueeze(-1)
        found[at] = ((states * mask).sum(1) / mask.sum(1)).numpy()
    return found


def _pictures(rows: Dataset, bar: Progress) -> np.ndarray:
    network, processor = build.image_classifier(
        ModelChoice(model_name_or_path="sample:efficientnet_lite0"), ["a", "b"], ImageData(image_size=_SIDE), seed=0
    )
    network.eval()
    found = []
    for at in _batches(np.arange(len(rows)), bar):
        pictures = [decode(row["image"], _SIDE) for row in rows.select(at).select_columns(["image"])]
        pixels = torch.cat([processor(picture, return_tensors="pt")["pixel_values"] for picture in pictures])
        seen = network.timm_model.forward_features(pixels)
        found.append(network.timm_model.forward_head(seen, pre_logits=True).numpy())
    return np.concatenate(found)


def _batches(order: np.ndarray, bar: Progress) -> Iterable[np.ndarray]:
    task = bar.add_task("Looking at all rows", total=len(order))
    for begin in range(0, len(order), _BATCH):
        yield order[begin : begin + _BATCH]
        bar.advance(task, min(_BATCH, len(order) - begin))
