"""A report is read as it lies on the disk; what is wrong with one is said, and whether making it anew helps."""

import json
import time

import pytest

from studio.errors import RequestError
from studio.evaluation import analysis, sentences
from studio.runs import Run
from studio.ui.evaluate import charts, reports, view
from studio.ui.evaluate.reports import Mendable
from tests.conftest import HOSTILE
from tests.evaluation.rows import one_label, several_labels
from tests.finished_runs import evaluated_run


@pytest.fixture
def run(tmp_path, reviews) -> Run:
    return evaluated_run(tmp_path, "run", reviews)


def kinds() -> dict[str, dict]:
    """Analyses of every kind of labels, as pages have them."""
    rows = {
        "two classes": (one_label(0, classes=2), one_label(1, classes=2), None),
        "several classes": (one_label(0), one_label(1), None),
        "many classes": (one_label(0, classes=40, rows=900), one_label(1, classes=40, rows=900), None),
        "several labels": (several_labels(0), several_labels(1), 0.4),
    }
    found = {kind: analysis.analyse(*given) for kind, given in rows.items()}
    return {kind: told | {"sentences": sentences.tell(told)} for kind, told in found.items()}


def test_a_report_is_read_with_the_texts_of_its_errors(run):
    found = reports.read(run.folder)
    assert found["sentences"]["How good?"] and all(error["text"] for error in found["errors"])
    assert reports.listed(run.folder) == [("its own test rows", reports.OWN)]


def test_what_is_missing_older_or_damaged_is_said_and_can_be_mended(run):
    file = run.report / "analysis.json"
    whole = json.loads(file.read_text())

    def written(content: str) -> str:
        file.write_text(content)
        with pytest.raises(Mendable) as told:
            reports.read(run.folder)
        return str(told.value)

    assert "is of an older kind" in written(json.dumps({name: whole[name] for name in whole if name != "sentences"}))
    assert "older than its predictions" in written(json.dumps(whole | {"scores": {"accuracy": 0.1}}))
    assert "is damaged" in written('{"labels": [')
    assert "is damaged" in written(json.dumps(whole | {"scores": []}))
    assert "is of an older kind" in written("[1]")
    file.unlink()
    with pytest.raises(Mendable, match="report is not made yet"):
        reports.read(run.folder)


def test_a_run_that_is_not_scored_has_no_report_that_could_be_made(run):
    (run.report / "metrics.json").unlink()
    with pytest.raises(RequestError, match="is not scored yet") as told:
        reports.read(run.folder)
    assert not isinstance(told.value, Mendable)
    with pytest.raises(RequestError, match="was not evaluated on such data"):
        reports.read(run.folder, "../../elsewhere")


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_of_report_can_be_shown(kind):
    found = kinds()[kind]
    for draw in (view.headline, view.figures, view.pairs, view.slices):
        assert draw(found)
    assert f"{found['scores']['accuracy']:.1%}" in view.headline(found)
    drawn = charts.charts(found)
    assert drawn.count("<svg") == (4 if kind == "several labels" else 5)
    for label in found["thresholds"]["by_label"]:
        assert "precision" in charts.threshold(found, label, 0.3)


def test_the_matrix_holds_the_counts_and_their_shares_and_each_cell_says_what_it_is():
    found = kinds()["two classes"]
    (hits, missed), _ = found["confusion"]
    counts, shares = view.matrix(found, False), view.matrix(found, True)
    assert f'aria-label="{missed:,} rows of class 0 answered class 1"' in counts
    assert 'data-true="0" data-predicted="1"' in counts and f">{missed:,}</button>" in counts
    assert f">{missed / (hits + missed):.0%}</button>" in shares
    assert counts.count("<button") == 4


def test_of_many_classes_those_with_the_most_errors_are_in_the_matrix():
    found = kinds()["many classes"]
    shown = view.matrix(found, False)
    assert shown.count('scope="row"') == view.MATRIX and "of 40" in shown
    assert "no matrix" in view.matrix(kinds()["several labels"], False)


def test_the_threshold_view_says_what_the_report_has_computed():
    found = kinds()["two classes"]
    ((label, curve),) = found["thresholds"]["by_label"].items()
    told = charts.threshold(found, label, 0.3)
    assert f"From 0.30 on: precision {curve['precision'][30]:.3f}, recall {curve['recall'][30]:.3f}" in told
    assert f"best F1 at {curve['best']:.2f}" in told


def test_labels_of_others_are_shown_and_do_nothing():
    rows = one_label(0, classes=3)
    test = type(rows)(**vars(rows) | {"labels": [HOSTILE, '" onclick="alert(1)', "</svg><script>"]})
    found = analysis.analyse(test, test, None)
    found |= {"sentences": sentences.tell(found)}
    views = [view.headline, view.pairs, view.figures, charts.charts]
    shown = "".join(view(found) for view in views) + view.matrix(found, False)
    assert "<img" not in shown and "<script" not in shown and '" onclick' not in shown
    assert HOSTILE.replace("<", "&lt;").replace(">", "&gt;") in shown


def test_a_thousand_classes_do_not_keep_the_page_waiting(tmp_path):
    rows = one_label(0, classes=1000, rows=4000)
    found = analysis.analyse(rows, rows, None)
    found |= {"sentences": sentences.tell(found)}
    file = tmp_path / "report" / "analysis.json"
    file.parent.mkdir()
    file.write_text(json.dumps(found))
    told = {"splits": {"test": {"accuracy": found["scores"]["accuracy"]}}}
    (tmp_path / "report" / "metrics.json").write_text(json.dumps(told))
    began = time.process_time()
    read = reports.read(tmp_path)
    for draw in (view.headline, view.classes, charts.charts):
        draw(read)
    assert time.process_time() - began < 1
