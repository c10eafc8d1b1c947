"""Curves over steps as SVG: true to their values, light, and never live."""

import re
import xml.etree.ElementTree as ET

import pytest

from studio.ui.lines import lines
from tests.conftest import HOSTILE


def svg(chart: str) -> ET.Element:
    return ET.fromstring(re.search(r"<svg.*</svg>", chart, re.S)[0])


def values(drawn: ET.Element) -> list[list[tuple[float, float]]]:
    """The (step, value) points of each curve, read back from the drawing by the scale it states."""
    scale = {key.removeprefix("data-"): float(value) for key, value in drawn.items() if key.startswith("data-")}
    across, up = scale["right"] - scale["left"], scale["bottom"] - scale["top"]
    found = []
    for curve in drawn.iter("polyline"):
        points = [tuple(map(float, point.split(","))) for point in curve.get("points").split()]
        found.append(
            [
                (
                    (x - scale["left"]) / across * scale["last"],
                    scale["low"] + (scale["bottom"] - y) / up * (scale["high"] - scale["low"]),
                )
                for x, y in points
            ]
        )
    return found


@pytest.mark.parametrize("unit", [1e-6, 1.0, 3e7])
def test_what_is_drawn_can_be_read_back(unit):
    loss = [(step, unit * (5 - step / 30)) for step in range(0, 101, 5)]
    (read,) = values(svg(lines("Loss", {"training": loss}, 100)))
    for (step, value), (x, y) in zip(loss, read, strict=True):
        assert x == pytest.approx(step, abs=0.05) and y == pytest.approx(value, abs=0.01 * unit)


def test_all_values_lie_between_the_lowest_and_the_highest_tick_and_ticks_are_round():
    drawn = svg(lines("Score", {"a": [(1, 0.313), (2, 0.871)]}, 2))
    assert float(drawn.get("data-low")) <= 0.313 and float(drawn.get("data-high")) >= 0.871
    assert {"0.4", "0.6", "0.8"} <= {text.text for text in drawn.iter("text")}


def test_one_point_and_equal_values_are_seen_all_the_same():
    (dash,) = values(svg(lines("Score", {"a": [(30, 0.5)]}, 30)))
    assert len(dash) == 2 and dash[0][0] < dash[1][0]
    (level,) = values(svg(lines("Rate", {"a": [(1, 0.0), (9, 0.0)]}, 9)))
    assert [y for _, y in level] == pytest.approx([0, 0])


def test_nothing_is_drawn_without_points_and_curves_without_points_are_left_out():
    assert lines("Loss", {"training": [], "validation": []}, 10) == ""
    chart = lines("Loss", {"training": [(1, 1.0), (2, 0.5)], "validation": []}, 10)
    assert "validation" not in chart


def test_the_best_step_is_marked_and_told():
    chart = lines("Loss", {"training": [(1, 1.0), (2000, 0.5)]}, 2000, marked=1500)
    assert "best step, 1,500" in chart and svg(chart).find("line[@class='fair']") is not None


def test_names_of_runs_are_shown_and_do_nothing():
    chart = lines(HOSTILE, {HOSTILE: [(1, 1.0)], "b": [(1, 2.0)]}, 2)
    assert "<img" not in chart and chart.count("&lt;img") >= 3
    svg(chart)


def test_a_thousand_points_weigh_little():
    assert len(lines("Loss", {"training": [(step, 1 / step) for step in range(1, 1001)]}, 1000)) < 16_000
