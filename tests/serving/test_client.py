"""The page's client: models are started when they are asked, kept to two, and never outlive the page."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import psutil
import pytest

from studio.errors import RequestError
from studio.serving.client import Models
from tests.conftest import HOSTILE, ROOT
from tests.jobs.conftest import until
from tests.serving.conftest import png

pytestmark = pytest.mark.xdist_group("serving")


def servers() -> list[psutil.Process]:
    """The serving processes that this process has started."""
    alive = [p for p in psutil.Process().children() if p.status() != psutil.STATUS_ZOMBIE]
    return [p for p in alive if "studio.serving.server" in p.cmdline()]


def copied(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to))


def test_it_needs_no_torch(program):
    heavy = ("torch", "transformers", "datasets")
    code = f"import sys, studio.serving.client; assert not {{*{heavy}}} & sys.modules.keys()"
    assert program("-c", code).returncode == 0


@pytest.mark.slow
def test_two_models_at_most_are_in_memory(models, text_classifier, image_classifier, tmp_path):
    other = copied(text_classifier, tmp_path / "other")
    models.ask(text_classifier, ["good"])
    models.ask(image_classifier, [png("red")])
    models.ask(text_classifier, ["good"])
    models.ask(other, ["good"])
    assert models.loaded() == [text_classifier, other] and len(servers()) == 2
    models.unload()
    assert models.loaded() == [] == servers()


@pytest.mark.slow
def test_answers_are_explained_with_what_was_asked(models, text_classifier, image_classifier):
    why = models.explain(text_classifier, "a good film", HOSTILE)
    assert why.label == HOSTILE and [word.text for word in why.words] == ["a", "good", "film"]
    why = models.explain(image_classifier, png("red"), "bee")
    assert why.label == "bee" and why.overlay.startswith(b"\x89PNG")
    with pytest.raises(RequestError, match="no label 'wasp'"):
        models.explain(image_classifier, png("red"), "wasp")


@pytest.mark.slow
def test_a_killed_server_is_started_again_by_the_next_question(models, text_classifier):
    first = models.ask(text_classifier, ["good film"])
    [server] = servers()
    server.send_signal(signal.SIGKILL)
    assert models.ask(text_classifier, ["good film"]) == first
    assert servers() != [server]


@pytest.mark.slow
def test_a_model_that_was_trained_anew_is_read_anew(models, text_classifier, tmp_path):
    folder = copied(text_classifier, tmp_path / "model")
    models.ask(folder, ["good"])
    config = (folder / "config.json").read_text().replace('"good"', '"splendid"')
    (folder / "config.json").write_text(config)
    assert "splendid" in models.ask(folder, ["good"])[0].scores


@pytest.mark.slow
def test_a_model_that_nobody_asks_leaves(text_classifier):
    models = Models(idle_s=2)
    models.ask(text_classifier, ["good"])
    until(lambda: not models.loaded(), 20)
    assert models.ask(text_classifier, ["good"])[0].given
    models.unload()


@pytest.mark.slow
def test_no_server_outlives_a_page_that_is_killed(text_classifier):
    code = (
        "import sys, time, psutil; from pathlib import Path; from studio.serving.client import Models; m = Models();"
        f"m.warm(Path({str(text_classifier)!r})); print(psutil.Process().children()[0].pid, flush=True); time.sleep(60)"
    )
    for moment_s in (0, 2):  # while it loads as well
        page = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, env=os.environ)
        server = psutil.Process(int(page.stdout.readline()))
        time.sleep(moment_s)
        page.kill()
        page.wait()
        until(lambda server=server: not server.is_running(), 10)


@pytest.mark.slow
def test_what_cannot_be_loaded_is_told(models, text_classifier, tmp_path):
    with pytest.raises(RequestError, match="no such folder"):
        models.ask(tmp_path / "gone", ["good"])
    damaged = copied(text_classifier, tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(RequestError, match="cannot be loaded as a model"):
        models.ask(damaged, ["good"])
    with pytest.raises(RequestError, match="cannot be loaded as a model"):  # the second time as well
        models.ask(damaged, ["good"])


def test_every_row_of_a_table_is_answered(models, text_classifier, tmp_path):
    source, out = tmp_path / "rows.csv", tmp_path / "out.csv"
    texts = ["=1+1", "@good", "-bad", "", *(f"film {i}" for i in range(60))]
    with source.open("w", newline="") as file:
        csv.writer(file).writerows([["number", "text"], *enumerate(texts)])
    steps = list(models.answer_file(text_classifier, source, out))
    assert steps[-1] == (64, 64) and len(steps) > 1
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows[:4]] == ["'=1+1", "'@good", "'-bad", ""]
    assert rows[3]["error"] and not rows[3]["prediction"]
    for row, text in zip(rows[4:], texts[4:], strict=True):
        [answer] = models.ask(text_classifier, [text])
        assert row["prediction"] == answer.given[0]
        assert float(row[f"probability {HOSTILE}"]) == pytest.approx(answer.scores[HOSTILE], abs=1e-5)
        break  # one of them is enough


@pytest.mark.slow
def test_a_column_that_is_not_there_is_told(models, text_classifier, tmp_path):
    source = tmp_path / "rows.csv"
    source.write_text("number,text\n1,good film\n2,bad film\n")
    with pytest.raises(RequestError, match="no column 'review'"):
        list(models.answer_file(text_classifier, source, tmp_path / "out.csv", "review"))


@pytest.mark.slow
def test_every_picture_of_a_zip_is_answered(models, image_classifier, tmp_path):
    source, out = tmp_path / "pictures.zip", tmp_path / "out.csv"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("a/=red.png", png("red"))
        archive.writestr("bad.png", b"no picture")
        archive.writestr("=blue.png", png("blue"))
        archive.writestr("__MACOSX/._red.png", b"")
    list(models.answer_file(image_classifier, source, out))
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    assert rows.keys() == {"'=blue.png", "a/=red.png", "bad.png"}
    assert "damaged" in rows["bad.png"]["error"] and rows["'=blue.png"]["prediction"] in ("ant", "bee")
