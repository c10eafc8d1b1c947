"""The figures agree with hand and scikit-learn, and their intervals hold what they promise."""

import warnings

import evaluate
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, precision_recall_fscore_support
from transformers import EvalPrediction

from studio.errors import RunError
from studio.evaluation import metrics, modules

# Two cats and a dog; one cat is taken for a dog.
#   cat: precision 1/1, recall 1/2, F1 2/3      dog: precision 1/2, recall 1/1, F1 2/3
TRUTH, PREDICTIONS = np.array([0, 0, 1]), np.array([0, 1, 1])


def reference(truth, predictions):
    """scikit-learn's word on the five figures; no labels are given, so it averages over the classes it meets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        macro = precision_recall_fscore_support(truth, predictions, average="macro", zero_division=0)
        weighted = precision_recall_fscore_support(truth, predictions, average="weighted", zero_division=0)
    return {
        "accuracy": accuracy_score(truth, predictions),
        "f1_macro": macro[2],
        "f1_weighted": weighted[2],
        "precision_macro": macro[0],
        "recall_macro": macro[1],
    }


def test_an_example_worked_by_hand():
    found = metrics.scores(metrics.confusion(TRUTH, PREDICTIONS, 2))
    assert found == pytest.approx(
        {"accuracy": 2 / 3, "f1_macro": 2 / 3, "f1_weighted": 2 / 3, "precision_macro": 3 / 4, "recall_macro": 3 / 4}
    )


@pytest.mark.parametrize("seed", range(20))
def test_scores_agree_with_scikit_learn_also_when_classes_are_absent(seed):
    random = np.random.default_rng(seed)
    classes = int(random.integers(2, 12))
    # skewed, so that some classes are missing from the truth, from the predictions, or from both
    shares = random.dirichlet(np.full(classes, 0.3))
    truth, predictions = random.choice(classes, 40, p=shares), random.choice(classes, 40, p=shares[::-1])
    found = metrics.scores(metrics.confusion(truth, predictions, classes))
    assert found == pytest.approx(reference(truth, predictions))


def test_the_trainers_function_scores_logits_under_exactly_the_promised_names():
    compute = modules.compute_metrics(["cat", "dog", "never seen"], several=False)
    logits = np.array([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [-1.0, 5.0, 4.0]])
    found = compute(EvalPrediction(predictions=logits, label_ids=TRUTH))
    assert list(found) == list(metrics.SCORES)
    assert all(type(value) is float for value in found.values())
    assert found == pytest.approx(reference(TRUTH, PREDICTIONS))


def test_hidden_states_beside_the_logits_are_passed_over():
    logits = np.array([[2.0, 1.0], [0.0, 3.0], [-1.0, 5.0]])
    compute = modules.compute_metrics(["cat", "dog"], several=False)
    found = compute(EvalPrediction((logits, np.zeros((3, 7, 16))), TRUTH))
    assert found["accuracy"] == pytest.approx(2 / 3)


def test_the_module_combines_with_others_of_evaluate_without_a_network(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    both = evaluate.combine([modules.Classification(keep_in_memory=True)])
    both.add_batch(predictions=PREDICTIONS[:2], references=TRUTH[:2])
    both.add_batch(predictions=PREDICTIONS[2:], references=TRUTH[2:])
    assert both.compute(classes=2)["precision_macro"] == pytest.approx(3 / 4)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_model_that_answers_no_number_is_not_scored(broken):
    logits = np.array([[2.0, 1.0], [broken, 3.0], [0.0, 1.0]])
    with pytest.raises(RunError, match="1 of 3 evaluated rows .* --learning_rate"):
        modules.compute_metrics(["cat", "dog"], several=False)(EvalPrediction(logits, TRUTH))


def test_per_class_agrees_with_scikit_learn_and_lists_absent_classes_with_no_rows():
    truth, predictions = np.array([0, 0, 0, 1, 1, 3]), np.array([0, 0, 1, 1, 0, 0])
    found = metrics.per_class(metrics.confusion(truth, predictions, 4), ["a", "b", "c", "d"])
    expected = precision_recall_fscore_support(truth, predictions, labels=range(4), zero_division=0)
    for i, label in enumerate("abcd"):
        assert list(found[label].values()) == pytest.approx([column[i] for column in expected])
    assert found["c"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}


def test_intervals_equal_those_of_drawing_rows_with_replacement():
    random = np.random.default_rng(0)
    truth = random.choice(4, 150, p=[0.5, 0.3, 0.15, 0.05])
    predictions = np.where(random.random(150) < 0.7, truth, random.integers(0, 4, 150))
    found = metrics.intervals(metrics.confusion(truth, predictions, 4), seed=1, resamples=4000)

    drawn = []
    for _ in range(1000):
        rows = random.integers(0, 150, 150)
        drawn.append(list(metrics.scores(metrics.confusion(truth[rows], predictions[rows], 4)).values()))
    for name, expected in zip(metrics.SCORES, np.quantile(drawn, [0.025, 0.975], axis=0).T, strict=True):
        assert found[name] == pytest.approx(expected.tolist(), abs=0.012), name


@pytest.mark.slow
def test_intervals_hold_the_true_accuracy_19_times_of_20():
    # A classifier of three classes that is right with probability 0.78, tested on 400 rows, 800 times over.
    random = np.random.default_rng(0)
    cells = np.array([[0.40, 0.05, 0.03], [0.04, 0.25, 0.03], [0.03, 0.04, 0.13]])
    held = 0
    for seed, counts in enumerate(random.multinomial(400, cells.ravel(), size=800)):
        low, high = metrics.intervals(counts.reshape(3, 3), seed=seed)["accuracy"]
        held += low <= 0.78 <= high
    assert 0.93 <= held / 800 <= 0.97


def test_intervals_follow_from_the_seed_and_frame_the_figure():
    random = np.random.default_rng(3)
    matrix = metrics.confusion(random.integers(0, 5, 300), random.integers(0, 5, 300), 5)
    found = metrics.intervals(matrix, seed=7)
    assert found == metrics.intervals(matrix, seed=7) != metrics.intervals(matrix, seed=8)
    assert list(found) == list(metrics.SCORES)
    for name, value in metrics.scores(matrix).items():
        assert found[name][0] < value < found[name][1]


def test_intervals_do_not_depend_on_how_many_resamples_are_drawn_at_a_time(monkeypatch):
    random = np.random.default_rng(3)
    matrix = metrics.confusion(random.integers(0, 5, 300), random.integers(0, 5, 300), 5)
    whole = metrics.intervals(matrix, seed=7)
    monkeypatch.setattr(metrics, "_BLOCK", 700)
    assert metrics.intervals(matrix, seed=7) == whole


def test_intervals_of_a_hundred_classes_and_a_hundred_thousand_rows_have_the_width_of_the_normal_approximation():
    random = np.random.default_rng(0)
    truth = random.integers(0, 100, 100_000)
    predictions = np.where(random.random(100_000) < 0.7, truth, random.integers(0, 100, 100_000))
    matrix = metrics.confusion(truth, predictions, 100)
    low, high = metrics.intervals(matrix, seed=0)["accuracy"]
    accuracy = metrics.scores(matrix)["accuracy"]
    assert high - low == pytest.approx(2 * 1.96 * (accuracy * (1 - accuracy) / 100_000) ** 0.5, rel=0.1)
