"""Draws docs/demo.svg: the end of a demo run as a terminal shows it.

python -m tests.bench.picture runs/demo-...
"""

import io
import json
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

from studio.cli import show_answers
from studio.evaluation import show
from studio.predictor import Predictor

TEXTS = ["What a wonderful morning, thank you all!", "I waited two hours and nobody came."]


def main(run: Path) -> None:
    console = Console(record=True, width=100, file=io.StringIO())
    console.print("[bold green]$[/] make demo", highlight=False)
    show.show(json.loads((run / "report" / "metrics.json").read_text()), console)
    console.print(f"\n[bold green]$[/] python -m studio predict runs/{run.name} ...", highlight=False)
    show_answers(TEXTS, Predictor(run).predict(TEXTS, top_k=3), console)
    svg = console.export_svg(title="make demo", theme=MONOKAI)
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # those ask a web host for fonts
    Path("docs/demo.svg").write_text(svg)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
