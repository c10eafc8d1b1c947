"""The check on the data screen in a real browser: find, decide, keep a version, train on it."""

import json
import os
import shutil
import time
from pathlib import Path

import psutil
import pytest
from PIL import Image
from playwright.sync_api import expect

from studio.data.preview import preview
from studio.ui import datasets
from tests.data.quality.planted import good, photos, put, sentences, table
from tests.ui.test_data_screen import open_page, well

BAD = "<img src=x onerror=alert(1)>"

pytestmark = pytest.mark.usefixtures("nothing_saved", "patience")


@pytest.fixture
def messy(tmp_path):
    """Texts of the labels a and b with three repetitions, one content of two labels, and a label in two spellings."""
    rows = [*good(90), *good(3), ("torn in two halves", "a"), ("torn in two halves", "b")]
    return table(tmp_path / "messy.csv", [*rows, *((text, "A") for text in sentences(5, seed=7))])


def show(page, server, place: Path) -> None:
    """Opens the page on data that were looked at and kept before, which spares the wait for a look at them."""
    small = place.parent / f"thumbnails of {place.name}"
    told = preview([f"--dataset_name={place}"], thumbnails=small)
    pictures = {file.name: file.read_bytes() for file in small.glob("*")}
    settings = {"dataset_name": str(place)}
    datasets.save(server.root, place.stem, told["task"], settings, told, thumbnails=pictures)
    open_page(page, server)
    page.get_by_role("button", name="Show it").click()
    expect(page.get_by_text(f"{place.stem}, as it was saved.")).to_be_visible()


def checked(page):
    page.get_by_role("button", name="Check it").click()
    expect(page.get_by_text("checked:")).to_have_count(0)  # of the check before
    expect(page.get_by_text("checked:")).to_be_visible()


def choose(page, decision):
    page.get_by_role("radio", name=decision, exact=True).check()


def keep(page, name=None):
    if name:
        page.get_by_label("Save the decisions as").fill(name)
    page.get_by_role("button", name="Save as a data-set version").click()
    expect(page.get_by_text("The data stay as they are.", exact=False).first).to_be_visible()
    expect(page.get_by_role("button", name="Train on this version")).to_be_visible()


def test_findings_of_an_upload_are_decided_kept_as_a_version_and_trained_on(page_server, browser_page, messy):
    open_page(browser_page, page_server)
    browser_page.locator("input[type=file]").first.set_input_files(messy)
    expect(browser_page.get_by_text("messy.csv").first).to_be_visible()
    browser_page.get_by_role("button", name="Look at it").click()
    well(browser_page)
    checked(browser_page)
    expect(browser_page.get_by_text("100 rows checked: 2 errors")).to_be_visible()
    expect(browser_page.get_by_text("Each spelling is a class of its own")).to_be_visible()
    expect(browser_page.locator("h4 .kind")).to_have_text(["error", "error", "warning"])
    assert str(page_server.root) not in browser_page.locator("body").inner_text()
    choose(browser_page, "Merge 1 label")
    choose(browser_page, "Leave out 3 rows")
    keep(browser_page, "Tidy")
    expect(browser_page.get_by_text("before: 100")).to_be_visible()
    version, first = datasets.saved(page_server.root)
    assert (version.name, version.of) == ("Tidy", first.id) and sum(version.preview["sizes"].values()) == 97
    decisions = json.loads(version.files["curation_file"].read_text())
    assert len(decisions["exclude"]) == 3 and list(decisions["merge"]) == ["A"]
    assert version.files["dataset_name"].samefile(first.files["dataset_name"])
    assert version.files["dataset_name"].read_bytes() == messy.read_bytes()
    browser_page.get_by_role("button", name="Train on this version").click()
    expect(browser_page.get_by_role("tab", name="Train")).to_have_attribute("aria-selected", "true")
    expect(browser_page.get_by_role("combobox", name="Data set")).to_have_value("Tidy (text classification)")
    expect(browser_page.locator(".cm-content").first).to_contain_text("--curation_file")  # the command
    expect(browser_page.locator("#start")).to_be_enabled()


def test_versions_are_chosen_again_and_checked_further_and_none_replaces_another(page_server, browser_page, messy):
    show(browser_page, page_server, messy)
    checked(browser_page)
    browser_page.get_by_role("button", name="Save as a data-set version").click()
    expect(browser_page.get_by_role("alert")).to_contain_text("choose what to do about a finding first")
    choose(browser_page, "Merge 1 label")
    keep(browser_page)
    checked(browser_page)
    expect(browser_page.get_by_text("another one in another spelling")).to_have_count(0)
    choose(browser_page, "Leave out 2 rows")
    keep(browser_page)
    kept = {dataset.name: dataset for dataset in datasets.saved(page_server.root)}
    assert set(kept) == {"messy", "messy, checked", "messy, checked 2"}
    assert json.loads(kept["messy, checked"].files["curation_file"].read_text())["exclude"] == {}
    both = json.loads(kept["messy, checked 2"].files["curation_file"].read_text())
    assert len(both["exclude"]) == 2 and list(both["merge"]) == ["A"]
    open_page(browser_page, page_server)
    browser_page.get_by_role("button", name="Show it").click()
    expect(browser_page.get_by_text("messy, checked 2, as it was saved.")).to_be_visible()
    browser_page.get_by_label("Version", exact=True).click()
    browser_page.get_by_role("option", name="messy: 100 rows (no decisions)").click()
    expect(browser_page.get_by_text("messy, as it was saved.")).to_be_visible()


def test_pictures_are_shown_small_and_looked_at_closely_when_asked_on_a_phone_too(page_server, browser_page, tmp_path):
    browser_page.set_viewport_size({"width": 390, "height": 844})
    folder = photos(tmp_path / "photos", 40)
    put(Image.new("RGB", (96, 64)), folder / "cat" / "black.png")
    for at in range(4):
        shutil.copy(folder / "cat" / "1.png", folder / "cat" / f"{'a very long name ' * 8}{at}.png")
    show(browser_page, page_server, folder)
    checked(browser_page)
    expect(browser_page.locator("h4 .kind").first).to_be_visible()
    expect(browser_page.locator("h4", has_text="of one colour all over")).to_have_count(0)
    browser_page.get_by_label("Look at every pixel").check()
    checked(browser_page)
    expect(browser_page.get_by_text("1 picture is blank, of one colour all over")).to_be_visible()
    picture = browser_page.get_by_role("img", name="cat/black.png")
    expect(picture).to_be_visible()
    assert picture.evaluate("picture => picture.naturalWidth") == 192
    expect(browser_page.get_by_role("radio", name="Leave out 4 pictures")).to_be_visible()
    assert browser_page.evaluate("document.documentElement.scrollWidth") <= 390
    choose(browser_page, "Leave out 1 picture")
    keep(browser_page)
    expect(browser_page.get_by_text("before: 45")).to_be_visible()
    assert sum(datasets.saved(page_server.root)[0].preview["sizes"].values()) == 44


def test_a_check_is_cancelled_and_leaves_no_process(page_server, browser_page, tmp_path):
    folder = photos(tmp_path / "photos", 20)
    show(browser_page, page_server, folder)
    large = put(Image.new("RGB", (4000, 3000), "teal"), tmp_path / "large.png").read_bytes()  # small on the disk
    for at in range(150 * os.cpu_count()):  # come while the page shows the others
        (folder / "cat" / f"large {at}.png").write_bytes(large + at.to_bytes(4))
    browser_page.get_by_label("Look at every pixel").check()
    browser_page.get_by_role("button", name="Check it").click()
    expect(browser_page.get_by_text("Checking pictures: ")).to_be_visible()
    browser_page.get_by_role("button", name="Cancel").click()
    expect(browser_page.get_by_text("ended early")).to_be_visible()
    expect(browser_page.get_by_role("button", name="Check it")).to_be_enabled()
    assert not checks_going(page_server)
    browser_page.get_by_role("button", name="Check it").click()
    expect(browser_page.get_by_text("Checking pictures: ")).to_be_visible()
    browser_page.close()
    assert not checks_going(page_server)


def test_nothing_that_comes_from_data_is_live_in_a_check(page_server, browser_page, tmp_path):
    opened = []
    browser_page.on("dialog", lambda dialog: (opened.append(dialog.message), dialog.dismiss()))
    labels = [BAD, "good", BAD, "good", BAD.upper()]
    rows = [(f"{text} <b>{at}</b>", labels[at % 5]) for at, text in enumerate(sentences(60))]
    torn = [(f"{BAD} ${{7*7}} {{{{7*7}}}}", label) for label in (BAD, "good")]
    show(browser_page, page_server, table(tmp_path / "<i>x<i>.csv", [*rows, *torn]))
    checked(browser_page)
    expect(browser_page.locator("li", has_text=f"{BAD} ${{7*7}} {{{{7*7}}}}").last).to_be_visible()
    choose(browser_page, "Merge 1 label")
    keep(browser_page, BAD)
    expect(browser_page.get_by_text(f"Saved as {BAD}.")).to_be_visible()
    assert browser_page.locator("img[src=x], main i b").count() == 0 and opened == []


def checks_going(server) -> bool:
    """Whether a check still runs after it has had some time to end."""
    deadline = time.monotonic() + 30
    while going := any(map(_checks, psutil.Process(server.process.pid).children())):
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return going


def _checks(process: psutil.Process) -> bool:
    try:
        return "check" in process.cmdline()
    except psutil.Error:  # it has ended
        return False
