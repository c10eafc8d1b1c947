"""The Compare screen in a real browser."""

import pytest
from playwright.sync_api import expect

from studio import events
from studio.ui.words import plain
from tests.finished_runs import answers, write_run
from tests.ui.conftest import end


@pytest.fixture(scope="module")
def page(start_page, tmp_path_factory):
    root = tmp_path_factory.mktemp("compare") / "runs"
    root.mkdir()
    write_run(root, "steady", answers("1" * 60 + "0" * 40), settings="learning_rate: 1.0e-4\nseed: 7\n")
    write_run(root, "faster", answers("1" * 90 + "0" * 10), settings="learning_rate: 3.0e-4\nseed: 7\n")
    write_run(root, "unfinished", None)
    started = start_page(root)
    yield started
    end(started)


def open_compare(browser_page, page):
    browser_page.goto(page.url)
    browser_page.get_by_role("tab", name="Compare", exact=True).click()


def seen(browser_page, text: str):
    """The text where it can be seen; a table holds it a second time, to measure its columns."""
    return browser_page.get_by_text(text, exact=True).locator("visible=true").first


def choose(browser_page, name: str) -> None:
    box = browser_page.get_by_label("Runs", exact=True)
    box.click()
    browser_page.get_by_role("option", name=name, exact=True).click()
    box.press("Escape")


def test_the_newest_two_are_compared_at_once(page, browser_page):
    open_compare(browser_page, page)
    verdict = "steady is better than faster"
    expect(
        browser_page.get_by_text("faster is better than steady").or_(browser_page.get_by_text(verdict))
    ).to_be_visible(timeout=20_000)
    expect(browser_page.get_by_text("30.0 points of accuracy")).to_be_visible()
    expect(seen(browser_page, "learning_rate")).to_be_visible()
    assert browser_page.get_by_text("seed", exact=True).count() == 0  # the same in both
    expect(seen(browser_page, "0.900 (0.850 to 0.950)")).to_be_visible()
    expect(seen(browser_page, "training loss")).to_be_visible()


def test_another_curve_and_a_run_without_scores_can_be_chosen(page, browser_page):
    open_compare(browser_page, page)
    expect(browser_page.get_by_text("30.0 points of accuracy")).to_be_visible(timeout=20_000)
    browser_page.get_by_label("The metric that picks the best").check()
    expect(seen(browser_page, "F1, macro")).to_be_visible()
    choose(browser_page, "unfinished")
    expect(browser_page.get_by_text("unfinished has no test scores yet")).to_be_visible(timeout=20_000)
    expect(seen(browser_page, "not scored yet")).to_be_visible()


def test_a_run_that_has_come_since_is_offered_when_the_tab_is_opened_again(page, browser_page):
    open_compare(browser_page, page)
    expect(browser_page.get_by_text("30.0 points of accuracy")).to_be_visible(timeout=20_000)
    folder = write_run(page.root, "late", None)
    events.append(folder / "events.jsonl", "metric", 50, {"loss": 0.1})
    browser_page.get_by_role("tab", name="Data", exact=True).click()
    browser_page.get_by_role("tab", name="Compare", exact=True).click()
    choose(browser_page, "late")
    expect(browser_page.get_by_text("late has no test scores yet")).to_be_visible(timeout=20_000)


def test_it_fits_a_phone(page, browser_page):
    browser_page.set_viewport_size({"width": 390, "height": 844})
    open_compare(browser_page, page)
    expect(browser_page.get_by_text("30.0 points of accuracy")).to_be_visible(timeout=20_000)
    assert browser_page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(page, browser_page, scheme):
    """WCAG AA: 4.5 to 1."""
    browser_page.emulate_media(color_scheme=scheme)
    open_compare(browser_page, page)
    expect(browser_page.get_by_text("30.0 points of accuracy")).to_be_visible(timeout=20_000)
    browser_page.wait_for_timeout(1000)  # what was faded while it was reckoned
    faint = browser_page.evaluate(CONTRAST)
    assert not faint


# Every visible text whose colour and the nearest background behind it have less than 4.5:1.
CONTRAST = """() => {
    const parse = (css) => (css.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
    const light = (c) => {
        const [r, g, b] = c.slice(0, 3).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const faint = [];
    for (const element of document.querySelectorAll('body *')) {
        const own = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
        const box = element.getBoundingClientRect();
        const seen = element.checkVisibility({opacityProperty: true, visibilityProperty: true}) && box.width > 1;
        if (!own || !seen) continue;
        if (['SCRIPT', 'STYLE'].includes(element.tagName) || element.closest('svg')) continue;
        let behind = element, back;
        while (behind) {
            back = parse(getComputedStyle(behind).backgroundColor);
            if (back.length < 4 || back[3] > 0.99) break;
            behind = behind.parentElement;
        }
        const [a, b] = [light(parse(getComputedStyle(element).color)), light(back)].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        if (ratio < 4.5) faint.push(`${element.textContent.trim().slice(0, 40)} ${ratio.toFixed(2)}`);
    }
    return faint;
}"""


def test_names_in_markdown_do_nothing():
    assert plain("a_b *c* <img> [x](y)\n# h") == r"a\_b \*c\* \<img\> \[x\]\(y\) \# h"
