"""The report as one page that needs nothing else: no script, no address, every plot and picture inside."""

import base64
from typing import Any

from studio.evaluation import coloured
from studio.evaluation.coloured import escaped
from studio.evaluation.explanation import Explanation
from studio.evaluation.items import CHARACTERS, Item

# In reading order: name of the plot, and what it shows to those who cannot see it.
_PLOTS = {
    "per_class": "F1 of each class with its 95 % interval",
    "confusion": "Confusion matrix: the true classes by row, the answers by column",
    "reliability": "Share of right answers by the probability that the model states",
    "confidence": "Histogram of the probabilities of right and of wrong answers",
    "held_back": "Accuracy and share of rows answered, by the probability from which on answers are taken",
    "threshold": "Precision, recall and F1 by threshold",
    "roc": "ROC curves",
    "precision_recall": "Precision-recall curves",
    "training": "Loss by step of training",
}
_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.55 system-ui, sans-serif; color: #1c1c1c; background: #fff; max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.6rem; overflow-wrap: anywhere; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
ul { padding-left: 1.2rem; margin: .3rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #e2e2e2; vertical-align: top; }
td { overflow-wrap: anywhere; min-width: 5.5rem; }
td.number, th.number { text-align: right; white-space: nowrap; min-width: 0; }
tr.worse td { background: #fdeee3; } small { color: #595959; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1rem;
  align-items: start; }
.plots img { width: 100%; height: auto; } td img { min-width: 96px; max-width: 160px; height: auto; }
td div.explained img { width: min(160px, 40vw); }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; margin: 0; }
@media print { body { max-width: none; margin: 0; font-size: 11pt; } h2, tr, img { break-inside: avoid; }
  h2 { break-after: avoid; } }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(
    title: str,
    found: dict[str, Any],
    plots: dict[str, bytes],
    items: dict[str, Item],
    reasons: dict[str, Explanation],
    notes: list[str],
) -> str:
    """An analysis as HTML; `items` are the texts and pictures of its errors, as far as they are at hand.

    `reasons` are the explanations of some of them; both by row id.
    """
    parts = [_sentences(found), _scores(found), _drawn(plots), _classes(found), _pairs(found), _slices(found)]
    parts.append(_errors(found, items, reasons))
    if notes:
        parts += ["<h2>Notes</h2>\n", _list(notes)]
    return document(title, "".join(parts))


def document(title: str, body: str) -> str:
    """A whole page of HTML that loads nothing, around a body."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escaped(title)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}{coloured.STYLE}</style></head><body>\n<h1>{escaped(title)}</h1>\n{body}</body></html>\n"
    )


def _sentences(found: dict[str, Any]) -> str:
    return "".join(f"<h2>{escaped(heading)}</h2>\n{_list(told)}" for heading, told in found["sentences"].items())


def _scores(found: dict[str, Any]) -> str:
    titles = found["titles"]
    rows = [[titles[name], value, found["intervals"].get(name)] for name, value in found["scores"].items()]
    rows.append([titles["majority_accuracy"], found["majority_accuracy"], None])
    calibration = found["calibration"]
    rows.append(["calibration error (ECE)", calibration["error"], None])
    hot = f"at temperature {calibration['temperature']:.2f}"
    rows.append([f"log loss {hot}", calibration["log_loss_at_temperature"], None])
    rows.append([f"calibration error {hot}", calibration["error_at_temperature"], None])
    told = [(title, f"{value:.3f}", _interval(interval)) for title, value, interval in rows]
    return _section("The figures", ("figure", "value", "95 % interval"), told)


def _drawn(plots: dict[str, bytes]) -> str:
    shown = "".join(
        f'<img alt="{escaped(told)}" src="data:image/png;base64,{_base64(plots[name])}">\n'
        for name, told in _PLOTS.items()
        if name in plots
    )
    return f'<h2>Plots</h2>\n<div class="plots">\n{shown}</div>\n'


def _classes(found: dict[str, Any]) -> str:
    header = ("class", "precision", "recall", "F1", "95 % interval of F1", "ROC-AUC", "PR-AUC", "rows")
    rows = []
    for label, row in found["per_class"].items():
        rates = (_rate(row[name]) for name in ("precision", "recall", "f1"))
        areas = (_rate(row[name]) for name in ("roc_auc", "pr_auc"))
        rows.append((label, *rates, _interval(row["intervals"].get("f1")), *areas, f"{row['support']:,}"))
    return _section("Each class", header, rows)


def _pairs(found: dict[str, Any]) -> str:
    rows = [
        (pair["label"], pair["prediction"], f"{pair['rows']:,}", f"{pair['share']:.1%}")
        for pair in found["confused_pairs"]
    ]
    return _section("What is taken for what", ("true label", "answered", "rows", "of that label"), rows)


def _slices(found: dict[str, Any]) -> str:
    rows, marked = [], []
    for one in found["slices"]:
        figures = (f"{one['rows']:,}", _rate(one["accuracy"]), _interval(one["interval"]), _rate(one["rest"]))
        verdict = "worse beyond chance" if one["worse"] else ""
        rows.append((one["trait"].replace("_", " "), one["value"], *figures, f"{one['p']:.3f}", verdict))
        marked.append(one["worse"])
    header = ("rows by", "value", "rows", "accuracy", "95 % interval", "other rows", "p", "")
    return _section("Kinds of rows", header, rows, marked)


def _errors(found: dict[str, Any], items: dict[str, Item], reasons: dict[str, Explanation]) -> str:
    if not found["errors"]:
        return ""
    lines = []
    for error in found["errors"]:
        row_id = error["row_id"]
        shown = _item(items[row_id], reasons.get(row_id)) if row_id in items else f"<small>{escaped(row_id)}</small>"
        names = (", ".join(error[part]) or "(none)" for part in ("label", "prediction"))
        cells = "".join(f"<td>{escaped(name)}</td>" for name in names)
        lines.append(f'<tr><td>{shown}</td>{cells}<td class="number">{error["score"]:.1%}</td></tr>\n')
    header = '<tr><th>row</th><th>true label</th><th>answered</th><th class="number">probability</th></tr>'
    told = "".join(
        f"<p>{coloured.meaning(one, 'the answer that is named below')}</p>\n" for one in [*reasons.values()][:1]
    )
    return f'<h2>The surest errors</h2>\n{told}<div class="scroll"><table>{header}\n{"".join(lines)}</table></div>\n'


def _item(item: Item, reason: Explanation | None) -> str:
    if reason:
        why = f"{coloured.shown(reason, item.texts, CHARACTERS)}<small>{escaped(f'why {reason.label}')}</small>"
        return why if item.jpeg is None else f"{why}<br><small>{escaped(item.text)}</small>"
    if item.jpeg is None:
        return f"<pre>{escaped(item.text)}</pre>"
    return f'<img alt="" src="data:image/jpeg;base64,{_base64(item.jpeg)}"><br><small>{escaped(item.text)}</small>'


def _section(title: str, header: tuple[str, ...], rows: list[tuple[str, ...]], marked: list[bool] | None = None) -> str:
    """A heading and a table; nothing where there are no rows. Columns of figures stand to the right."""
    if not rows:
        return ""
    numbers = [all(_is_number(row[i]) for row in rows) for i in range(len(header))]
    kinds = [' class="number"' if number else "" for number in numbers]
    head = "".join(f"<th{kind}>{escaped(name)}</th>" for name, kind in zip(header, kinds, strict=True))
    body = ""
    for i, row in enumerate(rows):
        cells = "".join(f"<td{kind}>{escaped(cell)}</td>" for cell, kind in zip(row, kinds, strict=True))
        body += f'<tr class="worse">{cells}</tr>\n' if marked and marked[i] else f"<tr>{cells}</tr>\n"
    return f'<h2>{escaped(title)}</h2>\n<div class="scroll"><table><tr>{head}</tr>\n{body}</table></div>\n'


def _is_number(cell: str) -> bool:
    return cell.replace(" to ", "").translate(str.maketrans("", "", ".,%-")).isdigit() or not cell


def _list(told: list[str]) -> str:
    return "<ul>" + "".join(f"<li>{escaped(sentence)}</li>\n" for sentence in told) + "</ul>\n"


def _rate(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _interval(interval: list[float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
