"""Whether what should not matter tells the class: a model would learn that instead of what it is meant to."""

from collections.abc import Iterator

import numpy as np
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from studio.data.quality.items import Finding, Items

_ROWS = 5_000  # looked at, drawn evenly
_FOLDS = 5
_LEAST = 20  # rows of a class, for it to take part
_GAIN = 0.3  # of the way from chance to certainty from which on a feature is suspect
_ERRORS = 4  # standard errors that it has to be above chance


def check(items: Items, features: dict[str, np.ndarray]) -> Iterator[Finding]:
    """A finding for each feature from which a small tree tells the classes of rows that it has not seen.

    features: by name, (rows, numbers) or (rows,) numbers that stand for something a model should not go by.
    """
    if items.labels.ndim == 2:
        return
    at = _drawn(items)
    labels = items.labels[at]
    classes = np.unique(labels)
    if len(classes) < 2:
        return
    for name, values in features.items():
        known = values.reshape(len(items), -1)[at]
        if len(np.unique(known, axis=0)) < 2:
            continue
        right = _recalls(known, labels)
        chance, found = 1 / len(classes), right.mean()
        gain = (found - chance) / (1 - chance)
        error = np.sqrt(np.sum(chance * (1 - chance) / np.unique(labels, return_counts=True)[1])) / len(classes)
        if gain >= _GAIN and found - chance >= _ERRORS * error:
            best = classes[right.argmax()]
            title = f"{name} alone tells the class in {found:.0%} of the cases, {chance:.0%} being chance"
            remedy = (
                "A model may learn this instead of what the labels mean, and fail where it no longer holds: "
                "make it alike in all classes, or bring test rows in which it differs."
            )
            examples = at[labels == best][:2].tolist() + at[labels != best][:2].tolist()
            remarks = [f"{items.label(one)}: {_shown(values[one])}" for one in examples]
            finding = items.finding("shortcut", "warning", title, examples, remedy, remarks=remarks)
            yield Finding(finding.kind, finding.severity, title, len(items), remedy, finding.examples)


def _drawn(items: Items) -> np.ndarray:
    """Rows of classes that are large enough, one of each content."""
    first = np.unique(items.contents, return_index=True)[1]
    first = np.sort(first[items.usable[first]])
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
