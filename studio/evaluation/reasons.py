"""Why a model made the errors it was surest of: a few explanations, within a given time, for a report."""

import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset

from studio.data.alike import column
from studio.errors import RequestError, RunError
from studio.evaluation import items
from studio.evaluation.explain import explain
from studio.evaluation.explanation import Explanation
from studio.predictor import Predictor

_MOST = 6


def reasons(
    model: Path, rows: Dataset, errors: list[dict[str, Any]], limit_s: float
) -> tuple[dict[str, Explanation], list[str]]:
    """By row id, why the model in a folder gave the wrong label to the first of the `errors`; and notes on those left.

    `rows` hold their texts or pictures. Once `limit_s` have passed, none is begun.
    """
    deadline = time.monotonic() + limit_s
    ids = [error["row_id"] for error in errors[:_MOST]]
    places = pc.index_in(pa.array(ids, pa.string()), column(rows, "row_id")).to_pylist()
    found: dict[str, Explanation] = {}
    try:
        predictor = Predictor(model)
        for error, place in zip(errors, places, strict=False):
            if time.monotonic() > deadline:
                break
            if place is not None:
                left_s = deadline - time.monotonic()
                found[error["row_id"]] = explain(predictor, items.asked(rows[place]), _wrong(error), left_s)
    except (RequestError, RunError, RuntimeError) as fault:  # a GPU may be full: torch raises a RuntimeError
        if time.monotonic() < deadline:
            return found, [f"{_told(len(found))}: {fault}"]
    if time.monotonic() > deadline and len(found) < len(ids):
        return found, [f"{_told(len(found))} within the {limit_s:.0f} s that are set aside for it."]
    return found, []


def _told(count: int) -> str:
    return f"Only {count} of the errors are explained" if count else "None of the errors is explained"


def _wrong(error: dict[str, Any]) -> str:
    """The label that was given and is not true; or else the one that was true and not given."""
    given, true = error["prediction"], error["label"]
    return next((name for name in given if name not in true), None) or next(name for name in true if name not in given)
