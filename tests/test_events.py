"""The event stream is append-only, readable while it grows, and true after a resume."""

import math

from studio import events


def test_reading_goes_on_where_it_stopped(tmp_path):
    file = tmp_path / "events.jsonl"
    events.append(file, "metric", 1, {"loss": 0.5})
    first, offset = events.read(file)
    events.append(file, "metric", 2, {"loss": 0.4})
    second, end = events.read(file, offset)
    assert [e.step for e in first] == [1] and [e.step for e in second] == [2]
    assert events.read(file, end) == ([], end)


def test_a_half_written_line_waits_for_its_end(tmp_path):
    file = tmp_path / "events.jsonl"
    events.append(file, "metric", 1, {"loss": 0.5})
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:10])
    found, offset = events.read(file)
    assert len(found) == 1 and offset == len(whole)
    file.write_bytes(whole + whole)
    assert len(events.read(file, offset)[0]) == 1


def test_a_damaged_line_hides_no_other(tmp_path):
    file = tmp_path / "events.jsonl"
    events.append(file, "metric", 1, {"loss": 0.5})
    with file.open("a") as stream:
        stream.write('{"tim\n')
    events.append(file, "metric", 2, {"loss": 0.4})
    assert [e.step for e in events.read(file)[0]] == [1, 2]


def test_numbers_that_are_not_finite_become_null(tmp_path):
    file = tmp_path / "events.jsonl"
    events.append(file, "metric", 1, {"loss": math.nan, "deep": [math.inf, 1.0]})
    assert "NaN" not in file.read_text() and "Infinity" not in file.read_text()
    assert events.read(file)[0][0].data == {"loss": None, "deep": [None, 1.0]}


def test_a_resumed_run_shows_each_step_once(tmp_path):
    file = tmp_path / "events.jsonl"
    for step in (10, 20, 30):
        events.append(file, "metric", step, {"loss": 1.0})
    events.append(file, "status", 20, {"resumed_from": 20})
    for step in (30, 40):
        events.append(file, "metric", step, {"loss": 2.0})
    kept = events.without_replaced(events.read(file)[0])
    assert events.series(kept, "loss") == [(10, 1.0), (20, 1.0), (30, 2.0), (40, 2.0)]


def test_a_validation_that_was_made_twice_is_shown_once(tmp_path):
    file = tmp_path / "events.jsonl"
    events.append(file, "metric", 4, {"loss": 1.0})
    for score in (0.5, 0.6):
        events.append(file, "status", 4, {"resumed_from": 4})
        events.append(file, "metric", 4, {"eval_f1_macro": score})
    kept = events.without_replaced(events.read(file)[0])
    assert events.series(kept, "eval_f1_macro") == [(4, 0.6)] and events.series(kept, "loss") == [(4, 1.0)]


def test_thinning_keeps_the_extremes_and_the_limit():
    points = [(step, math.sin(step)) for step in range(100_000)]
    points[51_234] = (51_234, 99.0)
    thinned = events.thin(points)
    assert len(thinned) <= 1000 and (51_234, 99.0) in thinned
    assert [p[0] for p in thinned] == sorted(p[0] for p in thinned)
    assert events.thin(points[:1000]) == points[:1000]
