"""Varied rows on the Train screen: every label and text is shown, and none of them is live."""

from studio.ui.train import varied

BAD = "<img src=x onerror=alert(1)>"


def test_pictures_stand_in_a_line_and_mixed_ones_say_what_they_are():
    views = [{"picture": "data:image/webp;base64,AA", "labels": [BAD]}]
    views += [{"picture": "data:image/webp;base64,BB", "labels": [f"60% {BAD}", "40% bee"]}]
    shown = varied.grid({"task": "image-classification", "rows": [{"labels": [BAD], "views": views}]})
    assert shown.count("<img ") == 2 and shown.count("<small>") == 1 and "40% bee" in shown
    assert "onerror=alert(1)>" not in shown


def test_texts_stand_below_each_other():
    views = [{"text": "good film"}, {"text": BAD}]
    shown = varied.grid({"task": "text-classification", "rows": [{"labels": ["pos"], "views": views}]})
    assert "good film" in shown and shown.count("<li>") == 2 and "<img" not in shown


def test_the_train_screen_shows_digits_as_its_form_would_vary_them(page_server, browser_page, patience):
    from playwright.sync_api import expect

    tab = browser_page
    tab.goto(page_server.url)
    tab.get_by_role("tab", name="Train", exact=True).click()
    tab.get_by_label("Data set", exact=True).click()
    tab.get_by_role("option", name="Digits").click()
    tab.get_by_role("button", name="Show augmented pictures").click()
    pictures = tab.locator("#varied img")
    expect(pictures).to_have_count(36)
    line = [pictures.nth(at).get_attribute("src") for at in range(6)]
    assert len(set(line)) == 6  # the digit as it is, and five times varied
    tab.locator("#field-augmentation input").click()
    tab.get_by_role("option", name="none", exact=True).click()
    tab.get_by_role("button", name="Show augmented pictures").click()
    expect(pictures.nth(1)).to_have_attribute("src", line[0])
