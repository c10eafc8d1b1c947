"""Slices find the kind of rows on which a model is worse, and none where there is none."""

import numpy as np
import pytest

from studio.evaluation import mistakes
from studio.evaluation.answered import Answered, of_logits
from studio.evaluation.slices import FEWEST, slices


def judged(right: np.ndarray, **traits: list) -> Answered:
    """Rows of two classes in turn that are answered right where it says so."""
    truth = np.arange(len(right)) % 2
    given = np.where(right, truth, 1 - truth)
    probabilities = np.where(given[:, None] == [0, 1], 0.9, 0.1)
    return Answered(["a", "b"], [f"row {i}" for i in range(len(right))], truth, given, probabilities, traits)


def test_the_length_at_which_a_model_fails_is_found():
    random = np.random.default_rng(0)
    length = random.integers(1, 101, 800)
    right = random.random(800) < np.where(length > 75, 0.6, 0.9)
    found = slices(judged(right, characters=length.tolist()))
    assert [one["worse"] for one in found] == [False, False, False, True]
    worst = found[-1]
    inside = length > 75
    low, high = map(int, worst["value"].split(" to "))
    inside = (length >= low) & (length <= high)
    assert worst["rows"] == inside.sum()
    assert worst["accuracy"] == pytest.approx(right[inside].mean())
    assert worst["rest"] == pytest.approx(right[~inside].mean())
    assert worst["interval"][0] < worst["accuracy"] < worst["interval"][1]
    assert sum(one["rows"] for one in found) == 800


def test_words_are_slices_by_value_and_small_ones_are_left_out():
    camera = ["old"] * 60 + ["new"] * 60 + ["lost"] * (FEWEST - 1)
    right = np.array([True] * 40 + [False] * 20 + [True] * 60 + [True] * (FEWEST - 1))
    found = {one["value"]: one for one in slices(judged(right, camera=camera))}
    assert set(found) == {"old", "new"}
    assert found["old"]["worse"] and not found["new"]["worse"]


def test_what_tells_the_label_is_no_slice():
    right = np.array([True, False] * 50)
    assert slices(judged(right, folder=["a", "b"] * 50)) == []
    assert slices(judged(right, nothing=[None] * 100)) == []


def test_looking_at_many_slices_of_nothing_finds_one_in_twenty_sets_at_most():
    random, alarms = np.random.default_rng(0), 0
    for _ in range(300):
        traits = {f"trait {i}": random.integers(0, 1000, 400).tolist() for i in range(5)}
        alarms += any(one["p"] < 0.05 for one in slices(judged(random.random(400) < 0.8, **traits)))
    assert alarms / 300 <= 0.07


def test_confused_pairs_are_counted_with_the_commonest_first():
    truth, given = np.array([0, 0, 0, 1, 1, 2, 2, 2]), np.array([1, 1, 0, 1, 0, 2, 2, 2])
    rows = of_logits(np.eye(3)[given] * 3, truth, None, ["ant", "bee", "fly"], list("abcdefgh"))
    assert mistakes.confused_pairs(rows) == [
        {"label": "ant", "prediction": "bee", "rows": 2, "share": pytest.approx(2 / 3)},
        {"label": "bee", "prediction": "ant", "rows": 1, "share": 0.5},
    ]


def test_of_several_labels_a_pair_is_one_that_is_missing_and_one_that_is_not_true():
    truth = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]], bool)
    given = np.array([[0, 1, 0], [1, 1, 0], [0, 0, 1]], bool)
    rows = Answered(["x", "y", "z"], list("abc"), truth, given, np.where(given, 0.8, 0.3))
    assert mistakes.confused_pairs(rows) == [{"label": "x", "prediction": "y", "rows": 1, "share": 0.5}]
    errors = mistakes.surest_errors(rows)
    assert {error["row_id"]: error["label"] for error in errors} == {"a": ["x"], "c": []}
    assert errors[0]["score"] == pytest.approx(0.8)


def test_the_surest_errors_come_first_and_right_answers_never():
    logits = np.log(np.array([[0.9, 0.1], [0.2, 0.8], [0.35, 0.65], [0.6, 0.4]]))
    rows = of_logits(logits, np.array([0, 0, 0, 1]), None, ["a", "b"], list("wxyz"))
    found = mistakes.surest_errors(rows)
    assert [(one["row_id"], one["label"], one["prediction"]) for one in found] == [
        ("x", ["a"], ["b"]),
        ("y", ["a"], ["b"]),
        ("z", ["b"], ["a"]),
    ]
    assert found[0]["score"] == pytest.approx(0.8)
    told = mistakes.confidence_of_right_and_wrong(rows)
    assert (sum(told["right"]), sum(told["wrong"])) == (1, 3)
