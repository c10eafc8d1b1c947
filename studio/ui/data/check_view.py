"""What a check of data tells, as the page shows it. Everything that comes from data is escaped here."""

import base64
import html
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from studio.ui import words
from studio.ui.data import view

CSS = (
    words.CSS
    + """
h4 { overflow-wrap: anywhere; }
.finding { padding: 0.75rem 1rem; background: var(--block-background-fill); }
.kind { display: inline-block; margin-right: 0.5rem; padding: 0 0.5rem; border-radius: 999px; font-size: var(--text-sm);
  background: #d6ecfa; color: #0b4a6f; }
.kind.error { background: #fbdcdc; color: #7f1d1d; }
.kind.warning { background: #fcefc7; color: #6b4700; }
.row { color: var(--body-text-color-subdued); }
.pictures { display: flex; flex-wrap: wrap; gap: 0.75rem; margin-top: 0.5rem; }
figure { width: 8.5rem; margin: 0; }
figure img { width: 100%; height: 7rem; object-fit: contain; background: var(--background-fill-secondary); }
figcaption { font-size: var(--text-sm); overflow-wrap: anywhere; }
dl { margin-top: 0.5rem; }
"""
)
_SEVERITIES = {"error": ("error", "errors"), "warning": ("warning", "warnings"), "note": ("note", "notes")}


def finding(told: dict[str, Any], thumbnails: Mapping[str, bytes], folders: Iterable[str]) -> str:
    """One finding as HTML: what, why it matters, what to do, and examples; folders of uploads are not shown."""
    folders = list(folders)

    def plain(text: str) -> str:
        return html.escape(view.plainly(text, folders))

    shown = [example for example in told["examples"] if example.get("thumbnail") in thumbnails]
    listed = [example for example in told["examples"] if example not in shown]
    lines = "".join(f"<li>{_example(example, plain)}</li>" for example in listed)
    pictures = "".join(_picture(example, thumbnails[example["thumbnail"]], plain) for example in shown)
    more = told["count"] - len(told["examples"])
    lines += f'<li class="row">and {more:,} more</li>' if told["examples"] and more > 0 else ""
    return (
        f'<div class="finding"><h4><span class="kind {told["severity"]}">{told["severity"]}</span>'
        f"{plain(told['title'])}</h4>"
        f"<p>{plain(told['why'])} {plain(told['remedy'])}</p>"
        + (f'<div class="pictures">{pictures}</div>' if pictures else "")
        + (f"<ul>{lines}</ul>" if lines else "")
        + "</div>"
    )


def offers(told: dict[str, Any], task: str) -> list[tuple[str, str]]:
    """What can be decided about a finding: words, and the name that the report has for it."""
    thing = "picture" if task == "image-classification" else "row"
    found = []
    if decision := told["decision"]:
        if left_out := len(decision["exclude"]):
            found.append((f"Leave out {_counted(left_out, thing)}", "decision"))
        if merged := len(decision["merge"]):
            found.append((f"Merge {_counted(merged, 'label')}", "decision"))
    if relabel := told["relabel"]:
        count = len(relabel["relabel"])
        found.append(
            (f"Give {_counted(count, thing)} the label {'it looks' if count == 1 else 'they look'} like", "relabel")
        )
    return found


def progress(step: dict[str, Any] | None) -> str:
    """A bar and what is being done, as HTML; before anything is known, that it begins."""
    if step is None:
        return words.said("Reading the data …")
    doing, share = html.escape(step["doing"]), 0
    if step["total"]:
        share = 100 * step["done"] / step["total"]
        doing += f": {step['done']:,} of {step['total']:,}"
    return (
        f'<div class="bar" role="progressbar" aria-label="{doing}" aria-valuenow="{share:.0f}" aria-valuemin="0" '
        f'aria-valuemax="100"><div style="width:{share:.0f}%"></div></div><p>{doing} …</p>'
    )


def summary(told: dict[str, Any], quick: bool) -> str:
    """How much was found, as HTML."""
    counts = Counter(finding["severity"] for finding in told["findings"])
    rows = _counted(sum(told["rows"].values()), "row")
    named = [_counted(counts[name], *words) for name, words in _SEVERITIES.items() if counts[name]]
    end = "" if told["complete"] else "The check was ended early: this is what was found until then. "
    if named:
        return words.said(f"{end}{rows} checked: {', '.join(named)}. Decide below; the data stay as they are.")
    if not told["complete"]:
        return words.said("The check was ended early; nothing was found until then.")
    if quick and told["task"] == "image-classification":
        return words.said(f"{rows} checked: nothing was found that is wrong. The pixels were not looked at.")
    return words.said(f"{rows} checked: nothing was found that is wrong.")


def saved(name: str, before: Mapping[str, int], now: Mapping[str, int]) -> str:
    """What was saved, and the sizes of the splits, as HTML."""
    rows = [("rows", sum(before.values()), sum(now.values()))]
    rows += [(named, before.get(split, 0), now.get(split, 0)) for split, named in view.SPLITS.items()]
    tiles = "".join(
        f"<div><dt>{named}</dt><dd>{new:,}<small>before: {old:,}</small></dd></div>" for named, old, new in rows
    )
    return f"{words.said(f'Saved as {name}. The data stay as they are.')}<dl>{tiles}</dl>"


def _example(example: dict[str, Any], plain: Any) -> str:
    known = not example["place"] or example["place"].endswith(example["excerpt"] or " ")
    where = "" if known else f'<span class="row">{plain(example["place"])}</span> '
    return f"{where}{plain(example['excerpt'])} <i>({plain(example['remark'])})</i>"


def _picture(example: dict[str, Any], content: bytes, plain: Any) -> str:
    name = plain(example["excerpt"])
    source = f"data:image/webp;base64,{base64.b64encode(content).decode()}"
    caption = f"{name} <i>({plain(example['remark'])})</i>"
    return f'<figure><img src="{source}" alt="{name}"><figcaption>{caption}</figcaption></figure>'


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
