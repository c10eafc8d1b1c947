"""What a look at the first steps, and at the answers of a validation, says to somebody who knows how to read it."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from studio.advice import Advice

_RAW_PIXELS = 20.0  # what normalised pixels stay well below, and bytes from 0 to 255 lie beyond
_BY_CHANCE = 1e-9  # how unlikely batches of one class must be to be no accident
_FEW_ROWS = 5  # of a class, which may be missed by chance
_LISTED = 5


def first_loss(loss: float, classes: int, *, several: bool) -> Advice | None:
    """Whether a network that has learnt nothing yet is surer than it can be.

    Without knowledge the cross-entropy is log(classes), or log(2) for each of several labels. A head of usual size
    stays within 0.4 of it; one that has been trained on the same task starts below. What is looked at is the plain
    loss, so that weights, smoothing and the like play no part.
    """
    guessing = math.log(2) if several else math.log(classes)
    if loss < guessing + max(1.0, 0.5 * guessing):
        return None
    return Advice(
        "first_loss",
        f"Before the first step the loss is {loss:.3g}, where guessing among {2 if several else classes} answers gives "
        f"{guessing:.3g}",
        "The network is sure of wrong answers: the weights of its head start too large, its input is not scaled as it "
        "expects, or its head was trained with other labels. Start from a network without a trained head "
        "(--model_name_or_path), and look at what `python -m studio preview` shows of the data.",
    )


def first_pixels(low: float, high: float, deviation: float) -> Advice | None:
    """Whether the pixel values of the first batch lie where networks expect them, about zero."""
    if max(abs(low), abs(high)) > _RAW_PIXELS:
        return Advice(
            "pixels",
            f"The pixel values of the first batch lie between {low:.3g} and {high:.3g}, where about -3 to 3 is usual",
            "The image processor does not normalise them. Set do_rescale and do_normalize in the model's "
            "preprocessor_config.json, or choose another --model_name_or_path.",
        )
    if deviation < 1e-3:
        return Advice(
            "pixels",
            f"The pictures of the first batch are one even area (pixel values {low:.3g} to {high:.3g})",
            "There is nothing in them to learn from. Look at them with `python -m studio preview`; where they are "
            "not blank themselves, --augmentation none shows whether the variations make them so.",
        )
    return None


def first_tokens(unknown: float) -> Advice | None:
    """Whether the tokenizer knows the words of the first batch; `unknown` is the share that it does not."""
    if unknown < 0.5:
        return None
    return Advice(
        "tokens",
        f"Of the first batch, {unknown:.0%} of the tokens are unknown to the tokenizer",
        "It was made for another language or script: choose a model for that of the texts (--model_name_or_path).",
    )


def first_labels(batches: Sequence[Sequence[int]], counts: Mapping[int, int], labels: Sequence[str]) -> Advice | None:
    """Whether the classes come mixed.

    Args:
        batches: the class ids of the first steps.
        counts: the training rows of each class.
    """
    if any(len(set(batch)) != 1 for batch in batches):
        return None
    rows = sum(counts.values())
    chance = math.prod((counts[batch[0]] / rows) ** len(batch) for batch in batches)
    if chance > _BY_CHANCE:
        return None
    seen = ", then ".join(f"{len(batch)} of {labels[batch[0]]}" for batch in batches)
    return Advice(
        "order",
        f"Each of the first {len(batches)} batches holds a single class ({seen}), though there are "
        f"{len(counts)} among the training rows",
        "The rows are not mixed, or texts of one class are longer than others: the network forgets a class while it "
        "sees another. Raise --gradient_accumulation_steps, so that a step sees several batches.",
    )


def without_gradient(missing: Sequence[str], share: float, groups: Sequence[str]) -> Advice | None:
    """Parameters that are to learn and get no gradient.

    Some architectures carry a small part that a classifier does not use; that is no fault.

    Args:
        missing: their names.
        share: of all values that are to learn.
        groups: the parts of the network of which none gets one.
    """
    if share < 0.01 and not groups:
        return None
    named = ", ".join(missing[:_LISTED]) + (" ..." if len(missing) > _LISTED else "")
    return Advice(
        "no_gradient",
        f"{len(missing)} parameters ({share:.1%} of the weights) get no gradient: {named}",
        "They will stay as they are: the loss does not depend on them, or the network cuts the way to them "
        "(detach, no_grad). If that is meant, freeze them; else choose another --model_name_or_path.",
    )


def never_predicted(
    validations: Sequence[tuple[np.ndarray, np.ndarray]], counts: Mapping[int, int], labels: Sequence[str]
) -> Advice | None:
    """Classes that no row was given in any of the last validations, though rows have them.

    Nothing is said where a single class takes all: that the curves show.

    Args:
        validations: of each the answers and the true rows per class, both (classes,).
        counts: the training rows of each class.
    """
    answered, truth = (np.array(of) for of in zip(*validations, strict=True))  # (validations, classes)
    dead = np.flatnonzero((answered == 0).all(axis=0) & (truth[-1] >= _FEW_ROWS))
    if not len(dead) or np.count_nonzero(answered[-1]) < 2:
        return None
    rows = sum(counts.values())
    told = [f"{labels[at]} ({counts.get(at, 0):,} of {rows:,} training rows)" for at in dead[:_LISTED].tolist()]
    return Advice(
        "never_predicted",
        f"In the last {len(validations)} validations no row was given the class{'es' * (len(dead) > 1)} "
        f"{', '.join(told)}{' ...' * (len(dead) > _LISTED)}",
        "Too few rows, or too little training: raise --num_train_epochs, let it count for more by --class_weights "
        "balanced, bring more rows of it, or merge it with another class by --curation_file.",
    )


def label_counts(labels: Sequence[int]) -> Counter[int]:
    """The rows of each class."""
    return Counter(np.asarray(labels).tolist())
