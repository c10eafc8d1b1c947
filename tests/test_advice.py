"""What a run's curves are read as."""

import pytest

from studio.advice import advice


def curve(*values: float) -> list[tuple[int, float]]:
    return list(enumerate(values, start=1))


FALLING = curve(*(1.0 / (1 + 0.2 * step) for step in range(20)))


def titles(curves: dict, metric: str = "f1_macro", classes: int = 3) -> str:
    return " / ".join(one.title for one in advice(curves, metric, classes))


def test_a_training_that_goes_well_gets_no_advice():
    well = {
        "loss": FALLING,
        "eval_loss": curve(0.8, 0.6, 0.5, 0.45),
        "eval_f1_macro": curve(0.5, 0.6, 0.7, 0.75),
        "eval_recall_macro": curve(0.5, 0.6, 0.7, 0.75),
        "grad_norm": curve(*[1.5] * 20),
        "data_wait_share": curve(*[0.05] * 20),
    }
    assert titles(well) == ""


def test_nothing_is_said_before_there_is_anything_to_read():
    assert titles({}) == "" and titles({"loss": curve(0.7), "grad_norm": curve(500.0)}) == ""


@pytest.mark.parametrize(
    "curves, told",
    [
        ({"loss": curve(*[1.0, 0.6, 0.4, 0.3, 0.3, 0.3, 0.3, 0.3], *[1.2, 1.5, 1.9, 2.5, 3.0])}, "diverges"),
        ({"grad_norm": curve(*[2.0] * 10, *[300.0] * 5)}, "very long"),
        ({"grad_norm": curve(*[1e-6] * 8)}, "vanished"),
        ({"eval_recall_macro": curve(0.5, 1 / 3)}, "same label"),
        ({"loss": FALLING, "eval_loss": curve(0.6, 0.5, 0.62, 0.8)}, "by heart"),
        ({"eval_f1_macro": curve(0.7, 0.8, 0.79, 0.78, 0.8, 0.79)}, "nothing better"),
        ({"data_wait_share": curve(*[0.6] * 6)}, "waiting for data"),
    ],
)
def test_what_goes_wrong_is_named(curves, told):
    assert told in titles(curves)


def test_every_advice_says_what_to_do():
    (one,) = advice({"eval_recall_macro": curve(0.5)}, "f1_macro", 2)
    assert "epochs" in one.remedy


def test_a_falling_loss_as_the_metric_is_no_plateau():
    losses = curve(0.9, 0.8, 0.7, 0.6, 0.5, 0.4)
    assert titles({"eval_loss": losses}, metric="loss") == ""
    assert "nothing better" in titles({"eval_loss": curve(0.4, 0.5, 0.6, 0.7, 0.8, 0.9)}, metric="loss")
