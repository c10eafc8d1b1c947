"""The Evaluate screen in a real browser: read a report, see the rows behind it, correct them, score other data."""

import csv
import json
import random
import re
import shutil
import time

import psutil
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import expect

from studio.data import curation
from studio.ui import datasets
from studio.ui.evaluate import marks
from tests.conftest import HOSTILE, WORDS
from tests.finished_runs import evaluated_run
from tests.ui.conftest import end
from tests.ui.test_compare import CONTRAST

SECONDS = 1000
LABELS = ["bad", HOSTILE, "good"]


def table(file, labels, rows: int, seed: int):
    """Texts of known words, each with a piece of markup in it that must do nothing."""
    chance = random.Random(seed)
    lines = [(" ".join(chance.sample(WORDS, 5)) + f" {seed}.{at} <b id=pwned>", labels[at % 3]) for at in range(rows)]
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *lines])
    return file


@pytest.fixture(scope="module")
def page(start_page, tmp_path_factory, text_classifier):
    folder = tmp_path_factory.mktemp("evaluate")
    root = folder / "runs"
    root.mkdir()
    data = table(folder / "texts.csv", LABELS, 300, 1)
    older = evaluated_run(root, "older", data, seed=2)
    (older.report / "analysis.json").unlink()
    judged = evaluated_run(root, "judged", data, seed=1, settings="learning_rate: 3.1e-4\n")
    shutil.copytree(text_classifier, judged.model)
    shutil.copytree(text_classifier, older.model)
    other = {"dataset_name": str(table(folder / "elsewhere.csv", ["bad", "strange", "good"], 900, 2))}
    preview = {"classes": [{"label": label, "train": 300} for label in ("bad", "strange", "good")], "sizes": {}}
    datasets.save(root, "Elsewhere", "text-classification", other, preview)
    started = start_page(root)
    yield started
    end(started)


@pytest.fixture
def tab(browser_page):
    """A browser tab in which no dialog opens."""
    opened = []
    browser_page.on("dialog", lambda dialog: (opened.append(dialog.message), dialog.dismiss()))
    expect.set_options(timeout=60 * SECONDS)  # most of what is waited for is made by a child
    yield browser_page
    expect.set_options(timeout=5 * SECONDS)
    assert not opened and browser_page.locator("img[src=x], #pwned").count() == 0


def open_tab(tab, page, name: str) -> None:
    tab.goto(page.url)
    expect(tab.locator(".fact").first).to_be_visible()  # a click before the page has settled is lost
    tab.get_by_role("tab", name=name, exact=True).click()


def open_evaluate(tab, page, run: str = "judged") -> None:
    open_tab(tab, page, "Evaluate")
    expect(tab.get_by_label("Run", exact=True)).not_to_have_value("")
    if not tab.get_by_label("Run", exact=True).input_value().startswith(run):
        pick(tab, "Run", re.compile(f"^{run}"))


def pick(tab, label: str, option) -> None:
    tab.get_by_label(label, exact=True).locator("visible=true").click()  # other screens have such a field as well
    tab.get_by_role("option", name=option).first.click()


def cards(tab):
    return tab.locator("#evaluate-cards li")


def wrong(page, true: str, predicted: str) -> list[str]:
    """The ids of the test rows behind a cell."""
    rows = pq.read_table(page.root / "judged" / "report" / "predictions.parquet")
    mask = pc.and_(pc.equal(rows["split"], "test"), pc.equal(rows["label"], true))
    return rows.filter(pc.and_(mask, pc.equal(rows["prediction"], predicted)))["row_id"].to_pylist()


def choose(tab, *places: int) -> None:
    for at in places:
        cards(tab).nth(at).get_by_role("checkbox").check()


def test_the_report_is_told_in_words_figures_and_charts(page, tab):
    open_evaluate(tab, page)
    found = json.loads((page.root / "judged" / "report" / "analysis.json").read_text())
    head = tab.locator("#evaluate-head")
    for heading in ("How good?", "How sure is that?", "Where is it wrong?", "Why?", "What next?"):
        expect(head.get_by_text(heading, exact=True)).to_be_visible()
    expect(head).to_contain_text(f"{found['scores']['accuracy']:.1%}")
    expect(cards(tab)).to_have_count(min(12, len(found["errors"])))
    expect(cards(tab).first).to_contain_text(found["errors"][0]["text"])
    for section in ("All figures", "Each class", "Probabilities and thresholds", "Kinds of rows"):
        tab.get_by_role("button", name=section).click()
    expect(tab.get_by_text("Matthews correlation")).to_be_visible()
    expect(
        tab.locator("#evaluate-classes").get_by_text("good", exact=True).locator("visible=true").first
    ).to_be_visible()
    expect(tab.locator("figure svg")).to_have_count(5)
    expect(tab.get_by_text(f"{found['scores']['matthews']:.3f}").first).to_be_visible()


def test_a_cell_of_the_matrix_opens_the_rows_behind_it(page, tab):
    open_evaluate(tab, page)
    behind = wrong(page, "good", HOSTILE)
    cell = tab.get_by_label(f"{len(behind)} rows of good answered {HOSTILE}")
    expect(cell).to_have_text(str(len(behind)))
    tab.get_by_label("shares of the true label").check()
    expect(cell).to_contain_text("%")
    cell.click()
    expect(tab.get_by_text(f"of {len(behind)} rows", exact=False).first).to_be_visible()
    expect(cards(tab)).to_have_count(min(12, len(behind)))
    for at in range(cards(tab).count()):
        expect(cards(tab).nth(at)).to_contain_text(f"good, answered {HOSTILE} at")
    tab.get_by_role("button", name="Each class").click()
    tab.locator("#evaluate-classes").get_by_text(HOSTILE, exact=True).locator("visible=true").first.click()
    errors = [*wrong(page, HOSTILE, "good"), *wrong(page, HOSTILE, "bad")]
    expect(tab.get_by_text(f"of {len(errors)} rows", exact=False).first).to_be_visible()
    expect(cards(tab).first).to_contain_text(f"{HOSTILE}, answered")
    pick(tab, "Which", "all answers")
    pick(tab, "True label", "any")
    pick(tab, "Answered", "any")
    tab.get_by_role("button", name="Show them").click()
    expect(tab.get_by_text("1 to 12 of")).to_be_visible()
    tab.get_by_role("button", name="More", exact=True).click()
    expect(tab.get_by_text("13 to 24 of")).to_be_visible()


def test_rows_are_marked_undone_kept_over_a_reload_saved_and_trained_on_again(page, tab):
    open_evaluate(tab, page)
    expect(cards(tab)).to_have_count(12)
    shown = json.loads((page.root / "judged" / "report" / "analysis.json").read_text())["errors"]
    tab.get_by_role("button", name="Leave out", exact=True).click()
    expect(tab.get_by_text("choose rows first")).to_be_visible()
    choose(tab, 0, 1)
    tab.get_by_role("button", name="Leave out", exact=True).click()
    expect(tab.get_by_text("2 rows are marked: 2 to leave out, 0 to relabel.")).to_be_visible()
    expect(cards(tab).nth(1)).to_contain_text("left out")
    expect(tab.locator("#evaluate-cards input:checked")).to_have_count(0)
    choose(tab, 2)
    pick(tab, "Right label", HOSTILE)
    tab.get_by_role("button", name="Relabel so").click()
    expect(cards(tab).nth(2)).to_contain_text(f"to be {HOSTILE}")
    choose(tab, 3)
    tab.get_by_role("button", name="Leave out", exact=True).click()
    expect(tab.get_by_text("4 rows are marked: 3 to leave out, 1 to relabel.")).to_be_visible()
    tab.get_by_role("button", name="Undo the last mark").click()
    expect(tab.get_by_text("3 rows are marked: 2 to leave out, 1 to relabel.")).to_be_visible()
    expect(tab.get_by_text("the test becomes another")).to_be_visible()
    expect(cards(tab).nth(3)).not_to_contain_text("left out")

    open_evaluate(tab, page)
    expect(tab.get_by_text("3 rows are marked: 2 to leave out, 1 to relabel.")).to_be_visible()
    tab.get_by_label("Save as").fill("Texts, mended")
    tab.get_by_role("button", name="Save as a data-set version").click()
    expect(tab.get_by_text("Saved as Texts, mended")).to_be_visible()
    kept = next(one for one in datasets.saved(page.root) if one.name == "Texts, mended")
    made = curation.read(kept.files["curation_file"])
    assert set(made.exclude) == {row["row_id"] for row in shown[:2]}
    assert {row_id: new.label for row_id, new in made.relabel.items()} == {shown[2]["row_id"]: HOSTILE}

    tab.get_by_role("button", name="Train again with it").click()
    expect(tab.get_by_text("The form starts from the settings of judged")).to_be_visible()
    expect(tab.locator("#field-learning_rate input")).to_have_value("0.00031")
    expect(tab.locator("#verdict")).to_contain_text("The settings are complete.")
    command = tab.locator(".cm-content").first
    expect(command).to_contain_text("--curation_file=")
    expect(command).to_contain_text(f"--splits_from={kept.folder}")
    marks.clear(page.root / "judged")


def test_a_report_that_is_missing_is_made_by_its_button(page, tab):
    open_evaluate(tab, page, "older")
    expect(tab.get_by_role("alert").first).to_contain_text("its report is not made yet")
    tab.get_by_role("button", name="Make the report").click()
    expect(tab.locator("#evaluate-head")).to_contain_text("How good?", timeout=120 * SECONDS)
    assert (page.root / "older" / "report" / "report.html").exists()


def test_other_data_are_scored_with_a_label_map_and_can_be_stopped(page, tab):
    open_evaluate(tab, page)
    expect(tab.locator("#evaluate-head")).to_contain_text("How good?")
    tab.get_by_role("button", name="Evaluate on other data, or anew").click()
    pick(tab, "Data set", "Elsewhere")
    labels = tab.get_by_label("Labels that the data call otherwise")
    expect(labels).to_have_value("strange = ")

    def children() -> list[str]:
        found = psutil.Process(page.process.pid).children(recursive=True)
        return [" ".join(child.cmdline()) for child in found if child.is_running()]

    tab.get_by_role("button", name="Evaluate on it").click()
    expect(tab.get_by_text("The model answers Elsewhere").first).to_be_visible()
    tab.get_by_role("button", name="Stop", exact=True).locator("visible=true").click()
    expect(tab.get_by_text("Stopped.")).to_be_visible()
    deadline = time.monotonic() + 30
    while going := any(" evaluate " in line for line in children()):
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    assert not going
    assert not list((page.root / "judged" / "report").glob("*/analysis.json"))

    labels.fill("strange = good")
    labels.blur()
    tab.get_by_role("button", name="Evaluate on it").click()
    expect(tab.locator("#evaluate-head")).to_contain_text("on elsewhere.csv", timeout=120 * SECONDS)
    expect(tab.locator("#evaluate-head")).to_contain_text("On its own")
    expect(tab.get_by_role("button", name="Leave out", exact=True)).to_be_hidden()
    pick(tab, "Which", "all answers")
    tab.get_by_role("button", name="Show them").click()
    expect(tab.get_by_text("1 to 12 of 900 rows")).to_be_visible()


def test_the_files_of_the_report_can_be_fetched(page, tab):
    open_evaluate(tab, page)
    expect(tab.locator("#evaluate-head")).to_contain_text("How good?")
    tab.get_by_role("button", name="The report as files").click()
    tab.get_by_role("button", name="Fetch report.html and predictions.parquet").click()
    with tab.expect_download() as begun:
        tab.get_by_role("link", name=re.compile("KB|MB")).first.click()
    own = (page.root / "judged" / "report" / "report.html").read_bytes()
    assert begun.value.path().read_bytes() == own


def test_what_a_model_costs_is_measured_on_runs_and_set_side_by_side_on_compare(page, tab):
    open_tab(tab, page, "Runs")
    tab.locator("#runs-table").get_by_text("judged", exact=True).locator("visible=true").first.click()
    expect(tab.locator("#run-head")).to_contain_text("judged")
    tab.get_by_role("button", name="What the model costs").click()
    expect(tab.get_by_text("Not measured yet")).to_be_visible()
    tab.get_by_role("button", name="Measure", exact=True).click()
    expect(tab.locator("#run-costs")).to_contain_text("GFLOPs", timeout=120 * SECONDS)
    tab.get_by_role("button", name="Layer by layer").click()
    expect(tab.get_by_text("Embedding", exact=True).locator("visible=true").first).to_be_visible()
    profile = page.root / "judged" / "report" / "profile.json"
    shutil.copy(profile, page.root / "older" / "report")  # of the same network
    told = json.loads(profile.read_text())
    tab.get_by_role("tab", name="Compare", exact=True).click()
    expect(tab.get_by_text(f"{told['parameters']:,}", exact=True).locator("visible=true").first).to_be_visible()
    expect(tab.get_by_text("time for one item", exact=True).locator("visible=true").first).to_be_visible()


def test_without_runs_it_says_what_to_do(page_server, tab):
    open_tab(tab, page_server, "Evaluate")
    expect(tab.get_by_text("Nothing to evaluate yet")).to_be_visible()


def test_it_fits_a_phone(page, tab):
    tab.set_viewport_size({"width": 390, "height": 844})
    open_evaluate(tab, page)
    expect(tab.locator("#evaluate-head")).to_contain_text("How good?")
    for section in (
        "All figures",
        "Each class",
        "Probabilities and thresholds",
        "Kinds of rows",
        "The report as files",
    ):
        tab.get_by_role("button", name=section).click()
    tab.get_by_role("button", name="Evaluate on other data, or anew").click()
    for shown in ("Fetch report.html and predictions.parquet", "Evaluate on it"):
        expect(tab.get_by_role("button", name=shown)).to_be_visible()
    expect(tab.locator("figure svg").last).to_be_visible()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(page, tab, scheme):
    """WCAG AA: 4.5 to 1."""
    tab.emulate_media(color_scheme=scheme)
    open_evaluate(tab, page)
    expect(tab.locator("#evaluate-head")).to_contain_text("How good?")
    tab.get_by_role("button", name="Probabilities and thresholds").click()
    expect(tab.locator("figure svg").last).to_be_visible()
    assert not tab.evaluate(CONTRAST)
