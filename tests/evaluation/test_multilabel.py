"""Figures of several labels per row agree with scikit-learn; intervals and threshold hold what they promise."""

import warnings

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support, precision_score, recall_score
from transformers import EvalPrediction

from studio.evaluation import metrics, modules, multilabel


def drawn(seed: int, rows: int = 60, classes: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Truth and predictions, right for the most part; some classes are rare, some rows have no label."""
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.full(classes, 0.5))
    truth = random.random((rows, classes)) < shares
    return truth, np.where(random.random((rows, classes)) < 0.85, truth, random.random((rows, classes)) < shares)


def reference(truth: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    present = np.flatnonzero((truth | predictions).any(axis=0))
    average = {"labels": present, "zero_division": 0}
    return {
        "accuracy": accuracy_score(truth, predictions),
        "f1_micro": f1_score(truth, predictions, average="micro", zero_division=0),
        "f1_macro": f1_score(truth, predictions, average="macro", **average),
        "f1_weighted": f1_score(truth, predictions, average="weighted", **average),
        "precision_macro": precision_score(truth, predictions, average="macro", **average),
        "recall_macro": recall_score(truth, predictions, average="macro", **average),
    }


@pytest.mark.parametrize("seed", range(20))
def test_scores_agree_with_scikit_learn_also_when_classes_are_absent(seed):
    truth, predictions = drawn(seed)
    assert multilabel.scores(truth, predictions) == pytest.approx(reference(truth, predictions))


def test_per_class_figures_agree_with_scikit_learn():
    truth, predictions = drawn(1)
    found = multilabel.per_class(truth, predictions, list("abcdef"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = precision_recall_fscore_support(truth, predictions, zero_division=0)
    for at, label in enumerate("abcdef"):
        assert list(found[label].values()) == pytest.approx([column[at] for column in expected])


def test_rows_without_any_label_and_none_given_count_as_right():
    nothing = np.zeros((3, 2), bool)
    assert multilabel.scores(nothing, nothing) == {name: float(name == "accuracy") for name in multilabel.SCORES}


@pytest.mark.parametrize("seed", range(5))
def test_the_best_checkpoint_is_chosen_by_the_figure_that_the_report_will_show(seed):
    truth, _ = drawn(seed, rows=200)
    logits = np.random.default_rng(seed).normal(np.where(truth, -0.5, -2.0)).astype(np.float32)
    found = modules.compute_metrics(list("abcdef"), several=True)(EvalPrediction(logits, truth.astype(np.float32)))
    assert list(found) == list(multilabel.SCORES) and all(type(value) is float for value in found.values())
    for name, value in found.items():
        given = multilabel.marks(logits, multilabel.best_threshold(logits, truth, name))
        assert value == pytest.approx(reference(truth, given)[name]), name


def test_a_model_that_improves_below_a_half_is_seen_to_improve():
    truth, _ = drawn(2, rows=200)
    noise = np.random.default_rng(0).normal(size=truth.shape)
    logits = [(-20 + noise + learnt * truth).astype(np.float32) for learnt in (0, 1, 2, 3)]
    assert max(map(np.max, logits)) < 0
    compute = modules.compute_metrics(list("abcdef"), several=True)
    found = [compute(EvalPrediction(found, truth.astype(np.float32))) for found in logits]
    for name in ("f1_macro", "f1_micro", "f1_weighted"):
        figures = [scores[name] for scores in found]
        assert all(later > earlier for earlier, later in zip(figures, figures[1:], strict=False)), name


def test_validation_rows_without_any_label_are_scored_at_a_half():
    logits, nothing = np.full((3, 2), -9, np.float32), np.zeros((3, 2), bool)
    assert multilabel.best_threshold(logits, nothing, "f1_macro") == 0.5
    found = modules.compute_metrics(["a", "b"], several=True)(EvalPrediction(logits, nothing.astype(np.float32)))
    assert found == {name: float(name == "accuracy") for name in multilabel.SCORES}


def test_intervals_equal_those_of_drawing_rows_with_replacement():
    truth, predictions = drawn(3, rows=150, classes=4)
    found = multilabel.intervals(truth, predictions, seed=1, resamples=4000)
    random = np.random.default_rng(0)
    samples = (random.integers(0, 150, 150) for _ in range(1000))
    again = [list(multilabel.scores(truth[rows], predictions[rows]).values()) for rows in samples]
    for name, expected in zip(multilabel.SCORES, np.quantile(again, [0.025, 0.975], axis=0).T, strict=True):
        assert found[name] == pytest.approx(expected.tolist(), abs=0.012), name


def test_intervals_follow_from_the_seed_and_frame_the_figure():
    truth, predictions = drawn(4, rows=300)
    found = multilabel.intervals(truth, predictions, seed=7)
    assert found == multilabel.intervals(truth, predictions, seed=7) != multilabel.intervals(truth, predictions, seed=8)
    for name, value in multilabel.scores(truth, predictions).items():
        assert found[name][0] < value < found[name][1]


@pytest.mark.parametrize("shift", [-6.0, -0.5, 3.0])
@pytest.mark.parametrize("metric", ["f1_micro", "f1_macro", "accuracy"])
def test_no_other_threshold_scores_higher_on_the_rows_it_was_chosen_on(metric, shift):
    truth, _ = drawn(5, rows=100)
    logits = np.random.default_rng(0).normal(np.where(truth, 0.0, -1.5)).astype(np.float32) + np.float32(shift)
    best = multilabel.scores(truth, multilabel.marks(logits, multilabel.best_threshold(logits, truth, metric)))[metric]
    every = [0.5, *multilabel.expit(logits).ravel().tolist()]
    assert best == max(multilabel.scores(truth, multilabel.marks(logits, at))[metric] for at in every)


def test_labels_whose_probabilities_are_all_tiny_are_still_given():
    truth = np.random.default_rng(0).random((500, 8)) < 0.02
    logits = np.where(truth, -6.0, -9.0)  # 0.002 and 0.0001
    threshold = multilabel.best_threshold(logits, truth, "f1_macro")
    assert (multilabel.marks(logits, threshold) == truth).all()
    assert (multilabel.marks(logits + np.where(truth, -0.2, 0.2), threshold) == truth).all()  # it lies between them


def test_many_rows_are_tried_at_a_bounded_number_of_thresholds_and_lose_next_to_nothing():
    random = np.random.default_rng(0)
    truth = random.random((20_000, 10)) < 0.05
    logits = random.normal(np.where(truth, -1.0, -3.0)).astype(np.float32)
    probabilities = multilabel.expit(logits)
    assert len(multilabel._tried(probabilities, truth)[0]) <= multilabel._TRIED
    at_best = multilabel.scores(truth, multilabel.marks(logits, multilabel.best_threshold(logits, truth, "f1_micro")))
    finer = (multilabel.scores(truth, multilabel.marks(logits, at))["f1_micro"] for at in np.arange(0.02, 0.6, 0.005))
    assert at_best["f1_micro"] > max(finer) - 0.002


@pytest.mark.parametrize("metric", ["loss", "recall_macro", "precision_macro"])
def test_a_metric_that_an_extreme_threshold_would_win_gives_way_to_macro_f1(metric):
    truth, _ = drawn(5, rows=200)
    logits = np.random.default_rng(0).normal(np.where(truth, -0.5, -2.0))
    assert multilabel.best_threshold(logits, truth, metric) == multilabel.best_threshold(logits, truth, "f1_macro")


def test_a_half_is_kept_where_nothing_is_better():
    truth, predictions = drawn(6)
    assert multilabel.best_threshold(np.where(predictions, 9.0, -9.0), truth, "f1_macro") == 0.5


def test_the_share_of_the_commonest_set_of_labels():
    truth = np.array([[1, 0], [1, 0], [0, 0], [1, 1]], bool)
    assert multilabel.commonest(truth) == 0.5


def test_averages_are_named_alike_for_one_label_and_several():
    assert set(multilabel.SCORES) == {*metrics.SCORES, "f1_micro"}
