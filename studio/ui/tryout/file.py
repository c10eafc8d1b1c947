"""The part of the Try screen that asks a model about every row of a table or every picture of a zip."""

import tempfile
from pathlib import Path

import gradio as gr

from studio.errors import RequestError, RunError
from studio.serving.client import Models
from studio.ui.tryout.tryable import Tryables
from studio.ui.words import said


def section(models: Models, runs: Tryables, model: gr.Dropdown) -> None:
    """Builds the section; `model` is where the run is chosen."""
    with gr.Accordion("A whole file", open=False):
        # no file_types: Gradio's own refusal shows the file's name as HTML; what cannot be read is told below
        file = gr.File(label="A table of texts (csv, tsv, json, parquet), or a zip of pictures")
        with gr.Row(visible=False) as columns:
            hint = "found by itself when empty"
            text = gr.Textbox(label="Column of the texts", placeholder=hint)
            pair = gr.Textbox(label="Column of the second texts")
        with gr.Row():
            start = gr.Button("Ask about every row", variant="primary")
            stop = gr.Button("Stop")
        status = gr.HTML()
        answers = gr.File(label="The answers, as csv", visible=False, interactive=False)

    def suit(name: str | None):
        run = runs.all().get(name or "")
        if run is None:
            return (gr.skip(),) * 3
        return (
            gr.Row(visible=not run.is_image),
            run.text_column if run.text_pairs else "",
            gr.Textbox(run.text_pair_column, visible=run.text_pairs),
        )

    def answer(name: str | None, path: str | None, text: str, pair: str, progress=gr.Progress()):  # noqa: B008
        if not path:
            yield said("Choose a file first."), gr.skip()
            return
        source = Path(path)
        with tempfile.TemporaryDirectory(prefix="studio-answers-") as folder:
            out = Path(folder) / f"{source.stem} answers.csv"
            try:
                run = runs.named(name)
                progress(0, "Loading the model")
                pair = pair.strip() if run.text_pairs else ""
                for done, total in models.answer_file(run.folder, source, out, text.strip(), pair):
                    progress((done, total), "Asking", unit="rows")
                    yield said(f"{done:,} of {total:,} rows are answered."), gr.File(visible=False)
                yield said(f"All {total:,} rows are answered."), gr.File(str(out), visible=True)
            except (RequestError, RunError) as fault:
                yield said(f"The file was not answered: {fault}"), gr.File(visible=False)

    model.change(suit, model, [columns, text, pair], show_progress="hidden")
    asking = start.click(answer, [model, file, text, pair], [status, answers], show_progress_on=status)
    stop.click(lambda: said("Stopped."), None, status, cancels=[asking], show_progress="hidden")
