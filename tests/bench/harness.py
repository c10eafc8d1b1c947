"""Times ways of doing the same work side by side: interleaved, so that a noisy machine disturbs all of them alike."""

import statistics
import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import track
from rich.table import Table


def rates(ways: dict[str, Callable[[], int]], repeats: int) -> dict[str, list[float]]:
    """Rows per second of each way in each repeat; a way does its work once and returns its rows.

    A first, untimed round warms caches and kernels up.
    """
    found: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in track(range(repeats + 1), description="measuring", transient=True):
        for name, way in ways.items():
            began = time.perf_counter()
            rows = way()
            if repeat:
                found[name].append(rows / (time.perf_counter() - began))
    return found


def show(title: str, found: dict[str, list[float]], reference: str) -> dict[str, float]:
    """Prints medians and spreads, with the median of the pairwise ratios to `reference`; returns the ratios."""
    table = Table("way", "rows/s", "spread", f"ratio to {reference}", title=title, title_justify="left")
    ratios = {}
    for name, values in found.items():
        ratios[name] = statistics.median(a / b for a, b in zip(values, found[reference], strict=True))
        spread = f"{min(values):.1f} to {max(values):.1f}"
        table.add_row(name, f"{statistics.median(values):.1f}", spread, f"{ratios[name]:.2f}")
    Console().print(table)
    return ratios
