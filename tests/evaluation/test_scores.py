"""Figures beyond accuracy agree with scikit-learn, and their intervals hold what they promise."""

import numpy as np
import pytest
from sklearn import metrics as reference

from studio.evaluation import curves, scores
from studio.evaluation.answered import Answered, of_logits
from studio.evaluation.figures import figures
from tests.evaluation.rows import one_label, several_labels


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("classes", [2, 4, 7])
def test_figures_of_one_label_per_row_agree_with_scikit_learn(seed, classes):
    rows = one_label(seed, classes=classes)
    found, p = scores.further(rows), rows.probabilities.astype(float)
    p /= p.sum(axis=1, keepdims=True)
    marks = rows.true_marks
    expected = {
        "balanced_accuracy": reference.balanced_accuracy_score(rows.truth, rows.given),
        "matthews": reference.matthews_corrcoef(rows.truth, rows.given),
        "log_loss": reference.log_loss(rows.truth, p, labels=range(classes)),
        "roc_auc_macro": np.mean([reference.roc_auc_score(marks[:, i], p[:, i]) for i in range(classes)]),
        "pr_auc_macro": np.mean([reference.average_precision_score(marks[:, i], p[:, i]) for i in range(classes)]),
    }
    for k in (3, 5):
        if k < classes:
            expected[f"top_{k}_accuracy"] = reference.top_k_accuracy_score(rows.truth, p, k=k, labels=range(classes))
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("seed", range(10))
def test_figures_of_several_labels_per_row_agree_with_scikit_learn(seed):
    rows = several_labels(seed)
    columns = list(zip(rows.truth.T, rows.given.T, rows.probabilities.T.astype(float), strict=True))
    expected = {
        "balanced_accuracy": np.mean([reference.balanced_accuracy_score(t, g) for t, g, _ in columns]),
        "matthews": np.mean([reference.matthews_corrcoef(t, g) for t, g, _ in columns]),
        "log_loss": np.mean([reference.log_loss(t, p) for t, _, p in columns]),
        "roc_auc_macro": reference.roc_auc_score(rows.truth, rows.probabilities, average="macro"),
        "pr_auc_macro": reference.average_precision_score(rows.truth, rows.probabilities, average="macro"),
    }
    assert scores.further(rows) == pytest.approx(expected, rel=1e-5)


def test_areas_of_tied_scores_are_those_of_scikit_learn():
    random = np.random.default_rng(0)
    positive, score = random.random(200) < 0.3, random.integers(0, 6, 200) / 5
    found = curves.sweep(positive, score)
    assert curves.roc_auc(found) == pytest.approx(reference.roc_auc_score(positive, score))
    assert curves.average_precision(found) == pytest.approx(reference.average_precision_score(positive, score))


def test_the_curves_pass_through_the_points_of_scikit_learn():
    random = np.random.default_rng(0)
    positive, score = random.random(60) < 0.4, random.random(60)
    false_alarms, found, _ = reference.roc_curve(positive, score, drop_intermediate=False)
    curve = curves.roc(curves.sweep(positive, score))
    assert curve["x"] == pytest.approx(false_alarms) and curve["y"] == pytest.approx(found)
    precision, recall, _ = reference.precision_recall_curve(positive, score)
    curve = curves.precision_recall(curves.sweep(positive, score))
    assert curve["y"][::-1] == pytest.approx(precision[:-1]) and curve["x"][::-1] == pytest.approx(recall[:-1])


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    random = np.random.default_rng(0)
    curve = curves.roc(curves.sweep(random.random(5000) < 0.4, random.random(5000)))
    assert len(curve["x"]) <= 200
    assert (curve["x"][0], curve["y"][0], curve["x"][-1], curve["y"][-1]) == (0, 0, 1, 1)


def test_a_class_that_no_row_has_has_no_area_and_spoils_no_mean():
    rows = one_label(0, classes=3)
    without = Answered(
        rows.labels, rows.row_ids, np.where(rows.truth == 2, 0, rows.truth), rows.given, rows.probabilities
    )
    assert scores.roc_auc(without)[2] is None and scores.pr_auc(without)[2] is None
    assert scores.further(without)["roc_auc_macro"] == pytest.approx(np.mean(scores.roc_auc(without)[:2]))


def test_a_probability_of_nothing_for_the_truth_costs_much_but_not_infinitely():
    rows = of_logits(np.array([[500.0, 0.0], [0.0, 500.0]]), np.array([1, 1]), None, ["a", "b"], ["x", "y"])
    assert scores.further(rows)["log_loss"] == pytest.approx(-np.log(np.finfo(np.float32).eps) / 2, rel=1e-3)


def test_thresholds_worked_by_hand():
    # probabilities of "b": 0.9 (b), 0.6 (a), 0.4 (b), 0.2 (a)
    p = np.array([0.9, 0.6, 0.4, 0.2])
    positive = np.array([True, False, True, False])
    curve = curves.by_threshold(positive, p)
    at = curve["threshold"].index(0.5)
    assert (curve["precision"][at], curve["recall"][at], curve["f1"][at]) == (0.5, 0.5, 0.5)
    at = curve["threshold"].index(0.3)
    assert curve["precision"][at] == pytest.approx(2 / 3) and curve["recall"][at] == 1
    assert curve["f1"][at] == pytest.approx(0.8)
    assert curves.best_f1(positive, p) == pytest.approx(0.4)  # of 0.21 to 0.4, the one nearest to 0.5


def test_holding_back_unsure_answers_is_counted_by_hand():
    logits = np.log(np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7]]))
    rows = of_logits(logits, np.array([0, 0, 1]), None, ["a", "b"], ["x", "y", "z"])
    curve = curves.held_back(rows)
    at = curve["threshold"].index(0.65)
    assert (curve["answered"][at], curve["accuracy"][at]) == (pytest.approx(2 / 3), 1.0)
    assert curve["accuracy"][0] == pytest.approx(2 / 3) and curve["accuracy"][-1] is None


@pytest.mark.parametrize("make", [one_label, several_labels])
def test_intervals_frame_each_figure_they_are_given_for(make):
    rows = make(1)
    found = figures(rows, 0.0, seed=0)
    assert set(found["intervals"]) >= {name for name in scores.further(rows) if "auc" not in name}
    for name, (low, high) in found["intervals"].items():
        assert low < found[name] < high, name
    for row in found["per_class"].values():
        for name in ("precision", "recall", "f1"):
            low, high = row["intervals"][name]
            assert low < row[name] < high


@pytest.mark.slow
def test_the_f1_of_a_class_has_the_interval_of_drawing_rows_with_replacement():
    rows, random, drawn = one_label(2, classes=3), np.random.default_rng(5), []
    for _ in range(1500):
        at = random.integers(0, 300, 300)
        drawn.append(reference.f1_score(rows.truth[at], rows.given[at], labels=[0, 1, 2], average=None))
    found = figures(rows, 0.0, seed=0)["per_class"].values()
    for row, expected in zip(found, np.quantile(drawn, [0.025, 0.975], axis=0).T, strict=True):
        assert row["intervals"]["f1"] == pytest.approx(expected.tolist(), abs=0.012)


@pytest.mark.slow
def test_intervals_of_balanced_accuracy_and_log_loss_hold_the_true_value_19_times_of_20():
    # A great many rows stand for the truth, and tests of 300 rows are drawn from them.
    everything = one_label(0, rows=40_000, classes=3)
    truth, random = scores.further(everything), np.random.default_rng(1)
    held = {"balanced_accuracy": 0, "log_loss": 0, "matthews": 0}
    for seed in range(600):
        at = random.integers(0, 40_000, 300)
        parts = (everything.truth[at], everything.given[at], everything.probabilities[at])
        found = figures(Answered(everything.labels, [], *parts), 0.0, seed=seed)["intervals"]
        for name in held:
            held[name] += found[name][0] <= truth[name] <= found[name][1]
    for name, count in held.items():
        assert 0.93 <= count / 600 <= 0.97, (name, count / 600)
