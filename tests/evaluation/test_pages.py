"""The files of a report: the same figures in all, plots for every kind of label, a page that is one harmless file."""

import html.parser
import io
import json
import re
import stat

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset
from PIL import Image

from studio import events
from studio.errors import RequestError
from studio.evaluation import analysis, answered, pages, plots, sentences
from studio.evaluation.answered import Answered
from studio.runs import Run
from tests.conftest import HOSTILE
from tests.evaluation.rows import one_label, several_labels

FOR_ALL = {"per_class", "reliability", "confidence", "roc", "precision_recall", "training"}


def written(folder, test: Answered, validation: Answered, **metrics) -> dict:
    """A report folder of such rows; returns what metrics.json would say."""
    folder.mkdir(parents=True)
    table = pa.concat_tables([answered.table(validation, "validation"), answered.table(test, "test")])
    pq.write_table(table, folder / "predictions.parquet")
    return metrics


def kinds() -> dict[str, tuple[Answered, Answered, dict, set[str]]]:
    """By name, test and validation rows, more of metrics.json, and the plots that are made of them beside FOR_ALL."""
    matrix = {"confusion", "held_back"}
    return {
        "two classes": (one_label(0, classes=2), one_label(1, classes=2), {}, matrix | {"threshold"}),
        "several classes": (one_label(0), one_label(1), {}, matrix),
        "many classes": (one_label(0, classes=40, rows=900), one_label(1, classes=40), {}, matrix),
        "several labels": (several_labels(0), several_labels(1), {"threshold": 0.4}, {"threshold"}),
    }


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_of_labels_gets_its_plots_and_its_page(kind, tmp_path):
    test, validation, metrics, expected = kinds()[kind]
    written(tmp_path / "report", test, validation)
    log = tmp_path / "events.jsonl"
    for step in (1, 2, 3):
        events.append(log, "metric", step, {"loss": 1 / step, "eval_loss": 1.2 / step})
    found = pages.write(tmp_path / "report", metrics, title="How good?", rows=None, training=log)
    files = {file.name for file in (tmp_path / "report").iterdir()}
    drawn = {f"{name}.png" for name in expected | FOR_ALL}
    assert files == drawn | {"report.html", "analysis.json", "predictions.parquet"}
    for name in drawn:
        image = Image.open(tmp_path / "report" / name)
        assert min(image.size) > 200 and len(image.convert("L").getcolors()) > 20, name
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == len(drawn)
    assert json.loads((tmp_path / "report" / "analysis.json").read_text()) == json.loads(json.dumps(found))
    for name in ("accuracy", "f1_macro", "balanced_accuracy", "matthews", "log_loss", "roc_auc_macro"):
        assert f"{found['scores'][name]:.3f}" in page
    for heading in ("How good?", "How sure is that?", "Where is it wrong?", "Why?", "What next?"):
        assert page.count(f"<h2>{heading}</h2>") == 1
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "report").glob("*.[hp][tn][mg]*")} == {0o600}


def test_what_is_read_back_is_what_was_answered(tmp_path):
    for rows in (one_label(0), several_labels(0)):
        folder = tmp_path / str(id(rows))
        written(folder, rows, rows)
        again = answered.read(folder, "test")
        assert (again.labels, again.row_ids) == (rows.labels, rows.row_ids)
        for part in ("truth", "given", "probabilities"):
            assert np.array_equal(getattr(again, part), getattr(rows, part)), part


def test_predictions_that_are_missing_or_damaged_are_refused_in_words(tmp_path):
    with pytest.raises(RequestError, match="is not there: the report is written when a run has finished"):
        answered.read(tmp_path, "test")
    (tmp_path / "predictions.parquet").write_bytes(b"PAR1 no table")
    with pytest.raises(RequestError, match="is damaged"):
        answered.read(tmp_path, "test")
    old = pa.table({"row_id": ["a"], "split": ["test"], "label": ["x"], "prediction": ["y"], "score": [0.5]})
    pq.write_table(old, tmp_path / "predictions.parquet")
    with pytest.raises(RequestError, match="lacks the probability of a label"):
        answered.read(tmp_path, "test")


class Harmless(html.parser.HTMLParser):
    """Notes every element and every address of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.addresses, self.handlers = set(), [], []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href", "action", "srcset")]
        self.handlers += [name for name, _ in attributes if name.startswith("on")]


def test_labels_and_texts_of_others_are_shown_and_do_nothing(tmp_path):
    rows = one_label(0, classes=3)
    labels = [HOSTILE, "$x$ \\frac{}", "</style><script>alert(1)</script>"]
    test = Answered(**vars(rows) | {"labels": labels, "traits": {HOSTILE: [HOSTILE] * 100 + ["b"] * 200}})
    written(tmp_path / "report", Answered(**vars(test) | {"traits": {}}), Answered(**vars(test) | {"traits": {}}))
    table = pq.read_table(tmp_path / "report" / "predictions.parquet")
    table = table.append_column(HOSTILE, pa.array([HOSTILE] * 400 + ["b"] * 200))
    pq.write_table(table, tmp_path / "report" / "predictions.parquet")
    texts = Dataset.from_dict({"row_id": test.row_ids, "text": [f"{HOSTILE} \u202e {i}" for i in range(300)]})
    pages.write(tmp_path / "report", {}, title=HOSTILE, rows=texts, notes=[HOSTILE])
    page = (tmp_path / "report" / "report.html").read_text()
    seen = Harmless()
    seen.feed(page)
    assert not seen.handlers and not seen.tags & {"script", "iframe", "object", "link", "form", "base"}
    assert all(address.startswith("data:image/") for address in seen.addresses)
    assert page.count(HOSTILE.replace("<", "&lt;").replace(">", "&gt;")) > 20 and "\u202e" not in page
    assert "default-src 'none'" in page and not re.search(r"https?://", page)


def test_the_texts_and_pictures_of_the_surest_errors_are_in_the_page(tmp_path):
    rows = one_label(0)
    written(tmp_path / "report", rows, one_label(1))
    texts = Dataset.from_dict({"row_id": rows.row_ids[::-1], "text": [f"text of {i}." for i in rows.row_ids[::-1]]})
    found = pages.write(tmp_path / "report", {}, title="", rows=texts)
    page = (tmp_path / "report" / "report.html").read_text()
    for error in found["errors"]:
        assert f"text of {error['row_id']}." in page
    assert {one["trait"] for one in found["slices"]} == {"characters"}  # told from the data where the file lacks it
    content = io.BytesIO()
    Image.new("RGB", (900, 600), "red").save(content, "PNG")
    pictures = [{"bytes": content.getvalue(), "path": f"photos/{i}.png"} for i in rows.row_ids]
    pages.write(tmp_path / "report", {}, title="", rows=Dataset.from_dict({"row_id": rows.row_ids, "image": pictures}))
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == len(found["errors"])
    assert f"<small>{found['errors'][0]['row_id']}.png</small>" in page


def test_a_label_of_any_script_can_be_drawn(recwarn):
    rows = one_label(0, classes=3)
    strange = Answered(**vars(rows) | {"labels": ["很好", "$\\undefined", "x" * 300]})
    assert plots.draw(analysis.analyse(strange, strange, None), {})["confusion"].startswith(b"\x89PNG")
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]


def words(test: Answered, validation: Answered | None = None, threshold: float | None = None) -> dict[str, str]:
    found = analysis.analyse(test, validation or test, threshold)
    return {heading: " ".join(told) for heading, told in sentences.tell(found).items()}


def test_the_words_say_whether_the_model_is_better_than_always_the_same_answer():
    good = one_label(0)
    assert "not shown" not in words(good)["How good?"]
    lost = Answered(**vars(good) | {"given": np.zeros_like(good.given)})
    assert "not shown to be better" in words(lost)["How good?"]
    assert "no better than a guess" in words(lost)["What next?"]


def test_the_words_say_whether_the_probabilities_can_be_trusted_and_offer_the_temperature():
    sure = words(one_label(0, rows=3000, sharpness=3), one_label(1, rows=3000, sharpness=3))
    assert "too sure" in sure["How sure is that?"]
    assert re.search(r"Divide the logits by (2\.[89]|3\.[01])", sure["What next?"])
    shy = words(one_label(0, rows=3000, sharpness=0.4))
    assert "not sure enough" in shy["How sure is that?"]
    fair = words(one_label(0, rows=3000))
    assert "taken at their word" in fair["How sure is that?"] and "Divide" not in fair["What next?"]
    assert "too few rows to tell" in words(one_label(0, rows=40))["How sure is that?"]


def test_the_words_name_the_kind_of_rows_on_which_the_model_fails():
    rows = one_label(0, rows=600)
    hard = np.arange(600) < 200
    given = np.where(hard, (rows.truth + 1) % 4, rows.truth)
    told = words(Answered(**vars(rows) | {"given": given, "traits": {"camera": np.where(hard, "old", "new").tolist()}}))
    assert "worse where camera is old" in told["Why?"] and "training rows where camera is old" in told["What next?"]


def test_a_model_without_errors_is_told_so():
    rows = one_label(0)
    told = words(Answered(**vars(rows) | {"given": rows.truth}))
    assert "No test row is answered wrongly" in told["Where is it wrong?"]
    assert "does not mean certainty" in told["How sure is that?"]


def finished(root) -> Run:
    """A finished run without a model, whose data are gone."""
    run = Run(root / "run")
    settings = f"dataset_name: {root}/gone.csv\n"
    run.create(recipe="text_classification", task="text-classification", command=[], settings=settings, seed=1)
    written(run.report, one_label(0), one_label(1))
    (run.report / "metrics.json").write_text(json.dumps({"splits": {"test": {"accuracy": 0.5}}}))
    run.unlock()
    return run


def test_an_old_runs_report_is_made_anew_without_torch_and_without_its_data(tmp_path, program):
    run = finished(tmp_path)
    before = {file.name: file.read_bytes() for file in run.report.iterdir()}
    code = (
        "import sys; from studio.cli import app\n"
        f"try: app(['evaluate', {str(run.folder)!r}, '--json'])\n"
        "except SystemExit as end: assert not end.code\n"
        "assert 'torch' not in sys.modules"
    )
    done = program("-c", code)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    rows = one_label(0)
    assert told["scores"]["accuracy"] == pytest.approx(rows.right.mean())
    assert told["report"] == str(run.report / "report.html")
    assert "cannot be read any more" in (run.report / "report.html").read_text()
    for name, content in before.items():  # what other programs read is as it was
        assert (run.report / name).read_bytes() == content
    shown = program("-m", "studio", "evaluate", run.folder)
    assert f"{rows.right.mean():.3f}" in shown.stdout and "What next?" in shown.stdout, shown.stderr


def test_a_run_without_a_report_is_refused_in_words(tmp_path, program):
    run = finished(tmp_path)
    (run.report / "metrics.json").unlink()
    done = program("-m", "studio", "evaluate", run.folder)
    assert done.returncode == 2 and "has no report yet" in done.stderr
    assert program("-m", "studio", "evaluate", run.folder, "--label_map", "a=b").returncode == 2
