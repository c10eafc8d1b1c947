"""Curves that grow for days stay small, true at their extremes, and are read but once."""

import random

import pytest

from studio import events
from studio.curves import Curve, Stream
from studio.ui.runs.charts import best_step


def test_a_short_curve_is_kept_point_by_point():
    curve = Curve()
    for step in range(900):
        curve.add(step, step % 7)
    assert curve.points() == [(step, step % 7) for step in range(900)]


@pytest.mark.parametrize("points", [1001, 4321, 100_000])
def test_a_long_curve_has_at_most_a_thousand_points_with_the_highest_and_the_lowest_among_them(points):
    draw = random.Random(points)
    values = [draw.gauss(0, 1) for _ in range(points)]
    curve = Curve()
    for step, value in enumerate(values):
        curve.add(step, value)
    shown = curve.points()
    assert len(shown) <= 1000 and shown == sorted(shown)
    assert {min(values), max(values)} <= {value for _, value in shown}
    gaps = [b[0] - a[0] for a, b in zip(shown, shown[1:], strict=False)]
    assert max(gaps) < 10 * points / len(shown)  # early and late steps are drawn alike


def test_only_what_is_new_is_read(tmp_path):
    stream = Stream(tmp_path)
    assert not stream.read_on()
    for step in (1, 2, 3):
        events.append(tmp_path / "events.jsonl", "metric", step, {"loss": 1 / step})
    assert stream.read_on() and not stream.read_on()
    offset = stream.offset
    events.append(tmp_path / "events.jsonl", "metric", 4, {"loss": 0.25})
    assert stream.read_on() and stream.offset > offset == len((tmp_path / "events.jsonl").read_bytes()) - (
        stream.offset - offset
    )
    assert stream.points("loss") == [(1, 1.0), (2, 0.5), (3, 1 / 3), (4, 0.25)]


def test_a_resumed_run_shows_each_step_once(tmp_path):
    file = tmp_path / "events.jsonl"
    for step in (1, 2, 3, 4):
        events.append(file, "metric", step, {"loss": float(step)})
    events.append(file, "status", 2, {"state": "running", "resumed_from": 2, "max_steps": 9})
    for step in (3, 4, 5):
        events.append(file, "metric", step, {"loss": 10.0 * step})
    stream = Stream(tmp_path)
    stream.read_on()
    assert stream.points("loss") == [(1, 1.0), (2, 2.0), (3, 30.0), (4, 40.0), (5, 50.0)]
    assert stream.points("loss") == events.series(events.without_replaced(events.read(file)[0]), "loss")
    assert stream.facts["max_steps"] == 9


def test_the_best_step_is_the_highest_score_or_the_lowest_loss():
    points = [(10, 0.5), (20, 0.9), (30, 0.9), (40, 0.2)]
    assert best_step(points, "f1_macro") == 20
    assert best_step(points, "loss") == 40
    assert best_step([], "f1_macro") is None


def test_alerts_are_listed_but_those_that_can_be_read_off_the_curves(tmp_path):
    told = {"about": "pixels", "message": "The pixel values lie between 0 and 255", "remedy": "Normalise them."}
    events.append(tmp_path / "events.jsonl", "alert", 1, told)
    events.append(tmp_path / "events.jsonl", "alert", 9, {"about": "plateau", "message": "m", "of_curves": True})
    events.append(tmp_path / "events.jsonl", "alert", 9, {"message": "checkpoint-9 is not used"})
    stream = Stream(tmp_path)
    stream.read_on()
    assert [str(one) for one in stream.alerts][0] == "The pixel values lie between 0 and 255. Normalise them."
    assert [one.about for one in stream.alerts] == ["pixels", ""]
