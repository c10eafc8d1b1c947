"""What a run's curves are read as."""

import pytest

from studio.advice import advice


def curve(*values: float) -> list[tuple[int, float]]:
    return list(enumerate(values, start=1))


FALLING = curve(*(1.0 / (1 + 0.2 * step) for step in range(20)))


LONG_STEPS = {"update_ratio_head": curve(*[0.5] * 12), "learning_rate": curve(*[0.5] * 12)}
BY_DEPTH = {f"grad_norm_{part}": curve(*[norm] * 6) for part, norm in (("early", 1.0), ("late", 3.0), ("head", 2.0))}


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
        "learning_rate": curve(*(1e-3 * (1 - step / 20) for step in range(20))),
        "confidence": curve(*(0.4 + 0.03 * step for step in range(20))),
        "logit_spread": curve(*(0.1 * step for step in range(1, 21))),
        **{f"grad_norm_{part}": curve(*[0.5] * 20) for part in ("embeddings", "early", "late", "head")},
        **{f"update_ratio_{part}": curve(*[2e-3] * 20) for part in ("embeddings", "early", "late", "head")},
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
        ({"loss": curve(*[4.0] * 6), "confidence": curve(*[0.999] * 6)}, "certain of its answers"),
        (BY_DEPTH | {"grad_norm": curve(*[300.0] * 5)}, "longest in the late layers"),
        (BY_DEPTH | {"grad_norm_early": curve(*[1e-6] * 6)}, "gradient reaches the early layers"),
        (LONG_STEPS | {"loss": curve(*[0.7] * 12)}, "have changed the head by 50%"),
        ({"update_ratio_head": curve(*[1e-6] * 6), "learning_rate": curve(*[1e-8] * 6)}, "by more than 1e-06"),
        ({"logit_spread": curve(*[0.0] * 12)}, "Every row gets the same answer"),
        ({"logit_spread": curve(0.4, 0.7, *[1e-4] * 12)}, "Every row gets the same answer"),
        ({"eval_recall_macro": curve(0.5, 1 / 3, 1 / 3)}, "same label"),
        ({"loss": FALLING, "eval_loss": curve(0.6, 0.5, 0.62, 0.8)}, "by heart"),
        ({"eval_f1_macro": curve(0.7, 0.8, 0.79, 0.78, 0.8, 0.79)}, "nothing better"),
        ({"data_wait_share": curve(*[0.6] * 6)}, "waiting for data"),
    ],
)
def test_what_goes_wrong_is_named(curves, told):
    assert told in titles(curves)


def test_every_advice_says_what_to_do():
    (one,) = advice({"eval_recall_macro": curve(0.5, 0.5)}, "f1_macro", 2)
    assert "epochs" in one.remedy


def test_a_rate_is_advised_that_brings_the_steps_to_their_usual_length():
    low = {"update_ratio_head": curve(*[2e-6] * 6), "learning_rate": curve(*[1e-7] * 6)}
    assert "(--learning_rate 5e-05)" in advice(low, "f1_macro", 2)[0].remedy
    high = LONG_STEPS | {"loss": curve(*[0.7] * 12)}
    assert "(--learning_rate 0.001)" in advice(high, "f1_macro", 2)[0].remedy


def test_long_steps_that_bring_the_loss_down_are_no_fault():
    assert titles(LONG_STEPS | {"loss": FALLING}) == ""


def test_short_steps_in_the_warmup_and_at_the_end_are_as_they_should_be():
    rising = {"update_ratio_head": curve(*[2e-6] * 6), "learning_rate": curve(*(1e-7 * step for step in range(6)))}
    assert titles(rising) == ""
    sinking = curve(*(1e-3 * (1 - step / 200) for step in range(201)))
    assert titles({"update_ratio_head": sinking, "learning_rate": sinking}) == ""


def test_gradients_that_vanish_because_all_is_learnt_are_no_fault():
    learnt = {"loss": curve(*(0.5**step for step in range(20))), "grad_norm": curve(*(0.3**step for step in range(20)))}
    assert titles(learnt) == ""
    assert "vanished" in titles(learnt | {"loss": curve(*[0.69] * 20)})


def test_a_fresh_network_may_take_its_time_to_tell_rows_apart():
    assert titles({"logit_spread": curve(*[3e-5] * 30)}) == ""


def test_one_validation_with_a_single_label_is_too_early_to_tell():
    assert titles({"eval_recall_macro": curve(1 / 3)}) == "" == titles({"eval_recall_macro": curve(1 / 3, 0.5)})


def test_a_falling_loss_as_the_metric_is_no_plateau():
    losses = curve(0.9, 0.8, 0.7, 0.6, 0.5, 0.4)
    assert titles({"eval_loss": losses}, metric="loss") == ""
    assert "nothing better" in titles({"eval_loss": curve(0.4, 0.5, 0.6, 0.7, 0.8, 0.9)}, metric="loss")
