"""A page with every kind of input that takes files or text, served as the studio's own is, with small caps.

    python tests/ui/every_input.py --port N

Each input has a function `in_<n>` that answers with what it was given, and with the content of files among it.
"""

import argparse
from pathlib import Path

import gradio as gr

from studio.ui import security, serve

UPLOAD_BYTES, CACHE_BYTES = 1_000_000, 3_000_000
FILES = {
    "File": gr.File,
    "Files": lambda: gr.File(file_count="multiple"),
    "UploadButton": gr.UploadButton,
    "Image": lambda: gr.Image(type="filepath"),
    "Sketchpad": lambda: gr.Sketchpad(type="filepath"),
    "Gallery": lambda: gr.Gallery(type="filepath"),
    "Audio": lambda: gr.Audio(type="filepath"),
    "Video": gr.Video,
    "MultimodalTextbox": gr.MultimodalTextbox,
}
WORDS = {
    "Textbox": gr.Textbox,
    "Dropdown": lambda: gr.Dropdown(["fine"]),
    "Free": lambda: gr.Dropdown(["fine"], allow_custom_value=True),
    "Dataframe": gr.Dataframe,
    "JSON": gr.JSON,
    "Code": gr.Code,
}


def page(root: Path, *, only_try: bool = False) -> gr.Blocks:
    with gr.Blocks(delete_cache=(3600, 3600)) as blocks:
        for name, make in (FILES | WORDS).items():
            given, told, shown = make(), gr.Textbox(), gr.Image()
            gr.Button(name).click(tell if name in FILES else repr, given, told, api_name=name, queue=False)
            gr.Button(name).click(lambda value: value, given, shown, api_name=f"{name}_shown", queue=False)
    return blocks


def tell(value: object) -> str:
    """What was given, and the content of every file named in it."""
    found = [repr(value)]
    for text in [value] if isinstance(value, str) else _texts(value):
        found += [Path(text).read_text(errors="replace")] if Path(text).is_file() else []
    return " ".join(found)


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    security.UPLOAD_BYTES, security.CACHE_BYTES = UPLOAD_BYTES, CACHE_BYTES
    serve.build = page
    serve.serve("127.0.0.1", parser.parse_args().port)
