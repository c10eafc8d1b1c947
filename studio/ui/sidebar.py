"""The side bar: what the machine has, what runs on it, what waits."""

import html
import shutil

import gradio as gr
import psutil

from studio.jobs.devices import devices
from studio.ui import words
from studio.ui.shared import Shared

_LOOKS_S = 4
_CLOSED_ON_PHONES = "() => { if (innerWidth < 800) document.querySelector('.sidebar.open .toggle-button')?.click() }"


def build(shared: Shared) -> None:
    """Builds the side bar."""
    with gr.Sidebar(width=260, open=True):
        told = gr.HTML(_told(shared), elem_id="machine")

    def look(before: str):
        now = _told(shared)
        return gr.skip() if now == before else now

    shared.page.load(js=_CLOSED_ON_PHONES)
    gr.Timer(_LOOKS_S).tick(look, told, told, show_progress="hidden")
    shared.page.load(look, told, told, show_progress="hidden")


def _told(shared: Shared) -> str:
    root, rows = shared.root, shared.runs.rows()
    going = [row for row in rows if row["state"] in ("starting", "running", "stopping", "stalled")]
    waiting = sum(row["state"] == "queued" for row in rows)
    memory, disk = psutil.virtual_memory(), shutil.disk_usage(root if root.exists() else root.parent)
    lines = [_line("device", html.escape(device.title)) for device in devices()]
    lines.append(_line("memory", f"{(memory.total - memory.available) / 1e9:.1f} of {memory.total / 1e9:.0f} GB"))
    lines.append(_line("disk", f"{disk.free / 1e9:.0f} GB free"))
    lines += [_running(row) for row in going] or [_line("running", "nothing")]
    lines.append(_line("queue", f"{waiting} waiting" if waiting else "empty"))
    return "".join(lines)


def _running(row: dict) -> str:
    share = 100 * row["step"] / row["steps"] if row["steps"] else 0
    left = words.left(row["step"], row["steps"], row["left_s"])
    return (
        f'<div class="fact"><span>running</span><b>{html.escape(row["run"])}</b></div>'
        f'<div class="bar"><div style="width:{share:.0f}%"></div></div>'
        + _line(f"{row['step']} / {row['steps'] or '?'}", left or words.badge(row["state"]))
    )


def _line(name: str, value: str) -> str:
    return f'<div class="fact"><span>{name}</span><b>{value}</b></div>'
