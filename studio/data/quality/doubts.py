"""Labels that are probably wrong, and rows unlike all others, by what models say of rows they were not trained on.

Confident learning (Northcutt et al. 2021, https://arxiv.org/abs/1911.00068), by the library of its authors.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from cleanlab.filter import find_label_issues
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors

from studio.data import alike
from studio.data.alike import column
from studio.data.carving import deal
from studio.data.quality.items import Finding, Items, count
from studio.errors import RequestError

FOLDS = 5
PREDICTIONS = "predictions.parquet"
_NEIGHBOURS = 10
_FAR = 3  # times the spread of the middle half beyond it: far out in Tukey's sense
_UNSURE = 10  # rows shown
_SEED = 0
_REMEDY = "Look at the rows, the most suspicious come first: some are right. The decision leaves them out."


def by_features(items: Items, embed: Callable[[np.ndarray], np.ndarray]) -> Iterator[Finding]:
    """Findings about the training rows, by models of frozen features that saw the other folds only.

    embed: from positions of rows to features (rows, numbers).
    """
    if items.labels.ndim == 2:
        raise RequestError("--label_errors is for rows with one label each, and these have several: leave it out")
    at = _plenty(items)
    if len(np.unique(items.labels[at])) < 2:
        raise RequestError(f"--label_errors needs two classes with at least {FOLDS} different training rows each")
    features = embed(at)
    labels = np.unique(items.labels[at], return_inverse=True)[1]
    views = [features] if items.is_image else [features, words(alike.texts(items.rows.select(at)))]
    probabilities = out_of_sample(views, labels, items.contents[at])
    told = f"of the {len(at):,} training rows, each judged by a model of the others"
    yield from _label_errors(items, at, labels, probabilities, np.unique(items.labels[at]), told)
    yield from _outliers(items, at, features)


def by_run(items: Items, report: Path) -> Iterator[Finding]:
    """Findings about the validation and test rows of a run, by what its model says of them.

    Raises:
        RequestError: the rows are no longer there.
    """
    table = pq.read_table(report / PREDICTIONS)
    if pa.types.is_list(table["label"].type):
        return
    found = pc.index_in(table["row_id"], column(items.rows, "row_id").combine_chunks())
    table, at = table.filter(found.is_valid()), found.drop_null().to_numpy()
    names = [name.removeprefix("probability_") for name in table.column_names if name.startswith("probability_")]
    if not len(at):
        raise RequestError(f"none of the rows that {report.parent} was tested on are in its data any more")
    probabilities = np.stack([table[f"probability_{name}"].to_numpy() for name in names], axis=1).astype(float)
    labels = np.array([names.index(label) for label in table["label"].to_pylist()])
    told = f"of the {len(at):,} validation and test rows, by the model, which was not trained on them"
    classes = np.array([items.names.index(name) if name in items.names else -1 for name in names])
    yield from _label_errors(items, at, labels, probabilities, classes, told)
    unsure = np.argsort(probabilities.max(axis=1), kind="stable")[: min(_UNSURE, len(at) // 20)]
    if len(unsure):
        remarks = [f"{items.label(at[one])}; {_guess(names, probabilities[one])}" for one in unsure]
        title = f"the {count(len(unsure), 'row', 'rows')} of which the model is least sure"
        remedy = "They may be unlike all others, or of none of the classes: look at them."
        yield items.finding("unsure", "note", title, at[unsure], remedy, remarks=remarks[:5])


def out_of_sample(views: list[np.ndarray | csr_matrix], labels: np.ndarray, units: np.ndarray) -> np.ndarray:
    """(rows, classes) probabilities by logistic regressions that have not seen the row, nor one of its unit.

    views: features (rows, numbers), each learnt from by itself; their answers are averaged.
    labels: (rows,) class ids from 0 on, every one of them with at least FOLDS units.
    """
    folds = deal(units, labels, FOLDS, _SEED)
    found = np.zeros((len(labels), labels.max() + 1))
    for view in views:
        for fold in range(FOLDS):
            here = folds == fold
            model = LogisticRegression(max_iter=1000, C=_strength(view)).fit(view[~here], labels[~here])
            found[np.ix_(here, model.classes_)] += model.predict_proba(view[here]) / len(views)
    return found


def rank(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Positions of the rows whose label is probably wrong, the most suspicious first."""
    return find_label_issues(
        labels, probabilities, filter_by="confident_learning", return_indices_ranked_by="normalized_margin", n_jobs=1
    )


def words(texts: Iterator[str]) -> csr_matrix:
    """(rows, words and pairs of words) how telling each is for a text."""
    return TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit_transform(texts)


def _strength(view: np.ndarray | csr_matrix) -> float:
    """How far a regression may follow its rows: sparse words have unit length and need more than scaled features."""
    return 0.01 if isinstance(view, np.ndarray) else 1.0


def _plenty(items: Items) -> np.ndarray:
    """Usable training rows of classes with a row for each fold at least."""
    rows = np.flatnonzero((items.split == 0) & items.usable)
    different = [len(np.unique(items.contents[rows[items.labels[rows] == at]])) for at in range(len(items.names))]
    return rows[np.array(different)[items.labels[rows]] >= FOLDS]


def _label_errors(
    items: Items, at: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, classes: np.ndarray, told: str
) -> Iterator[Finding]:
    """classes: the positions in items.names of the columns of `probabilities`."""
    ranked = rank(labels, probabilities)
    if not len(ranked):
        return
    names = [items.names[one] for one in classes]
    remarks = [f"{items.label(at[one])}; {_guess(names, probabilities[one])}" for one in ranked[:5]]
    agreeing = np.mean(probabilities.argmax(axis=1) == labels)
    title = f"{count(len(ranked), 'label looks', 'labels look')} wrong, {told}; it agrees with {agreeing:.0%} of them"
    yield items.finding(
        "label_errors", "warning", title, at[ranked], _REMEDY, remarks=remarks, exclude="its label looks wrong"
    )


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
