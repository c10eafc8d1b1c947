"""What the Runs screen says of one run, in HTML, with everything from outside escaped."""

import json
from html import escape
from pathlib import Path
from typing import Any

from studio.advice import advice
from studio.curves import Stream
from studio.ui import words
from studio.ui.runs.charts import best_step

_ALERTS = 8  # the latest ones, that the page shows
_LOG_BYTES = 60_000  # of the log's end that the page shows
_METRICS = {  # of metrics.json: what they mean
    "accuracy": "the share of right answers",
    "f1_macro": "precision and recall in one figure, every class counting alike",
    "f1_weighted": "the same, every class counting by its rows",
    "precision_macro": "of the answers that name a class, how many are right",
    "recall_macro": "of the rows of a class, how many are found",
    "loss": "how surprised it is by the true labels; less is better",
}


def head(folder: Path, now: Any, stream: Stream, metric: str) -> str:
    """Name, state, progress and the facts of a run, in HTML."""
    step = max((points[-1][0] for name in ("loss", f"eval_{metric}") if (points := stream.points(name))), default=0)
    total = stream.facts.get("max_steps")
    share = min(100.0, 100 * step / total) if total else 0
    scores = stream.points(f"eval_{metric}")
    facts = []
    if total:
        facts.append(f"step {step:,} of {total:,}")
    if scores:
        best = best_step(scores, metric)
        facts.append(f"best validation {metric.replace('_', ' ')} {dict(scores)[best]:.4f} at step {best:,}")
    if rows := stream.facts.get("rows"):
        facts.append(", ".join(f"{count:,} {split}" for split, count in rows.items()) + " rows")
    if precision := stream.facts.get("precision"):
        facts.append(str(precision))
    told = now.reason
    if not told and now.state in ("starting", "running") and (step == 0 or step == total):
        told = _last_line(folder / "train.log")
    reason = f'<p class="reason">{escape(told)}</p>' if told else ""
    return (
        f"<h3>{escape(folder.name)} {words.badge(now.state)}</h3>{reason}"
        f'<div class="bar" role="progressbar" aria-valuenow="{share:.0f}" aria-valuemin="0" aria-valuemax="100">'
        f'<div style="width:{share:.1f}%"></div></div><p class="facts">{escape(" · ".join(facts))}</p>'
    )


def _last_line(file: Path) -> str:
    """What a run has printed last, which says what it is at before its first step and after its last."""
    lines = log(file, "").replace("\r", "\n").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def notes(stream: Stream, metric: str, going: bool) -> str:
    """Alerts, advice and what the data sources had to say, in HTML."""
    curves = {name: curve.points() for name, curve in stream.curves.items()}
    found = [*stream.alerts[-_ALERTS:], *advice(curves, metric, len(stream.facts.get("labels", ())))]
    lines = [f"<li><b>{escape(one.title)}.</b> {escape(one.remedy)}</li>" for one in found]
    told = f'<ul class="advice">{"".join(lines)}</ul>' if lines else ""
    notes = "".join(f"<li>{escape(note)}</li>" for note in stream.facts.get("notes", ()))
    return told + (f"<details><summary>About the data</summary><ul>{notes}</ul></details>" if notes else "")


def result(report: Path) -> str:
    """What the test rows say: a sentence, then the metrics with their intervals and what each means, in HTML."""
    try:
        test = json.loads(report.read_text())["splits"]["test"]
    except (OSError, ValueError, KeyError):
        return ""  # not scored yet
    lines = []
    for name, meaning in _METRICS.items():
        if name in test:
            low, high = test.get("intervals", {}).get(name, (None, None))
            between = f"{low:.3f} to {high:.3f}" if low is not None else ""
            title = name.replace("_", " ").replace("f1", "F1")
            lines.append(
                f"<tr><td>{title}<small>{meaning}</small></td><td>{test[name]:.3f}</td><td>{between}</td></tr>"
            )
    return (
        f"<p>{_verdict(test)}</p>"
        f'<table class="result"><tr><th>metric</th><th>value</th><th>95 % interval</th></tr>{"".join(lines)}</table>'
    )


def _verdict(test: dict[str, Any]) -> str:
    """How good the model is, in plain words."""
    samples, share = test.get("samples", 0), test.get("accuracy")
    if share is None:
        return f"On {samples:,} rows that training never saw:"
    low, high = test.get("intervals", {}).get("accuracy", (None, None))
    told = f"On {samples:,} rows that training never saw, the model is right on <b>{share:.1%}</b>"
    told += f" (19 times of 20, such rows give {low:.1%} to {high:.1%})." if low is not None else "."
    always = test.get("majority_accuracy")
    if always is None:
        return told
    beaten = low is not None and low > always
    told += f" Always answering the commonest class would be right on {always:.1%}"
    return told + ("." if beaten else ": it is <b>not shown to be better than that</b>.")


def log(file: Path, only: str) -> str:
    """The end of the log; with `only`, its lines that hold that."""
    if not file.exists():
        return ""
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - _LOG_BYTES))
        text = stream.read().decode("utf-8", "replace")
    lines = text.splitlines()
    return "\n".join(line for line in lines if only.lower() in line.lower()) if only else text
