"""The data screen in a real browser: look, mend, save; nothing that comes from data is ever live."""

import csv
import shutil

import pytest
from playwright.sync_api import expect

from studio.ui import datasets

SECONDS = 1000


pytestmark = pytest.mark.usefixtures("nothing_saved", "patience")


def open_page(page, server):
    page.goto(server.url)
    expect(page.get_by_text("Where is your data?")).to_be_visible()


def look_at(page, path):
    page.get_by_label("On this machine").check()
    page.get_by_label("File or folder").fill(str(path))
    page.get_by_role("button", name="Look at it").click()


def well(page):
    expect(page.get_by_role("status").first).to_contain_text("can be trained on")


def pick(page, label, option):
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()


def table(path, rows, header=("text", "label")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_an_upload_is_looked_at_saved_and_trained_on_and_survives_a_reload(page_server, browser_page, reviews):
    open_page(browser_page, page_server)
    browser_page.locator("input[type=file]").first.set_input_files(reviews)
    expect(browser_page.get_by_text("reviews.csv").first).to_be_visible()
    browser_page.get_by_role("button", name="Look at it").click()
    well(browser_page)
    expect(browser_page.get_by_text("column 'text' is the text, column 'label' the label")).to_be_visible()
    expect(browser_page.get_by_text("positive").first).to_be_visible()
    browser_page.get_by_label("Save as").fill("My reviews")
    browser_page.get_by_role("button", name="Save and train on it").click()
    expect(browser_page.get_by_role("tab", name="Train")).to_have_attribute("aria-selected", "true")
    (kept,) = datasets.saved(page_server.root)
    assert kept.name == "My reviews" and kept.files["dataset_name"].read_bytes() == reviews.read_bytes()
    open_page(browser_page, page_server)
    browser_page.get_by_role("button", name="Show it").click()
    expect(browser_page.get_by_text("My reviews, as it was saved.")).to_be_visible()
    browser_page.get_by_role("button", name="Remove", exact=True).click()
    browser_page.get_by_role("button", name="Remove it for good").click()
    expect(browser_page.get_by_text("None yet")).to_be_visible()
    assert datasets.saved(page_server.root) == []


def test_a_folder_of_pictures_is_shown_and_saved_without_a_copy(page_server, browser_page, photos, tmp_path):
    shutil.copytree(photos, tmp_path / "photos")
    open_page(browser_page, page_server)
    look_at(browser_page, tmp_path / "photos")
    well(browser_page)
    expect(browser_page.get_by_label("of 24")).to_have_count(24)
    browser_page.get_by_role("button", name="Save and train on it").click()
    expect(browser_page.get_by_role("tab", name="Train")).to_have_attribute("aria-selected", "true")
    (kept,) = datasets.saved(page_server.root)
    assert kept.settings == {"dataset_name": str(tmp_path / "photos")} and kept.files == {}
    assert len(kept.thumbnails) == 24


def test_columns_that_cannot_be_told_are_chosen_by_hand(page_server, browser_page, tmp_path):
    rows = [(f"a longer sentence {i}", "ab"[i % 2], "xyz"[i % 3]) for i in range(60)]
    open_page(browser_page, page_server)
    look_at(browser_page, table(tmp_path / "t.csv", rows, ("one", "two", "three")))
    expect(browser_page.get_by_role("alert")).to_contain_text("name it with ‘Label column’")
    pick(browser_page, "Label column", "three")
    browser_page.get_by_role("button", name="Look again", exact=True).click()
    well(browser_page)
    expect(browser_page.get_by_text("column 'three' the label")).to_be_visible()
    pick(browser_page, "Label column", "two")
    expect(browser_page.get_by_role("button", name="Look again before saving")).to_be_disabled()


def test_a_place_outside_the_roots_is_refused(page_server, browser_page):
    open_page(browser_page, page_server)
    look_at(browser_page, "/etc/passwd")
    expect(browser_page.get_by_role("alert")).to_contain_text("outside the folders that this page may open")


def test_a_phone_needs_no_sideways_scrolling(page_server, browser_page, tmp_path):
    browser_page.set_viewport_size({"width": 390, "height": 844})
    rows = [(f"{i} {'verylongword' * 30}", "class " + "ab"[i % 2] * 60) for i in range(60)]
    open_page(browser_page, page_server)
    look_at(browser_page, table(tmp_path / "wide.csv", rows))
    well(browser_page)
    expect(browser_page.get_by_label("Save as")).to_be_visible()
    assert browser_page.evaluate("document.documentElement.scrollWidth") <= 390


def test_columns_without_a_header_row_get_names(page_server, browser_page, tmp_path):
    rows = [(f"a sentence {i}", "ab"[i % 2]) for i in range(60)]
    open_page(browser_page, page_server)
    look_at(browser_page, table(tmp_path / "bare.csv", rows[1:], rows[0]))
    well(browser_page)
    expect(browser_page.get_by_text("has no header row")).to_be_visible()
    browser_page.get_by_text("More: how rows are read and divided").click()
    browser_page.get_by_label("Column names").fill("remark, mood")
    browser_page.get_by_role("button", name="Look again", exact=True).click()
    expect(browser_page.get_by_text("column 'remark' is the text, column 'mood' the label")).to_be_visible()
    browser_page.get_by_role("button", name="Save and train on it").click()
    expect(browser_page.get_by_role("tab", name="Train")).to_have_attribute("aria-selected", "true")
    assert datasets.saved(page_server.root)[0].settings["column_names"] == ["remark", "mood"]


def test_spellings_of_a_label_are_told_first_and_merged_by_a_button(page_server, browser_page, tmp_path):
    rows = [(f"a sentence {i}", ["good", "bad", "Good "][i % 3]) for i in range(90)] + [("unlabelled", "")]
    open_page(browser_page, page_server)
    look_at(browser_page, table(tmp_path / "t.csv", rows))
    well(browser_page)
    expect(browser_page.get_by_role("status").first).to_contain_text("look at these 2 things first")
    expect(browser_page.get_by_text("1 row was left out: 1 without a label.")).to_be_visible()
    expect(browser_page.get_by_text("One label is written in several ways")).to_be_visible()
    browser_page.get_by_role("button", name="Merge the spellings").click()
    expect(browser_page.get_by_role("status").first).to_contain_text("look at this first")
    expect(browser_page.get_by_role("button", name="Merge the spellings")).to_be_hidden()
    browser_page.get_by_role("button", name="Save and train on it").click()
    expect(browser_page.get_by_role("tab", name="Train")).to_have_attribute("aria-selected", "true")
    kept = datasets.saved(page_server.root)[0]
    assert kept.settings["merge_label_spellings"] and len(kept.preview["classes"]) == 2
