"""Calibration worked by hand, and the temperature that brings back what was spoilt."""

import numpy as np
import pytest

from studio.evaluation import calibration
from studio.evaluation.scores import log_losses
from tests.evaluation.rows import one_label, several_labels


def test_the_error_is_the_mean_distance_of_confidence_and_accuracy_by_bin():
    # two answers at 0.95, one right: 0.45 off; two at 0.55, both right: 0.45 off the other way; one at 0.75, wrong
    confidence, right = np.array([0.95, 0.95, 0.55, 0.55, 0.75]), np.array([1, 0, 1, 1, 0], bool)
    assert calibration.error(confidence, right) == pytest.approx((2 * 0.45 + 2 * 0.45 + 0.75) / 5)
    bins = calibration.bins(confidence, right)
    assert [(one["rows"], one["accuracy"]) for one in bins] == [(2, 1.0), (1, 0.0), (2, 0.5)]
    assert all(one["low"] <= one["confidence"] < one["high"] for one in bins)
    assert calibration.error(np.array([1.0]), np.array([True])) == 0  # the last bin holds its end


def test_a_calibrated_model_stays_below_what_chance_explains_19_times_of_20():
    held = 0
    for seed in range(400):
        rows = one_label(seed, rows=400)
        confidence, right = calibration.confidences(rows.probabilities, rows)
        held += calibration.error(confidence, right) <= calibration.chance_error(confidence, seed=seed)
    assert 0.92 <= held / 400 <= 0.98


@pytest.mark.parametrize("make", [one_label, several_labels])
@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_temperature_is_what_the_logits_were_sharpened_by(make, sharpness):
    rows = make(0, rows=8000, sharpness=sharpness)
    assert calibration.temperature(rows) == pytest.approx(sharpness, rel=0.06)


def test_the_temperature_has_the_least_log_loss_of_all():
    rows = one_label(3, sharpness=2.5)
    best = calibration.temperature(rows)

    def loss(temperature: float) -> float:
        return log_losses(calibration.at_temperature(rows.probabilities, temperature, False), rows.truth).mean()

    assert all(loss(best) <= loss(other) for other in np.geomspace(0.1, 10, 200))


@pytest.mark.parametrize("make", [one_label, several_labels])
def test_the_temperature_of_the_validation_rows_mends_the_test_rows(make):
    test, validation = (make(seed, rows=2000, sharpness=3.0) for seed in (0, 1))
    found = calibration.calibration(test, validation, seed=0)
    assert found["error"] > 2 * found["chance_error"]
    assert found["error_at_temperature"] < 0.5 * found["error"]
    assert found["log_loss_at_temperature"] < found["log_loss"]
    assert found["temperature"] == calibration.temperature(validation)


def test_a_temperature_of_one_changes_nothing():
    for rows in (one_label(), several_labels()):
        found = calibration.at_temperature(rows.probabilities, 1.0, rows.several)
        assert found == pytest.approx(rows.probabilities, abs=1e-6)
