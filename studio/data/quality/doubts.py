"""Labels that are probably wrong, and rows unlike all others, by what models say of rows they were not trained on.

Confident learning (Northcutt et al. 2021, https://arxiv.org/abs/1911.00068), by the library of its authors.
"""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from cleanlab.filter import find_label_issues
from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors

from studio.data import alike
from studio.data.alike import column
from studio.data.carving import deal
from studio.data.curation import Curation, Relabel
from studio.data.quality.items import EXAMPLES, Finding, Items, count
from studio.errors import RequestError

FOLDS = 5
PREDICTIONS = "predictions.parquet"
_NEIGHBOURS = 10
_FAR = 3  # times the spread of the middle half beyond it: far out in Tukey's sense
_TORN = 0.1  # between the probabilities of the two likeliest classes; with less between them, the model is at a loss
_LABELS = 50  # the commonest, where rows have several
_SEED = 0
_REMEDY = "Look at the rows, the most suspicious come first: some are right."


def by_features(items: Items, embed: Callable[[np.ndarray], np.ndarray]) -> Iterator[Finding]:
    """Findings about the training rows, by models of frozen features that saw the other folds only.

    embed: from positions of rows to features (rows, numbers).

    Raises:
        RequestError: too few rows to learn from.
    """
    at, classes = _plenty(items)
    several = items.labels.ndim == 2
    if len(classes) < (1 if several else 2):
        needed = f"two classes with at least {FOLDS} different training rows each"
        if several:
            needed = f"a label that at least {FOLDS} different training rows have, and {FOLDS} have not"
        raise RequestError(f"--label_errors needs {needed}")
    features = embed(at)
    labels = items.labels[at][:, classes] if several else np.searchsorted(classes, items.labels[at])
    views = [features] if items.is_image else [features, words(alike.texts(items.rows.select(at)))]
    probabilities = out_of_sample(views, labels, items.contents[at])
    told = f"of the {len(at):,} training rows, each judged by a model of the others"
    yield from _label_errors(items, at, labels, probabilities, [items.names[one] for one in classes], told)
    yield from _outliers(items, at, features)


def by_run(items: Items, report: Path) -> Iterator[Finding]:
    """Findings about the validation and test rows of a run, by what its model says of them.

    Raises:
        RequestError: the rows are no longer there.
    """
    table = pq.read_table(report / PREDICTIONS)
    found = pc.index_in(table["row_id"], column(items.rows, "row_id").combine_chunks())
    table, at = table.filter(found.is_valid()), found.drop_null().to_numpy()
    names = [name.removeprefix("probability_") for name in table.column_names if name.startswith("probability_")]
    if not len(at):
        raise RequestError(f"none of the rows that {report.parent} was tested on are in its data any more")
    probabilities = np.stack([table[f"probability_{name}"].to_numpy() for name in names], axis=1).astype(float)
    told = f"of the {len(at):,} validation and test rows, by the model, which was not trained on them"
    if pa.types.is_list(table["label"].type):
        labels = np.array([[name in given for name in names] for given in table["label"].to_pylist()])
        yield from _label_errors(items, at, labels, probabilities, names, told)
        return
    labels = np.array([names.index(label) for label in table["label"].to_pylist()])
    yield from _label_errors(items, at, labels, probabilities, names, told)
    second, first = np.sort(probabilities, axis=1)[:, -2:].T
    torn = np.flatnonzero(first - second < _TORN)
    if len(torn):
        torn = torn[np.argsort((first - second)[torn], kind="stable")]
        remarks = [f"{items.label(at[one])}; {_guess(names, probabilities[one])}" for one in torn[:EXAMPLES]]
        title = f"of {count(len(torn), 'row', 'rows')} the model can hardly tell which of two classes they are"
        remedy = "They may be unlike all others, or of none of the classes, or of both: look at them."
        yield items.finding("unsure", "note", title, at[torn], remedy, remarks=remarks)


def out_of_sample(views: list[np.ndarray | csr_matrix], labels: np.ndarray, units: np.ndarray) -> np.ndarray:
    """(rows, classes) probabilities by logistic regressions that have not seen the row, nor one of its unit.

    views: features (rows, numbers), each learnt from by itself; their answers are averaged.
    labels: (rows,) class ids from 0 on, or marks (rows, classes), which are learnt one by one; every class or mark
        with at least FOLDS units.
    """
    folds = deal(units, labels, FOLDS, _SEED)
    if labels.ndim == 1:
        return _judged(views, labels, folds)
    return np.stack([_judged(views, mark.astype(int), folds)[:, 1] for mark in labels.T], axis=1)


def rank(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the rows whose label is probably wrong, the most suspicious first; what they look like.

    labels: (rows,) class ids, or marks (rows, classes). What the doubted rows look like is told in the same way.
    """
    if labels.ndim == 2:
        wrong = find_multilabel_issues_per_class(
            [np.flatnonzero(row).tolist() for row in labels], probabilities, filter_by="confident_learning", n_jobs=1
        )
        believed = np.where(wrong, np.where(labels, probabilities, 1 - probabilities), np.inf).min(axis=1)
        ranked = np.argsort(believed, kind="stable")[: np.count_nonzero(wrong.any(axis=1))]
        return ranked, (labels ^ wrong)[ranked]
    ranked = find_label_issues(
        labels, probabilities, filter_by="confident_learning", return_indices_ranked_by="normalized_margin", n_jobs=1
    )
    return ranked, probabilities[ranked].argmax(axis=1)


def words(texts: Iterator[str]) -> csr_matrix:
    """(rows, words and pairs of words) how telling each is for a text."""
    return TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit_transform(texts)


def _strength(view: np.ndarray | csr_matrix) -> float:
    """How far a regression may follow its rows: sparse words have unit length and need more than scaled features."""
    return 0.01 if isinstance(view, np.ndarray) else 1.0


def _judged(views: list[np.ndarray | csr_matrix], labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """(rows, classes) what models of the other folds say."""
    found = np.zeros((len(labels), labels.max() + 1))
    for view in views:
        for fold in range(FOLDS):
            here = folds == fold
            seen = np.unique(labels[~here])
            if len(seen) == 1:  # of a mark that few rows lack, all of them in this fold
                found[here, seen[0]] += 1 / len(views)
                continue
            model = LogisticRegression(max_iter=1000, C=_strength(view)).fit(view[~here], labels[~here])
            found[np.ix_(here, model.classes_)] += model.predict_proba(view[here]) / len(views)
    return found


def _plenty(items: Items) -> tuple[np.ndarray, np.ndarray]:
    """Usable training rows, and the classes that have a row for each fold at least (and whose rows these are)."""
    rows = np.flatnonzero((items.split == 0) & items.usable)
    labels, contents = items.labels[rows], items.contents[rows]
    if labels.ndim == 2:
        common = np.argsort(-labels.sum(axis=0), kind="stable")[:_LABELS]
        enough = [min(len(np.unique(contents[labels[:, at] == has])) for has in (0, 1)) >= FOLDS for at in common]
        return rows, np.sort(common[enough])
    enough = [len(np.unique(contents[labels == at])) >= FOLDS for at in range(len(items.names))]
    return rows[np.array(enough)[labels]], np.flatnonzero(enough)


def _label_errors(
    items: Items, at: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, names: list[str], told: str
) -> Iterator[Finding]:
    """names: of the columns of `probabilities`."""
    ranked, meant = rank(labels, probabilities)
    if not len(ranked):
        return
    if labels.ndim == 1:
        remarks = [_guess(names, probabilities[one]) for one in ranked[:EXAMPLES]]
        agreeing = np.mean(probabilities.argmax(axis=1) == labels)
    else:
        remarks = [
            _marks(names, labels[one], like, probabilities[one])
            for one, like in zip(ranked[:EXAMPLES], meant, strict=False)
        ]
        agreeing = np.mean(((probabilities >= 0.5) == labels).all(axis=1))
    remarks = [f"{items.label(at[one])}; {remark}" for one, remark in zip(ranked, remarks, strict=False)]
    title = f"{count(len(ranked), 'label looks', 'labels look')} wrong, {told}; it agrees with {agreeing:.0%} of them"
    finding = items.finding(
        "label_errors", "warning", title, at[ranked], _REMEDY, remarks=remarks, exclude="its label looks wrong"
    )
    yield dataclasses.replace(finding, relabel=_relabelled(items, at[ranked], meant, names))


def _relabelled(items: Items, at: np.ndarray, meant: np.ndarray, names: list[str]) -> Curation | None:
    """The rows with the labels that they look like, those that the data have."""
    known = {name: at for at, name in enumerate(items.names)}
    found: dict[str, str | list[str]] = {}
    for row, row_id, like in zip(at, items.ids(at), meant, strict=True):
        if meant.ndim == 1:
            if names[like] in known and known[names[like]] != items.labels[row]:
                found[row_id] = names[like]
        else:
            kept = {items.names[one] for one in np.flatnonzero(items.labels[row])} - set(names)
            found[row_id] = sorted(kept | {names[one] for one in np.flatnonzero(like)} & known.keys())
    decided = {row_id: Relabel(label, "what it looks like") for row_id, label in found.items()}
    return Curation(relabel=decided) if decided else None


def _outliers(items: Items, at: np.ndarray, features: np.ndarray) -> Iterator[Finding]:
    """Rows whose nearest neighbours among different contents are far away, by the angle between features."""
    first = np.unique(items.contents[at], return_index=True)[1]
    if len(first) <= 5 * _NEIGHBOURS:
        return
    unit = features[first] / np.linalg.norm(features[first], axis=1, keepdims=True)
    distances = NearestNeighbors(n_neighbors=_NEIGHBOURS + 1, metric="euclidean").fit(unit).kneighbors(unit)[0]
    distance = distances[:, 1:].mean(axis=1)
    low, high = np.percentile(distance, [25, 75])
    far = np.flatnonzero(distance > high + _FAR * (high - low))
    if len(far):
        far = far[np.argsort(-distance[far], kind="stable")]
        title = f"{count(len(far), 'row is', 'rows are')} unlike all others"
        yield items.finding("outliers", "note", title, at[first[far]], _REMEDY, exclude="unlike all other rows")


def _guess(names: list[str], probabilities: np.ndarray) -> str:
    best = probabilities.argmax()
    return f"looks like {names[best]} ({probabilities[best]:.0%})"


def _marks(names: list[str], given: np.ndarray, meant: np.ndarray, probabilities: np.ndarray) -> str:
    """Which labels a row seems to lack, and which it seems to have wrongly."""
    words = [
        f"{'looks like' if meant[one] else 'does not look like'} {names[one]} ({probabilities[one]:.0%})"
        for one in np.flatnonzero(given != meant)
    ]
    return ", ".join(words)
