"""A report in HTML, part by part; everything that comes from data is escaped here.

What can be clicked bears the numbers of labels: data-true and data-predicted, "" for any.
"""

from html import escape
from typing import Any

from studio.ui import figure, words

MATRIX = 25  # classes in a matrix; of more, those with the most errors
_NAME = 40  # characters of a label in a matrix
CSS = (
    words.CSS
    + figure.CSS
    + """
.answers { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 330px), 1fr)); gap: 0.25rem 2rem; }
.answers h4 { margin: 0.75rem 0 0.25rem; }
.scroll { overflow-x: auto; max-width: 100%; }
.scroll table, .scroll tr { border: 0 !important; width: auto; } /* Gradio frames tables, their rows and cells */
.scroll th, .scroll td { border-width: 0 0 1px !important; overflow-wrap: break-word !important; max-width: 20rem; }
table { border-collapse: collapse; font-size: var(--text-sm); font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 0.25rem 1rem 0.25rem 0; border-bottom: 1px solid var(--border-color-primary); }
th { font-weight: 600; } .number { text-align: right; white-space: nowrap; }
.worse td { font-weight: 600; }
.matrix th, .matrix td { border: 0 !important; padding: 1px; text-align: center; }
.matrix th { font-weight: 400; padding: 0.2rem 0.4rem; overflow-wrap: anywhere; max-width: 9rem; }
.matrix tbody th { text-align: right; }
.matrix td > * { display: block; min-width: 2.6rem; padding: 0.4rem 0.3rem; border-radius: 4px; width: 100%; }
.matrix span { color: var(--body-text-color-subdued); }
button { font: inherit; color: inherit; background: none; border: 0; cursor: pointer; text-align: inherit; }
td button:hover, li button:hover { outline: 1px solid var(--color-accent); }
.link { text-decoration: underline; text-underline-offset: 2px; padding: 0; overflow-wrap: anywhere; }
"""
)
# A click on what bears the numbers of labels is told to Python with them.
CLICKS = """element.addEventListener('click', (event) => {
    const place = event.target.closest('[data-true]');
    if (place) trigger('click', {true: place.dataset.true, predicted: place.dataset.predicted});
});"""


def headline(found: dict[str, Any]) -> str:
    """The figures to begin with, and the sentences: how good, how sure, where wrong, why, what next."""
    scores, between = found["scores"], found["intervals"]
    tiles = [
        (found["titles"]["accuracy"], f"{scores['accuracy']:.1%}", _percent(between.get("accuracy"))),
        (found["titles"]["f1_macro"], f"{scores['f1_macro']:.3f}", _interval(between.get("f1_macro"))),
        ("always the commonest", f"{found['majority_accuracy']:.1%}", "accuracy"),
        ("probabilities are off by", f"{found['calibration']['error']:.1%}", "on average (ECE)"),
        ("rows", f"{found['rows']:,}", f"{len(found['labels']):,} classes"),
    ]
    shown = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(more)}</small></dd></div>"
        for name, value, more in tiles
    )
    told = "".join(
        f"<section><h4>{escape(heading)}</h4>{_list(sentences)}</section>"
        for heading, sentences in found["sentences"].items()
    )
    return f'<dl>{shown}</dl><div class="answers">{told}</div>'


def figures(found: dict[str, Any]) -> str:
    """Every figure with its 95 % interval, and what temperature scaling makes of calibration."""
    titles, calibration = found["titles"], found["calibration"]
    rows = [(titles[name], value, found["intervals"].get(name)) for name, value in found["scores"].items()]
    hot = f"at temperature {calibration['temperature']:.2f}"
    rows += [
        (titles["majority_accuracy"], found["majority_accuracy"], None),
        ("calibration error (ECE)", calibration["error"], None),
        (f"calibration error {hot}", calibration["error_at_temperature"], None),
        (f"log loss {hot}", calibration["log_loss_at_temperature"], None),
    ]
    return _table(
        ("figure", "value", "95 % interval"), [(name, f"{value:.3f}", _interval(pair)) for name, value, pair in rows]
    )


def matrix(found: dict[str, Any], shares: bool) -> str:
    """What is taken for what, as counts or as shares of the true label; a cell can be clicked."""
    counts, labels = found["confusion"], found["labels"]
    if not counts:
        return "<p>There is no matrix of so many labels, or of several for a row; the pairs say what is confused.</p>"
    wrong = [
        sum(row) + sum(other[i] for other in counts) - 2 * row[i] for i, row in enumerate(counts)
    ]  # as a true label and as an answer
    shown = sorted(sorted(range(len(labels)), key=lambda i: -wrong[i])[:MATRIX])
    head = "".join(f'<th scope="col">{escape(short(labels[j]))}</th>' for j in shown)
    body = ""
    for i in shown:
        cells = "".join(_cell(i, j, counts[i][j], sum(counts[i]), labels, shares) for j in shown)
        body += f'<tr><th scope="row">{escape(short(labels[i]))}</th>{cells}</tr>'
    told = (
        f"<p>The {len(shown)} labels with the most errors of {len(labels):,}.</p>" if len(shown) < len(labels) else ""
    )
    return (
        f'{told}<div class="scroll"><table class="matrix"><thead><tr><th>true ↓ answered →</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def pairs(found: dict[str, Any]) -> str:
    """The commonest errors, each of which can be clicked."""
    at = {label: i for i, label in enumerate(found["labels"])}
    lines = "".join(
        f'<li><button class="link" data-true="{at[pair["label"]]}" data-predicted="{at[pair["prediction"]]}">'
        f"{escape(pair['label'])} taken for {escape(pair['prediction'])}</button>: {_rows(pair['rows'])}, "
        f"{pair['share']:.0%} of {escape(pair['label'])}</li>"
        for pair in found["confused_pairs"]
    )
    return f"<h4>Confused most often</h4><ul>{lines}</ul>" if lines else "<p>No label is taken for another.</p>"


CLASSES = ["class", "rows", "F1", "95 % interval", "precision", "recall", "ROC-AUC", "PR-AUC"]


def classes(found: dict[str, Any]) -> list[list[str | float | None]]:
    """A line for each class, the worst first, under the headers CLASSES."""
    worst = sorted(found["per_class"].items(), key=lambda item: (not item[1]["support"], item[1]["f1"]))
    return [
        [
            label,
            row["support"],
            round(row["f1"], 3),
            _interval(row["intervals"].get("f1")),
            *(None if row[name] is None else round(row[name], 3) for name in ("precision", "recall")),
            *(None if row[name] is None else round(row[name], 3) for name in ("roc_auc", "pr_auc")),
        ]
        for label, row in worst
    ]


def slices(found: dict[str, Any]) -> str:
    """Kinds of rows; those on which the model is worse beyond chance stand out."""
    if not found["slices"]:
        return "<p>The rows have no traits to tell them apart by.</p>"
    header = ("rows by", "value", "rows", "accuracy", "95 % interval", "other rows", "p", "")
    rows = [
        (
            one["trait"].replace("_", " "), str(one["value"]), f"{one['rows']:,}", f"{one['accuracy']:.3f}",
            _interval(one["interval"]), f"{one['rest']:.3f}", f"{one['p']:.3f}",
            "worse beyond chance" if one["worse"] else "",
        )
        for one in found["slices"]
    ]  # fmt: skip
    return _table(header, rows, [one["worse"] for one in found["slices"]])


def _cell(i: int, j: int, count: int, of: int, labels: list[str], shares: bool) -> str:
    if not count:
        return "<td><span>·</span></td>"
    share = count / max(1, of)
    told = f"{count:,} rows of {labels[i]} answered {labels[j]}"
    return (
        f'<td><button data-true="{i}" data-predicted="{j}" title="{escape(told)}" aria-label="{escape(told)}" '
        f'style="background:rgba(33,144,159,{0.04 + 0.4 * share:.3f})">{f"{share:.0%}" if shares else f"{count:,}"}'
        "</button></td>"
    )


def _rows(count: int) -> str:
    return f"{count:,} {'row' if count == 1 else 'rows'}"


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]], marked: list[bool] | None = None) -> str:
    """A table; columns of figures stand to the right."""
    numbers = [i > 0 and all(not row[i] or row[i][0].isdigit() for row in rows) for i in range(len(header))]
    kinds = [' class="number"' if number else "" for number in numbers]
    head = "".join(f"<th{kind}>{escape(name)}</th>" for name, kind in zip(header, kinds, strict=True))
    body, worse = "", ' class="worse"'
    for at, row in enumerate(rows):
        cells = "".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(row, kinds, strict=True))
        body += f"<tr{worse if marked and marked[at] else ''}>{cells}</tr>"
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _list(told: list[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in told) + "</ul>"


def _interval(pair: list[float] | None) -> str:
    return "" if pair is None else f"{pair[0]:.3f} to {pair[1]:.3f}"


def _percent(pair: list[float] | None) -> str:
    return "" if pair is None else f"{pair[0]:.1%} to {pair[1]:.1%}"


def short(label: str) -> str:
    """A label as it fits into a matrix or a legend."""
    return label if len(label) <= _NAME else f"{label[: _NAME - 1]}…"
