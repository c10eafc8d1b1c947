"""What came of child runs on the same test rows: what each cost and scored, and which to take, honest about chance."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from studio import events
from studio.evaluation import paired
from studio.jobs.standing import Standing, standing
from studio.search.trials import Trials

_ALIKE = 1.1  # times the shortest training: what takes no longer costs as much
Course = list[tuple[int, float, float]]  # (step, seconds of training, value)


def comparison(
    trials: Trials, key: str, settings: dict[str, Any], children: dict[str, str], refused: dict[str, Standing]
) -> dict[str, Any]:
    """The content of comparison.json.

    Args:
        settings: what all children share.
        children: ends of the runs' names by the value of the setting `key`.
        refused: why children could not be started.
    """
    metric = settings.get("metric_for_best_model", "f1_macro")
    rows = [_row(value, trials.place(child), metric, refused.get(value)) for value, child in children.items()]
    scored = [row for row in rows if row["accuracy"] is not None]
    best = max(scored, key=lambda row: (row["accuracy"], -row["time_s"]), default=None)
    if best:
        _test_against(best, scored)
    recommended = _recommended(best, scored) if best else None
    return {
        "setting": key,
        "recipe": trials.recipe.path.stem,
        "folder": str(trials.folder),
        "metric": metric,
        "finished": all(row["state"] in ("finished", "failed") for row in rows),
        "runs": rows,
        "best": best["value"] if best else None,
        "recommended": recommended["value"] if recommended else None,
        "recommendation": _advice(best, recommended, scored),
        "reasons": [row["against_best"]["sentence"] for row in scored if row["against_best"]],
        "notes": _notes(rows, scored, settings),
    }


def table(found: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and lines of the comparison, for a person."""
    head = [found["setting"], "accuracy (95 %)", "F1 macro", "against the best", "training", "steps", "best at step"]
    lines = []
    for row in found["runs"]:
        if row["accuracy"] is None:
            lines.append([row["value"], row["state"], *[""] * 7])
            continue
        low, high = row["interval"]
        lines.append([
            row["value"],
            f"{row['accuracy']:.3f} ({low:.3f} to {high:.3f})",
            f"{row['f1_macro']:.3f}",
            _against(row, found["best"]),
            f"{row['time_s']:.0f} s",
            _number(row["steps"]),
            _number(row["best_step"]),
            _number(row["trainable_parameters"]),
            "" if row["peak_memory_bytes"] is None else f"{row['peak_memory_bytes'] / 1e9:.2f} GB",
        ])  # fmt: skip
    return [*head, "trained parameters", "memory"], lines


def markdown(found: dict[str, Any]) -> str:
    """The comparison as a page of Markdown."""
    head, lines = table(found)
    rows = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in line] for line in lines)]
    told = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    reasons = "".join(f"- {sentence}\n" for sentence in (*found["reasons"], *found["notes"]))
    title = f"# {found['recipe']}: values of {found['setting']} compared"
    return f"{title}\n\n{found['recommendation']}\n\n{told}\n{reasons}\n![validation metric](comparison.png)\n"


def _row(value: str, folder: Path, metric: str, refused: Standing | None) -> dict[str, Any]:
    """What one child cost and scored; None where that is not known."""
    now = refused or (standing(folder) if folder.exists() else Standing("not begun"))
    told = _report(folder) if now.state == "finished" else {}
    test, train = told.get("splits", {}).get("test", {}), told.get("train", {})
    course, seconds = _course(folder, f"eval_{metric}")
    sign = -1 if metric == "loss" else 1
    return {
        "value": value,
        "run": folder.name,
        "folder": str(folder),
        "state": now.state,
        "reason": now.reason,
        "accuracy": test.get("accuracy"),
        "interval": test.get("intervals", {}).get("accuracy"),
        "f1_macro": test.get("f1_macro"),
        "test_rows": test.get("samples"),
        "time_s": round(seconds, 1) or train.get("runtime_s") or 0.0,
        "runtime_s": train.get("runtime_s"),
        "steps": train.get("steps"),
        "best_step": max(course, key=lambda point: sign * point[2])[0] if course else None,
        "strategy": train.get("strategy"),
        "trainable_parameters": train.get("trainable_parameters"),
        "peak_memory_bytes": train.get("peak_memory_bytes"),
        "against_best": None,
        "course": course,
    }


def _report(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / "report" / "metrics.json").read_text())
    except (OSError, ValueError):
        return {}


def _course(folder: Path, name: str) -> tuple[Course, float]:
    """The points of a validation metric, and the seconds from when rows and network were there to the last step.

    What is computed before the first step is in them (features, a probe), and all sessions of a resumed run, but not
    the time between them.
    """
    points: dict[int, tuple[float, float]] = {}
    seconds, last, counts, ended = 0.0, None, False, 0.0
    for event in events.read(folder / "events.jsonl")[0]:
        if counts:
            seconds += event.time - last
        last = event.time
        if event.kind == "status":
            counts = "fitting" in event.data or "max_steps" in event.data
        if isinstance(at := event.data.get("resumed_from"), int):
            points = {step: point for step, point in points.items() if step <= at}
        if event.kind == "metric" and isinstance(value := event.data.get(name), int | float):
            points[event.step] = (round(seconds, 2), value)
        if "train_runtime" in event.data:
            ended = seconds
    return [(step, *point) for step, point in sorted(points.items())], ended or seconds


def _test_against(best: dict[str, Any], scored: list[dict[str, Any]]) -> None:
    """Adds to each other row the paired test against the best one, on the rows that both answered."""
    truth = paired.answers(Path(best["folder"]) / "report")
    others = [row for row in scored if row is not best]
    tests = [paired.compare(truth, paired.answers(Path(row["folder"]) / "report")) for row in others]
    for row, test, p in zip(others, tests, paired.holm([test.p for test in tests]), strict=True):
        sentence = test.sentence(best["value"], row["value"], p)
        row["against_best"] = asdict(test) | {"p_holm": p, "same_rows": test.same_rows, "sentence": sentence}


def _recommended(best: dict[str, Any], scored: list[dict[str, Any]]) -> dict[str, Any]:
    """The cheapest row that is not shown to be worse than the best; of those that cost alike, the most accurate."""
    fine = [row for row in scored if row is best or not _shown_worse(row["against_best"])]
    least = min(row["time_s"] for row in fine)
    return max((row for row in fine if row["time_s"] <= _ALIKE * least), key=lambda row: row["accuracy"])


def _shown_worse(test: dict[str, Any]) -> bool:
    """Whether all of the paired interval lies below the best; also where no row is shared, so that nothing is known."""
    return test["p"] is None or test["accuracy_interval"][1] < 0


def _advice(best: dict[str, Any] | None, taken: dict[str, Any] | None, scored: list[dict[str, Any]]) -> str:
    if not best or not taken:
        return "Nothing can be recommended: no run has been scored."
    if len(scored) == 1:
        return f"{best['value']} alone has been scored, so that there is nothing to choose from."
    right = f"right on {100 * best['accuracy']:.1f} % of {best['test_rows']:,} test rows"
    if taken is best:
        cheaper = any(row["time_s"] * _ALIKE < best["time_s"] for row in scored)
        why = "what takes less time is shown to be worse" if cheaper else "nothing else takes clearly less time"
        return f"Take {best['value']}: it is the most accurate ({right}), and {why}."
    test = taken["against_best"]
    low, high = test["accuracy_interval"]
    return (
        f"Take {taken['value']}: it trains in {taken['time_s']:.0f} s, where {best['value']}, the most accurate "
        f"({right}), takes {best['time_s']:.0f} s, and it is not shown to be worse: {100 * test['accuracy']:+.1f} "
        f"points of accuracy, 95 % interval {100 * low:+.1f} to {100 * high:+.1f}. That it is as good is not shown "
        "either: the interval says how much it may cost."
    )


def _notes(rows: list[dict[str, Any]], scored: list[dict[str, Any]], settings: dict[str, Any]) -> list[str]:
    notes = [
        f"{row['value']} is {row['state']}" + (f": {row['reason']}" if row["reason"] else "")
        for row in rows
        if row["accuracy"] is None
    ]
    if len(scored) > 1:
        count = min(row["test_rows"] for row in scored)
        notes.append(
            f"One of {count:,} test rows is {100 / count:.1f} points. The most accurate was found by these very rows, "
            "which flatters it a little; with another --seed, runs whose difference may be chance can change places."
        )
    if len(scored) > 2:
        notes.append(f"{len(scored) - 1} comparisons are made: p is corrected for that (Holm), the intervals are not.")
    if settings.get("num_train_epochs") is None and settings.get("max_steps", -1) < 0:
        notes.append(
            "Neither --num_train_epochs nor --max_steps was given: each trained as long as suits it, so that steps and "
            "times differ."
        )
    return notes


def _against(row: dict[str, Any], best: str) -> str:
    if row["value"] == best:
        return "the best"
    test = row["against_best"]
    if test["p"] is None:
        return "no rows in common"
    low, high = (100 * bound for bound in test["accuracy_interval"])
    return f"{100 * test['accuracy']:+.1f} points ({low:+.1f} to {high:+.1f}), p {test['p_holm']:.2g}"


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
