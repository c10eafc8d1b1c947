"""The whole way in a real browser on the sample data: data, training, stopping, resuming, comparing, trying."""

import csv
import json
import os
import signal

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from studio.jobs import control
from studio.jobs.listing import run_folders
from studio.jobs.standing import standing
from tests.conftest import HOSTILE
from tests.ui.conftest import Page, end

SECONDS = 1000
EMPTY = {"Runs": "No runs yet", "Compare": "There is nothing to compare yet", "Try": "Nothing to try yet"}
QUICK = {"max_train_samples": "400", "max_steps": "30", "per_device_train_batch_size": "8", "logging_steps": "1"}
QUICK |= {"max_eval_samples": "100", "max_predict_samples": "200"}


def go(tab: Tab, name: str) -> None:
    tab.get_by_role("tab", name=name, exact=True).click()


def fill(tab: Tab, settings: dict[str, str]) -> None:
    """Writes into the form of the Train screen, whose sections are opened first."""
    for section, field in (("Data and length", "max_eval_samples"), ("Training", "logging_steps")):
        while not tab.locator(f"#field-{field} input").is_visible():  # a form that was just made anew is closed
            tab.get_by_role("button", name=f"{section}: more settings").click()
            tab.wait_for_timeout(1000)
    for name, value in settings.items():
        field = tab.locator(f"#field-{name} input")
        field.fill(value)
        field.blur()


def start(tab: Tab, name: str) -> None:
    tab.get_by_label("Name of the run").fill(name)
    expect(tab.locator("#verdict")).to_contain_text("The settings are complete.", timeout=30 * SECONDS)
    expect(tab.locator("#start")).to_be_enabled()
    tab.wait_for_timeout(700)  # the last change of a field is still being checked
    tab.locator("#start").click()
    expect(head(tab)).to_contain_text(name, timeout=150 * SECONDS)


def head(tab: Tab):
    return tab.locator("#run-head")


def becomes(tab: Tab, state: str, seconds: int = 120) -> None:
    expect(tab.locator("#run-head .badge")).to_have_text(state, timeout=seconds * SECONDS)


def steps(page: Page, run: str) -> list[int]:
    lines = (page.root / run / "events.jsonl").read_text().splitlines()
    return [event["step"] for event in map(json.loads, lines) if "loss" in event["data"]]


@pytest.fixture(scope="module")
def page(start_page, tmp_path_factory):
    root = tmp_path_factory.mktemp("tour") / "runs"
    root.mkdir()
    page = start_page(root, env={"STUDIO_DATA_ROOTS": str(tmp_path_factory.getbasetemp())})
    yield page
    end(page)
    for run in run_folders(root):
        if standing(run).going:  # only after a test that failed
            control.force_stop(run)


@pytest.fixture
def tab(browser_page):
    """A browser tab in which no script fails, nothing is asked of another host and nothing that data say is run."""
    wrong = []
    measures = "reading 'offsetWidth'"  # what a plot of Gradio 6.31 says when its tab is left while it is drawn
    browser_page.on("pageerror", lambda error: None if measures in str(error) else wrong.append(str(error)))
    browser_page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
    browser_page.on(
        "request", lambda r: None if "127.0.0.1" in r.url or r.url[:5] in ("data:", "blob:") else wrong.append(r.url)
    )
    yield browser_page
    assert not wrong, wrong


def test_a_new_studio_says_on_each_screen_what_to_do(page, tab):
    tab.goto(page.url)
    for screen, told in EMPTY.items():
        go(tab, screen)
        expect(tab.get_by_text(told)).to_be_visible(timeout=20 * SECONDS)


def test_from_data_to_an_answer(page, tab):
    tab.goto(page.url)
    tab.get_by_label("A sample").check()
    tab.get_by_role("button", name="Look at it").click()
    expect(tab.get_by_role("status").first).to_contain_text("can be trained on", timeout=150 * SECONDS)
    tab.get_by_role("button", name="Train on it", exact=True).first.click()

    rate = tab.locator("#field-learning_rate input")
    expect(rate).to_be_visible(timeout=20 * SECONDS)
    rate.fill("7")
    rate.blur()
    expect(tab.locator("#field-learning_rate")).to_contain_text("must be at most 1")
    expect(tab.locator("#start")).to_be_disabled()
    fill(tab, {"learning_rate": "3e-4"} | QUICK)
    start(tab, "first")

    expect(tab.locator("#run-charts polyline").first).to_be_attached(timeout=90 * SECONDS)
    drawn = tab.locator("#run-charts svg").first.inner_html()
    tab.get_by_role("button", name="Stop & save").click()
    becomes(tab, "stopped")
    expect(tab.get_by_role("button", name="Resume")).to_be_visible()
    assert tab.locator("#run-charts svg").first.inner_html() != drawn  # it has moved
    reached = steps(page, "first")[-1]
    assert reached < 30

    tab.get_by_role("button", name="Resume").click()
    becomes(tab, "finished")
    assert steps(page, "first") == list(range(1, 31))  # each step once
    expect(tab.locator("#run-result")).to_contain_text("On 200 rows that training never saw", timeout=20 * SECONDS)

    tab.get_by_role("button", name="Clone & edit").click()
    expect(tab.get_by_text("The form starts from the settings of first")).to_be_visible(timeout=150 * SECONDS)
    expect(tab.locator("#field-max_train_samples input")).to_have_value("400", timeout=20 * SECONDS)
    fill(tab, {"max_steps": "3"})
    start(tab, "second")
    becomes(tab, "finished")

    go(tab, "Compare")
    expect(tab.get_by_text("max_steps", exact=True).locator("visible=true").first).to_be_visible(timeout=150 * SECONDS)
    told = tab.get_by_text("better than").or_(tab.get_by_text("may be chance"))
    expect(told.locator("visible=true").first).to_be_visible()

    go(tab, "Try")
    text = tab.get_by_label("Text", exact=True)
    text.fill("What a wonderful morning")
    text.press("Enter")
    expect(tab.locator(".cell-wrap:visible", has_text="What a wonderful morning").first).to_be_visible(
        timeout=150 * SECONDS
    )


def test_a_drawn_digit_is_read_by_a_model_that_was_just_trained(page, tab):
    tab.goto(page.url)
    go(tab, "Train")
    tab.get_by_label("Data set", exact=True).click()
    tab.get_by_role("option", name="Digits").click()
    tab.get_by_label("Recipe", exact=True).click()
    tab.get_by_role("option", name="ResNet").click()
    expect(tab.locator("#field-image_size input")).to_be_visible(timeout=20 * SECONDS)
    fill(tab, QUICK | {"max_steps": "10", "image_size": "64", "max_predict_samples": "50"})
    start(tab, "digits")
    becomes(tab, "finished")
    tab.get_by_role("button", name="Try it").click()
    tab.get_by_role("tab", name="Drawing").click()
    expect(tab.get_by_label("White on black")).to_be_checked(timeout=30 * SECONDS)
    tab.get_by_label("Brush").first.click()
    box = tab.locator("canvas").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(x, y - 100)
    tab.mouse.down()
    tab.mouse.move(x, y + 100, steps=15)
    tab.mouse.up()
    tab.wait_for_timeout(1500)  # the drawing is on its way
    tab.get_by_role("button", name="Ask about the drawing").click()
    expect(tab.locator(".cell-wrap:visible", has_text="drawing").first).to_be_visible(timeout=150 * SECONDS)


def test_nothing_that_comes_from_data_is_live(page, tab, tmp_path):
    file = tmp_path / 'a "quoted" <img src=x onerror=alert(3)>.csv'
    with file.open("w", newline="") as stream:
        lines = csv.writer(stream)
        lines.writerow(("<b onclick=alert(4)>body</b> ${7*7}", "<u>label</u>"))
        lines.writerows(
            (f"{i} <script>alert(2)</script> {{{{7*7}}}} ${{7*7}}", [HOSTILE, "a"][i % 2]) for i in range(60)
        )
    tab.goto(page.url)
    tab.get_by_label("On this machine").check()
    tab.get_by_label("File or folder").fill(str(file))
    tab.get_by_role("button", name="Look at it").click()
    status = tab.get_by_role("status").first
    expect(status).to_contain_text("can be trained on", timeout=150 * SECONDS)
    expect(status).to_contain_text(file.name)
    expect(tab.get_by_text("column '<b onclick=alert(4)>body</b> ${7*7}' is the text")).to_be_visible()
    expect(tab.get_by_text("<script>alert(2)</script> {{7*7}} ${7*7}").filter(visible=True).first).to_be_visible()
    tab.get_by_label("Save as").fill(HOSTILE)
    tab.get_by_role("button", name="Save and train on it").click()
    expect(tab.get_by_role("tab", name="Train")).to_have_attribute("aria-selected", "true")
    go(tab, "Data")
    expect(tab.get_by_role("button", name="Show it")).to_be_visible()
    assert tab.locator("img[src=x], b[onclick], main u").count() == 0
    assert "49" not in status.inner_text()


def test_no_screen_scrolls_sideways_on_a_phone(page, tab):
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(page.url)
    for screen in ("Data", "Train", "Runs", "Evaluate", "Compare", "Try"):
        go(tab, screen)
        tab.wait_for_timeout(1500)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390, screen


def test_the_page_may_be_reloaded_opened_twice_and_killed_while_a_run_goes_on(start_page, page, tab):
    tab.goto(page.url)
    go(tab, "Train")
    expect(tab.locator("#start")).to_be_visible(timeout=20 * SECONDS)
    fill(tab, QUICK | {"max_steps": "300"})
    start(tab, "long")
    becomes(tab, "running")
    tab.reload()
    go(tab, "Runs")
    expect(head(tab)).to_contain_text("long", timeout=20 * SECONDS)
    other = tab.context.browser.new_context()
    second = other.new_page()
    second.goto(page.url)
    go(second, "Runs")
    expect(head(second)).to_contain_text("long", timeout=20 * SECONDS)
    other.close()

    page.process.send_signal(signal.SIGKILL)
    page.process.wait()
    assert standing(page.root / "long").going  # nobody has told the job
    again = start_page(page.root)
    try:
        tab.set_viewport_size({"width": 1280, "height": 3000})  # a code box draws only the lines in sight
        tab.goto(again.url)
        go(tab, "Runs")
        expect(head(tab)).to_contain_text("long", timeout=20 * SECONDS)
        tab.get_by_text("Settings it runs with").click()
        expect(tab.locator(".cm-line", has_text="max_steps: 300")).to_be_visible()
        expect(tab.locator("#run-charts svg").first).to_be_visible(timeout=90 * SECONDS)
        tab.get_by_role("button", name="Force-stop").click()
        tab.locator("#yes").click()
        becomes(tab, "stopped", 20)
    finally:
        end(again)
    assert not os.path.exists(page.root / "long" / "model")
