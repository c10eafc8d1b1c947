"""Why a model answered as it did: which words moved it, or which parts of a picture.

What it shows is what the model went by, not whether that is right, nor what is true of the world.
"""

import time

import numpy as np
import torch
from transformers import BatchEncoding

from studio.errors import RequestError
from studio.evaluation import overlay
from studio.evaluation.explanation import Explanation, PictureExplanation, TextExplanation
from studio.evaluation.gradcam import grad_cam
from studio.evaluation.integrated import integrate
from studio.evaluation.spans import Span, words
from studio.predictor import Picture, Predictor, Text, decoded, text_parts

LIMIT_S = 20.0


def explain(
    predictor: Predictor, item: Text | Picture, label: str | None = None, limit_s: float = LIMIT_S
) -> Explanation:
    """The explanation of the answer to one text, pair of texts or picture: for `label`, or for the likeliest one.

    Of texts by integrated gradients over the embeddings of their tokens, of pictures by Grad-CAM. `limit_s` bounds the
    sum that integrated gradients are; where it ends before the sum is complete, the explanation says so.

    Raises:
        RequestError: the model has no such label, the item is not what it takes, or the model is of a kind that cannot
            be explained, or too slow for this text.
        RunError: the model's answer is not finite.
    """
    began = time.monotonic()
    if label is not None and label not in predictor.labels:
        known = ", ".join(predictor.labels[:10])
        raise RequestError(f"the model has no label {label!r:.100} to explain; it has {known}")
    [answer] = predictor.predict([item])
    label = label if label is not None else answer.label
    score = answer.scores[label]
    if predictor.task == "image-classification":
        return _of_picture(predictor, item, label, score)
    return _of_text(predictor, item, label, score, limit_s - (time.monotonic() - began))


def _of_text(predictor: Predictor, item: Text, label: str, score: float, limit_s: float) -> TextExplanation:
    inputs = predictor.inputs([item])
    if not inputs.is_fast:
        raise RequestError("this model's tokenizer does not tell where its tokens stand in a text")
    found = integrate(
        predictor.network, dict(inputs), _hidden(predictor, inputs), predictor.labels.index(label), limit_s
    )
    encoding = inputs.encodings[0]
    return TextExplanation(
        label=label,
        score=score,
        words=words(text_parts(item), _spans(inputs), found.scores),
        difference=found.difference,
        delta=found.delta,
        steps=found.steps,
        complete=found.complete,
        cut=bool(encoding.overflowing),
    )


def _hidden(predictor: Predictor, inputs: BatchEncoding) -> torch.Tensor:
    """(1, tokens): the text with the mask in the place of each of its tokens; what marks its ends stays."""
    tokenizer = predictor.processor
    mask = tokenizer.pad_token_id if tokenizer.mask_token_id is None else tokenizer.mask_token_id
    stays = torch.tensor([span is None for span in _spans(inputs)], device=predictor.device)
    return torch.where(stays, inputs["input_ids"], mask)


def _spans(inputs: BatchEncoding) -> list[Span | None]:
    encoding = inputs.encodings[0]
    return [
        None if part is None else (part, *place)
        for part, place in zip(encoding.sequence_ids, encoding.offsets, strict=True)
    ]


def _of_picture(predictor: Predictor, item: Picture, label: str, score: float) -> PictureExplanation:
    photo = decoded(item)
    pixels = predictor.inputs([item])["pixel_values"]
    grid = grad_cam(predictor.network, pixels, predictor.labels.index(label)).cpu().numpy()
    seen = overlay.seen(predictor.processor, photo.size)
    picture, laid_over = overlay.draw(photo, grid, seen)
    return PictureExplanation(label, score, np.round(grid, 4).tolist(), seen, picture, laid_over)
