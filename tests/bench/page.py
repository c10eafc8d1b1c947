"""Times the page in a real browser: opening it, changing tabs, a chart of 100,000 logged steps, a table of 500 runs.

python -m tests.bench.page docs/page.md
"""

import json
import math
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page

from studio import events
from studio.runs import Run
from tests.bench.served import opened

_STEPS, _RUNS, _REPEATS = 100_000, 500, 7
_WANTED_MS = {"chart": 150, "table": 1000}
_SETTINGS = "learning_rate: 1.0e-4\nmetric_for_best_model: f1_macro\n"

# When the document below an element has come to rest after a change.
_WATCH = """selector => new Promise(done => {
  const target = document.querySelector(selector); let last = null;
  const watch = new MutationObserver(() => { last = performance.now(); });
  watch.observe(target, {subtree: true, childList: true, attributes: true, characterData: true});
  const began = performance.now();
  const timer = setInterval(() => {
    const rests = last && performance.now() - last > 400;
    if (!rests && performance.now() - began < 30000) return;
    watch.disconnect(); clearInterval(timer); done(rests ? last : null);
  }, 50);
})"""
# Notes when the page asks about a run; the side bar asks as well, and is not meant.
_ASKED = """run => {
  window.asked = []; const own = window.fetch;
  window.fetch = (...words) => {
    if (String(words[1]?.body).includes(run)) window.asked.push(performance.now());
    return own(...words);
  };
}"""


def main(target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        few, many = root / "few", root / "many"
        long = _write_runs(few, 1, _STEPS)
        last = _write_runs(many, _RUNS, 40)
        found = {}
        with opened(few) as (page, url):
            found |= _opening(page, url)
            found[f"a new point on a chart of {_STEPS:,} logged steps"] = _changes(page, url, "#run-charts", long)
        with opened(many) as (page, url):
            found[f"a change in a table of {_RUNS} runs"] = _changes(page, url, "#runs-table", last)
    lines = ["| what | median | slowest | wanted |", "| --- | --- | --- | --- |"]
    for name, times in found.items():
        wanted = next((f"{limit} ms" for word, limit in _WANTED_MS.items() if word in name), "")
        lines.append(f"| {name} | {statistics.median(times):.0f} ms | {max(times):.0f} ms | {wanted} |")
    text = (
        "# The page, timed\n\n"
        f"In Chromium, headless, over {_REPEATS} repeats on {os.cpu_count()} CPU cores without a GPU. "
        "A change is timed from the page's question to the end of its drawing. Made by `make bench-page`.\n\n"
        + "\n".join(lines)
        + "\n"
    )
    target.write_text(text)
    print(text)


def _opening(page: Page, url: str) -> dict[str, list[float]]:
    opened, switched = [], []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        page.goto(url)
        page.get_by_role("tab", name="Runs", exact=True).wait_for()
        opened.append(1000 * (time.perf_counter() - began))
        for tab, seen in (("Runs", "#run-head h3"), ("Train", "#start")):
            page.wait_for_timeout(1500)
            began = time.perf_counter()
            page.get_by_role("tab", name=tab, exact=True).click()
            page.locator(seen).wait_for()
            switched.append(1000 * (time.perf_counter() - began))
    return {"opening the page": opened, "changing to another tab": switched}


def _changes(page: Page, url: str, selector: str, run: Run) -> list[float]:
    """Milliseconds from the page's question after something new of a run to the end of its drawing."""
    page.goto(url)
    page.get_by_role("tab", name="Runs", exact=True).click()
    page.locator("#run-head h3").wait_for()
    page.evaluate(_ASKED, run.folder.name)
    page.wait_for_timeout(4000)
    times = []
    for _ in range(_REPEATS):
        _log(run)
        if not (seen := page.evaluate(_WATCH, selector)):
            raise SystemExit(f"{selector} did not change, or did not come to rest, within 30 s")
        times.append(seen - max(moment for moment in page.evaluate("window.asked") if moment < seen))
        page.wait_for_timeout(1500)
    return times


def _log(run: Run) -> None:
    run.step += 1
    events.append(run.events, "metric", run.step, {"loss": 5 * random.random(), "learning_rate": 1e-4})


def _write_runs(root: Path, count: int, steps: int) -> Run:
    """Runs at work with so many logged steps each; returns the last."""
    for number in range(count):
        run = Run(root / f"run-{number:03d}")
        run.create(
            recipe="bert_sentiment",
            task="text-classification",
            command=[],
            settings=_SETTINGS,
            seed=1,
            state="finished",
        )
        run.model.mkdir()
        (run.model / "config.json").write_text("{}")
        lines = [_line("status", 0, {"state": "running", "max_steps": 2 * steps})]
        for step in range(1, steps + 1):
            loss = 2 / math.log(step + 2) + 0.1 * random.random()
            lines.append(_line("metric", step, {"loss": loss, "grad_norm": random.random(), "learning_rate": 1e-4}))
            if step % (steps // 20) == 0:
                lines.append(_line("metric", step, {"eval_loss": loss, "eval_f1_macro": 1 - loss / 4}))
        with run.events.open("a") as file:
            file.writelines(lines)
        run.step = steps
        run.unlock()
    return run


def _line(kind: str, step: int, data: dict) -> str:
    return json.dumps({"time": time.time(), "kind": kind, "step": step, "data": data}) + "\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
