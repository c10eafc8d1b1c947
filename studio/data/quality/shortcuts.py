"""Whether what should not matter tells the class: a model would learn that instead of what it is meant to."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from studio.data.quality.items import Finding, Items

_ROWS = 5_000  # looked at, drawn evenly
_FOLDS = 5
_LEAST = 20  # rows of a class, for it to take part
_LABELS = 10  # the commonest, where rows have several
_GAIN = 0.3  # of the way from chance to certainty from which on a feature is suspect
_ERRORS = 4  # standard errors that it has to be above chance


class _Question(NamedTuple):
    """What a feature may tell: the class of a row, or whether it has a label; answers: (rows,) numbers."""

    what: str
    answers: np.ndarray


class _Answer(NamedTuple):
    gain: float  # of the way from chance to certainty
    found: float  # mean share of each answer that is told right
    chance: float
    easiest: int  # the answer that is told best


def check(items: Items, features: dict[str, np.ndarray]) -> Iterator[Finding]:
    """A finding for each feature from which a small tree tells the classes of rows that it has not seen.

    features: by name, (rows, numbers) or (rows,) numbers that stand for something a model should not go by.
    """
    at = _drawn(items)
    questions = _questions(items, at)
    for name, values in features.items():
        known = values.reshape(len(items), -1)[at]
        if not questions or len(np.unique(known, axis=0)) < 2:
            continue
        answers = [_answer(known, question.answers) for question in questions]
        best = max(range(len(answers)), key=lambda one: answers[one].gain)
        (what, labels), answer = questions[best], answers[best]
        error = np.sqrt(np.sum(answer.chance * (1 - answer.chance) / np.unique(labels, return_counts=True)[1]))
        error *= answer.chance  # one in the number of classes
        if answer.gain >= _GAIN and answer.found - answer.chance >= _ERRORS * error:
            title = f"{name} alone tells {what} in {answer.found:.0%} of the cases, {answer.chance:.0%} being chance"
            remedy = "Make it alike in all classes, or bring test rows in which it differs."
            easiest = labels == answer.easiest
            examples = at[easiest][:2].tolist() + at[~easiest][:2].tolist()
            remarks = [f"{items.label(one)}: {_shown(values[one])}" for one in examples]
            finding = items.finding("shortcut", "warning", title, examples, remedy, remarks=remarks)
            yield Finding(finding.kind, finding.severity, title, len(items), remedy, finding.examples)


def _questions(items: Items, at: np.ndarray) -> list[_Question]:
    """What is asked of the rows at these positions; where they have several labels, about each of the commonest."""
    labels = items.labels[at]
    if labels.ndim == 1:
        return [_Question("the class", labels)] if len(np.unique(labels)) > 1 else []
    common = np.argsort(-labels.sum(axis=0), kind="stable")[:_LABELS]
    plenty = [one for one in common if _LEAST <= labels[:, one].sum() <= len(labels) - _LEAST]
    return [
        _Question(f"whether a row has the label {items.names[one]!r}", labels[:, one].astype(int)) for one in plenty
    ]


def _answer(values: np.ndarray, labels: np.ndarray) -> _Answer:
    right, classes = _recalls(values, labels), np.unique(labels)
    chance, found = 1 / len(classes), right.mean()
    return _Answer((found - chance) / (1 - chance), found, chance, classes[right.argmax()])


def _drawn(items: Items) -> np.ndarray:
    """Rows, one of each content; of classes that are large enough, where they have one each."""
    first = np.unique(items.contents, return_index=True)[1]
    first = np.sort(first[items.usable[first]])
    if items.labels.ndim == 1:
        large = np.flatnonzero(np.bincount(items.labels[first]) >= _LEAST)
        first = first[np.isin(items.labels[first], large)]
    return first[np.linspace(0, len(first) - 1, min(_ROWS, len(first))).astype(int)] if len(first) else first


def _recalls(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The share of each class that a small tree tells right in rows it was not grown on."""
    tree = DecisionTreeClassifier(max_depth=6, min_samples_leaf=5, class_weight="balanced", random_state=0)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    answers = cross_val_predict(tree, values, labels, cv=folds)
    return np.array([np.mean(answers[labels == one] == one) for one in np.unique(labels)])


def _shown(value: np.ndarray) -> str:
    return " x ".join(f"{number:g}" for number in np.atleast_1d(value))
