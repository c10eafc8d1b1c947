"""The Try screen in a real browser: texts, drawings, two models, whole files, and nothing that is live or left over."""

import shutil
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import expect

from studio.runs import Run
from tests.conftest import HOSTILE
from tests.jobs.conftest import until
from tests.serving.conftest import png
from tests.ui.conftest import end

PATIENCE_MS = 90_000  # two models that load on busy cores
_SENDS_MS = 2000  # after which the page knows of a stroke or a file
_FRESH_MS = 1200  # the page looks at the run folders once a second
pytestmark = pytest.mark.xdist_group("serving")


def finished(root: Path, name: str, model: Path, task: str, settings: str = "dataset_name: gone.csv\n") -> None:
    run = Run(root / name)
    run.create(recipe="toy", task=task, command=[], settings=settings, seed=1)
    shutil.copytree(model, run.model)
    run.set_state("finished")
    run.unlock()


@pytest.fixture(scope="module")
def server(start_page, tmp_path_factory, text_classifier, image_classifier):
    root = tmp_path_factory.mktemp("try") / "runs"
    root.mkdir()
    finished(root, "digits", image_classifier, "image-classification", "dataset_name: sample:mnist\n")
    finished(root, "one", text_classifier, "text-classification")
    finished(root, "two", text_classifier, "text-classification")
    started = start_page(root)
    yield started
    end(started)


@pytest.fixture
def page(server, browser_page):
    """The Try screen; a dialog of the browser means that something was live."""
    opened = []
    browser_page.on("dialog", lambda dialog: (opened.append(dialog.message), dialog.dismiss()))
    browser_page.goto(server.url)
    browser_page.get_by_role("tab", name="Try", exact=True).click()
    expect(browser_page.get_by_label("Model", exact=True)).to_be_visible(timeout=PATIENCE_MS)
    yield browser_page
    assert not opened


def choose(page, label: str, run: str) -> None:
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=run).click()


def past(page, text: str):
    """The visible cells of previous answers with that text."""
    return page.locator(".cell-wrap:visible", has_text=text)


def served(server) -> list[psutil.Process]:
    return [p for p in psutil.Process(server.process.pid).children() if "studio.serving.server" in p.cmdline()]


def test_two_models_answer_side_by_side_and_previous_answers_stay(server, page):
    choose(page, "Model", "one")
    choose(page, "Compare with", "two")
    text = page.get_by_label("Text", exact=True)
    text.fill(f"a good film {HOSTILE}")
    text.press("Enter")
    expect(past(page, "a good film")).to_have_count(2, timeout=PATIENCE_MS)  # one row for each model
    expect(page.get_by_text(HOSTILE, exact=True).first).to_be_visible(
        timeout=PATIENCE_MS
    )  # it is a label of theirs as well
    text.fill("a bad day")
    text.press("Enter")
    expect(past(page, "a bad day")).to_have_count(2, timeout=PATIENCE_MS)
    expect(past(page, "a good film")).to_have_count(2, timeout=PATIENCE_MS)
    assert len(served(server)) == 2
    page.get_by_role("button", name="Free memory").click()
    expect(page.get_by_text("2 models taken out of memory.")).to_be_visible(timeout=PATIENCE_MS)
    assert not served(server)
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(past(page, "a bad day")).to_have_count(0, timeout=PATIENCE_MS)


def test_an_answer_to_a_text_is_explained_in_colours(page):
    choose(page, "Model", "one")
    text = page.get_by_label("Text", exact=True)
    text.fill(f"a good film {HOSTILE}")
    text.press("Enter")
    page.get_by_role("button", name="Why?").click(timeout=PATIENCE_MS)
    expect(page.locator("mark", has_text="film")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("not whether that is right")).to_be_visible()
    page.get_by_label("Label to explain").click()
    page.get_by_role("option", name="bad", exact=True).click()
    page.get_by_role("button", name="Why?").click()
    expect(page.get_by_text("moved the model towards 'bad'")).to_be_visible(timeout=PATIENCE_MS)
    text.fill("a bad day")
    text.press("Enter")
    expect(past(page, "a bad day")).to_have_count(1, timeout=PATIENCE_MS)
    expect(page.locator("mark")).to_have_count(0)  # it was about another text


def test_an_answer_to_a_picture_is_explained_beside_it(page, tmp_path):
    choose(page, "Model", "digits")
    photo = tmp_path / "photo.png"
    photo.write_bytes(png("red"))
    with page.expect_response(lambda answer: "/upload" in answer.url):
        page.locator("input[type=file][accept*=image]").first.set_input_files(photo)
    page.wait_for_timeout(_SENDS_MS)
    page.get_by_role("button", name="Ask about the picture").click()
    page.get_by_role("button", name="Why?").click(timeout=PATIENCE_MS)
    shown = page.locator(".explained img")
    expect(shown).to_have_count(2, timeout=PATIENCE_MS)
    assert shown.evaluate_all("all => all.every(one => one.naturalWidth === 480)")


def test_nothing_is_asked_without_a_text(page):
    choose(page, "Model", "one")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_text("Write a text first.")).to_be_visible(timeout=PATIENCE_MS)


def test_a_drawn_digit_is_answered(page):
    choose(page, "Model", "digits")
    page.get_by_role("tab", name="Drawing").click()
    expect(page.get_by_label("White on black")).to_be_checked(timeout=PATIENCE_MS)  # by the data it was trained on
    page.get_by_role("button", name="Ask about the drawing").click()
    expect(page.get_by_text("Draw something first")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_label("Brush").first.click()
    box = page.locator("canvas").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y - 100)
    page.mouse.down()
    page.mouse.move(x, y + 100, steps=15)
    page.mouse.up()
    page.wait_for_timeout(_SENDS_MS)
    page.get_by_role("button", name="Ask about the drawing").click()
    expect(past(page, "drawing")).to_have_count(1, timeout=PATIENCE_MS)


def test_a_damaged_picture_is_told(page, tmp_path):
    choose(page, "Model", "digits")
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"no picture")
    with page.expect_response(lambda answer: "/upload" in answer.url):
        page.locator("input[type=file][accept*=image]").first.set_input_files(damaged)
    page.wait_for_timeout(_SENDS_MS)
    page.get_by_role("button", name="Ask about the picture").click()
    expect(page.get_by_text("There is no answer: picture 1 is damaged")).to_be_visible(timeout=PATIENCE_MS)


def test_a_file_is_answered_row_by_row(page, tmp_path):
    choose(page, "Model", "one")
    source = tmp_path / "rows.csv"
    source.write_text("number,text\n" + "".join(f"{i},good film {i}\n" for i in range(50)))
    page.get_by_text("A whole file").click()
    page.locator("input[type=file]:not([accept*=image])").last.set_input_files(source)
    page.get_by_role("button", name="Ask about every row").click()
    expect(page.get_by_text("All 50 rows are answered.")).to_be_visible(timeout=PATIENCE_MS)
    with page.expect_download() as download:
        page.get_by_role("link", name="rows answers.csv").or_(page.locator("a[download]")).first.click()
    assert len(download.value.path().read_text().splitlines()) == 51


def test_a_run_that_is_gone_is_told(server, page, text_classifier):
    finished(server.root, "passing", text_classifier, "text-classification")
    page.wait_for_timeout(_FRESH_MS)
    page.reload()
    page.get_by_role("tab", name="Try", exact=True).click()
    choose(page, "Model", "passing")
    shutil.rmtree(server.root / "passing")
    page.wait_for_timeout(_FRESH_MS)
    page.get_by_label("Text", exact=True).fill("a good film")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_text("the model of passing is gone")).to_be_visible(timeout=PATIENCE_MS)


def test_it_fits_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    page.get_by_role("tab", name="Try", exact=True).click()
    choose(page, "Model", "one")
    expect(page.get_by_label("Text", exact=True)).to_be_visible(timeout=PATIENCE_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_no_model_outlives_a_killed_page(start_page, browser_page, text_classifier, tmp_path):
    finished(tmp_path, "one", text_classifier, "text-classification")
    server = start_page(tmp_path)
    browser_page.goto(server.url)
    browser_page.get_by_role("tab", name="Try", exact=True).click()
    browser_page.get_by_label("Text", exact=True).fill("a good film")
    browser_page.get_by_role("button", name="Ask", exact=True).click()
    expect(past(browser_page, "a good film")).to_have_count(1, timeout=PATIENCE_MS)
    models = served(server)
    server.process.kill()
    server.process.wait()
    assert models
    until(lambda: not any(model.is_running() for model in models), 10)
