"""What is said about classes of different sizes before anything is trained, and settings that contradict each other."""

import csv

import pytest

from studio import overfit
from studio.config import Balance, Training
from studio.data.lopsided import lopsided
from studio.data.preview import preview
from studio.errors import RequestError
from studio.ui.data import view


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"focal_gamma": 1.0}, "--focal_gamma 1 needs --loss focal"),
        ({"logit_adjustment_tau": 1.0}, "--logit_adjustment_tau 1 needs --loss logit_adjusted"),
        ({"class_weights": "balanced", "sampling": "balanced"}, "--class_weights balanced and --sampling balanced"),
        ({"class_weights": "balanced", "loss": "logit_adjusted"}, "twice: keep one"),
        ({"sampling": "undersample", "loss": "logit_adjusted"}, "--sampling undersample and --loss logit_adjusted"),
        ({"loss": "focal", "focal_gamma": -1.0}, "--focal_gamma must be at least 0"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, complaint):
    with pytest.raises(RequestError, match=complaint):
        Balance(**settings)


def test_weights_and_sampling_go_with_the_focal_loss_and_its_defaults_are_those_of_the_papers():
    assert (
        Balance(class_weights="balanced", loss="focal").gamma == Balance(sampling="balanced", loss="focal").gamma == 2
    )
    assert Balance(loss="logit_adjusted").tau == 1 and Balance().gamma == Balance().tau == 0
    assert Balance(loss="focal", focal_gamma=0.0).gamma == 0
    assert Balance().idle and not Balance(loss="focal").idle and not Balance(sampling="oversample").idle


def test_one_batch_is_learnt_by_heart_under_a_plain_loss():
    short = overfit.shorten({"balance": Balance(loss="focal", sampling="undersample"), "training": Training()})
    assert short["balance"].idle


def test_a_remedy_is_named_from_ten_times_the_rows_on():
    told = lopsided({"common": 1_000, "usual": 600, "rare": 100, "absent": 0})
    assert told.title == "'common' has 10 times as many training rows as 'rare' (1,000 against 100)"
    assert "--class_weights balanced" in told.remedy and "recall of 'rare'" in told.remedy
    assert lopsided({"common": 999, "rare": 100}) is None and lopsided({}) is None


def test_a_preview_and_the_page_name_the_remedy(tmp_path):
    def told(name, *labels):
        with (tmp_path / name).open("w", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *((f"text {at}", label) for at, label in enumerate(labels))])
        return preview([f"--dataset_name={tmp_path / name}"])

    uneven = told("uneven.csv", *["a"] * 190, *["b"] * 10)
    assert "--class_weights balanced" in uneven["advice"][0]
    assert "look at this first" in view.headline("t", uneven) and "--class_weights" in view.warnings(uneven)
    assert told("even.csv", *["a"] * 60, *["b"] * 40)["advice"] == []
