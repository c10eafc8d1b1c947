"""Asks a served model about every row of a table, or every picture of a zip, and writes the answers as csv.

    python -m studio.serving.batch FILE OUT.csv URL IS_IMAGE TEXT_COLUMN TEXT_PAIR_COLUMN

is how studio.serving.client starts it: a process of its own, which a bad file may hurt. It tells its progress on
stdout as JSON lines {"done", "total"}.
"""

import csv
import json
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import httpx2

from studio.data.reading import archives, cells, columns, entries, formats
from studio.errors import RequestError, RunError
from studio.serving.guard import TOKEN
from studio.serving.tied import end_with_parent

_ROWS = 32  # asked at once
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what programs for tables carry out when a cell begins with it


def answer_all(source: Path, out: Path, url: str, is_image: bool, text: str | None, pair: str | None) -> None:
    """Writes the rows of `source` with prediction, score, error and the probability of each class.

    Raises:
        RequestError: the file cannot be read, or has no such column.
        RunError: the model fails.
    """
    with httpx2.Client(
        headers={"Authorization": f"Bearer {os.environ[TOKEN]}"}, timeout=120, trust_env=False, verify=False
    ) as http:
        about = _told(http.get(f"{url}/ready"))
        names, total, rows = _pictures(source) if is_image else _texts(source, text, pair)
        labels, threshold = about["labels"], about["threshold"]
        with out.open("w", newline="", encoding="utf-8-sig") as file:  # with the mark by which Excel knows UTF-8
            table = csv.writer(file)
            probabilities = [f"probability {label}" for label in labels]
            table.writerow(map(safe, [*names, "prediction", "score", "error", *probabilities]))
            done = 0
            while batch := list(islice(rows, _ROWS)):
                found = _ask(http, url, [item for _, item in batch], is_image)
                for (row, _), answer in zip(batch, found, strict=True):
                    table.writerow([*map(safe, row), *_columns(answer, labels, threshold)])
                done += len(batch)
                print(json.dumps({"done": done, "total": total}), flush=True)


def safe(cell: Any) -> Any:
    """A cell that no program for tables takes for a formula: what looks like one gets a leading apostrophe."""
    if not isinstance(cell, str) or not cell.startswith(_FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def _columns(answer: Any, labels: list[str], threshold: float | None) -> list[Any]:
    """Prediction, score, error, and the probabilities in the order of `labels`."""
    if isinstance(answer, dict):
        return ["", "", safe(answer["error"]), *[""] * len(labels)]
    scores = {each["label"]: each["score"] for each in answer}
    several = threshold is not None
    given = [label for label, score in scores.items() if score >= threshold] if several else [answer[0]["label"]]
    return [safe("; ".join(given)), answer[0]["score"], "", *(scores[label] for label in labels)]


def _ask(http: httpx2.Client, url: str, items: Sequence[Any], is_image: bool) -> list[Any]:
    """For each item the answer, or {"error"}."""
    if is_image:
        return [_picture_answer(http, url, item) for item in items]
    known = [item for item in items if item is not None]
    answers = iter(_told(http.post(f"{url}/predict", json={"inputs": known})) if known else [])
    return [{"error": "there is no text"} if item is None else next(answers) for item in items]


def _picture_answer(http: httpx2.Client, url: str, picture: Path) -> Any:
    answer = http.post(
        f"{url}/predict", content=picture.read_bytes(), headers={"Content-Type": "application/octet-stream"}
    )
    return answer.json() if 400 <= answer.status_code < 500 else _told(answer)


def _told(answer: httpx2.Response) -> Any:
    if answer.status_code == 200:
        return answer.json()
    fault = RunError if answer.status_code >= 500 else RequestError
    raise fault(answer.json().get("error", f"the model's process answers with {answer.status_code}"))


def _texts(source: Path, text: str | None, pair: str | None) -> tuple[list[str], int, Iterator[tuple[Sequence, Any]]]:
    """The columns of a table; how many rows it has; and its rows, each with what the model is to be asked."""
    table = formats.open_table(source, [], False)
    content = columns.position(table, text) if text else columns.content(table, "text")
    if content is None:
        raise RequestError(f"no column of {source.name} holds texts: name it. It has {', '.join(table.columns)}")
    second = columns.position(table, pair) if pair else None

    def rows() -> Iterator[tuple[Sequence, Any]]:
        for _, row in table.rows(range(len(table.columns))):
            parts = [cells.text(row[at]) for at in (content, second) if at is not None]
            known = all(part and part.strip() for part in parts)
            item = (parts[0] if second is None else {"text": parts[0], "text_pair": parts[1]}) if known else None
            yield row, item

    return table.columns, sum(1 for _ in table.rows([content])), rows()


def _pictures(source: Path) -> tuple[list[str], int, Iterator[tuple[Sequence, Path]]]:
    """The same of the pictures in a zip, which are named by their paths in it."""
    if source.suffix.lower() != ".zip":
        raise RequestError(f"{source.name} is no zip: put the pictures into one")
    folder = archives.unzipped(source)
    found = [
        file
        for file in sorted(folder.rglob("*"))
        if file.name.lower().endswith(columns.PICTURE_SUFFIXES)
        and not any(entries.hidden(part) for part in file.relative_to(folder).parts)
    ]
    if not found:
        raise RequestError(f"{source.name} holds no pictures")
    return ["file"], len(found), (([str(file.relative_to(folder))], file) for file in found)


def main(arguments: list[str]) -> None:
    end_with_parent()
    source, out, url, is_image, text, pair = arguments
    try:
        answer_all(Path(source), Path(out), url, is_image == "True", text or None, pair or None)
    except (RequestError, RunError, httpx2.TransportError) as error:
        print(f"error: {str(error).replace(source, Path(source).name)}", file=sys.stderr)
        sys.exit(2 if isinstance(error, RequestError) else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
