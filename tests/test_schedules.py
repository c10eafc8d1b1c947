"""Each schedule of the learning rate against a table made by hand, and what contradicts one."""

import pytest

from studio.config import Training
from studio.config.training import OF_SCHEDULES
from studio.errors import RequestError
from studio.schedules import drawn, drops, schedule

STEPS = 10
TABLES = {  # the shares of the learning rate at some of 10 steps, of which 2 are warm-up
    "linear": ({}, {0: 0, 1: 0.5, 2: 1, 6: 0.5, 8: 0.25, 10: 0}),
    "cosine": ({}, {0: 0, 1: 0.5, 2: 1, 4: 0.853553, 6: 0.5, 8: 0.146447, 10: 0}),
    "cosine_with_restarts": ({}, {1: 0.5, 2: 1, 4: 0.5, 5: 0.146447, 6: 1, 8: 0.5, 10: 0}),
    "polynomial": ({}, {1: 0.5, 2: 1, 4: 0.5625, 6: 0.25, 8: 0.0625, 10: 0}),
    "constant": ({}, {0: 1, 1: 1, 9: 1}),
    "constant_with_warmup": ({}, {0: 0, 1: 0.5, 2: 1, 9: 1}),
    "inverse_sqrt": ({}, {0: 0, 1: 0.5, 2: 1, 8: 0.5}),
    "one_cycle": ({}, {0: 0.04, 1: 0.52, 2: 1, 6: 0.5, 8: 0.146447, 10: 0}),
    "step": ({}, {1: 0.5, 2: 1, 4: 1, 5: 0.1, 7: 0.1, 8: 0.01}),
    "multi_step": ({}, {1: 0.5, 2: 1, 4: 1, 5: 0.1, 7: 0.1, 8: 0.01}),
    "exponential": ({"lr_gamma": 0.5, "lr_step_size": 2}, {1: 0.5, 2: 1, 3: 0.707107, 4: 0.5, 6: 0.25, 8: 0.125}),
    "reduce_lr_on_plateau": ({}, {0: 0, 1: 0.5, 2: 1, 9: 1}),
}
MORE = [
    ("cosine_with_restarts", {"lr_num_cycles": 4}, {2: 1, 3: 0.5, 4: 1, 5: 0.5}),
    ("polynomial", {"lr_power": 1}, {4: 0.75, 6: 0.5}),
    ("step", {"lr_gamma": 0.5, "lr_step_size": 0.4}, {5: 1, 6: 0.5, 9: 0.5, 10: 0.25}),
    ("multi_step", {"lr_gamma": 0.5, "lr_milestones": [0.3, 6]}, {2: 1, 3: 0.5, 5: 0.5, 6: 0.25}),
    ("linear", {"warmup_steps": 0}, {0: 1, 5: 0.5, 10: 0}),
    ("linear", {"warmup_steps": 5}, {1: 0.2, 5: 1, 10: 0}),
]


@pytest.mark.parametrize(
    ("name", "settings", "table"), [(name, *table) for name, table in TABLES.items()] + MORE, ids=str
)
def test_a_schedule_gives_the_shares_of_its_table(name, settings, table):
    share = schedule(Training(lr_scheduler_type=name, **{"warmup_steps": 0.2} | settings), STEPS)
    assert {step: share(step) for step in table} == pytest.approx(table, abs=1e-6)


def test_there_is_a_table_for_every_schedule():
    from typing import get_args, get_type_hints

    assert set(TABLES) == set(get_args(get_type_hints(Training)["lr_scheduler_type"]))


@pytest.mark.parametrize("warm", [0, 0.1, 7])
def test_what_transformers_calls_the_same_is_the_same(warm):
    import torch
    from transformers import get_scheduler

    kwargs = {"cosine_with_restarts": {"num_cycles": 2}, "polynomial": {"power": 2.0, "lr_end": 0.0}}
    for name in [*TABLES][:7]:
        training = Training(lr_scheduler_type=name, warmup_steps=warm)
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        steps, rises = 50, {0: 0, 0.1: 5, 7: 7}[warm]
        theirs = get_scheduler(name, optimizer, rises, steps, kwargs.get(name))
        ours = schedule(training, steps)
        for step in range(steps):
            assert theirs.get_last_lr()[0] == pytest.approx(ours(step), abs=1e-12), (name, step)
            optimizer.step()
            theirs.step()


def test_one_cycle_rises_to_the_full_rate_and_falls_to_nothing():
    shares = [share for _, share in drawn(Training(lr_scheduler_type="one_cycle", warmup_steps=0.3), 200)]
    top = shares.index(max(shares))
    assert shares[top] == 1 and shares[0] == 0.04 and shares[-1] == 0 and 29 <= top <= 31
    assert shares[: top + 1] == sorted(shares[: top + 1]) and shares[top:] == sorted(shares[top:], reverse=True)


def test_the_rate_falls_after_as_many_validations_as_patience_says():
    assert [drops([0.5, 0.6, 0.6, 0.55][:n], 2) for n in range(5)] == [0, 0, 0, 0, 1]
    assert drops([0.5, 0.5, 0.5, 0.5, 0.5], 2) == 2  # it waits anew after each fall
    assert drops([0.5, 0.4, 0.6, 0.5, 0.7], 2) == 0


@pytest.mark.parametrize("steps", [1, 2, 3, 40, 100_000])
@pytest.mark.parametrize("name", TABLES)
def test_any_length_of_a_run_can_be_drawn(name, steps):
    points = drawn(Training(lr_scheduler_type=name), steps)
    assert points[0][0] == 0 and points[-1][0] == steps and len(points) <= 101
    assert all(0 <= share <= 1 for _, share in points)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr_gamma": 0.5}, "--lr_gamma is for --lr_scheduler_type step or multi_step or exponential"),
        ({"lr_scheduler_type": "step", "lr_milestones": [0.5]}, "--lr_milestones is for .* multi_step; with step"),
        ({"lr_scheduler_type": "multi_step", "lr_milestones": [0.5, -1]}, "--lr_milestones 0.5 -1: each must be"),
        ({"lr_scheduler_type": "one_cycle", "warmup_steps": 0}, "one_cycle rises during --warmup_steps, which is 0"),
        (
            {"lr_scheduler_type": "reduce_lr_on_plateau", "early_stopping_patience": 2},
            "--early_stopping_patience 2 stops before --lr_patience 2",
        ),
    ],
)
def test_a_setting_that_contradicts_the_schedule_is_refused(settings, message):
    with pytest.raises(RequestError, match=message):
        Training(**settings)


def test_what_help_says_of_settings_that_are_not_given_is_true():
    from studio.fields import specs

    told = {spec.name: spec.help for spec in specs(Training)}
    for name, (value, _) in OF_SCHEDULES.items():
        shown = " ".join(f"{one:g}" for one in value) if isinstance(value, list) else f"{value:g}"
        assert f"(when not given: {shown})" in told[name]
