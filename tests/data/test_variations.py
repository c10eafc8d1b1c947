"""What is shown of an augmentation before training is what training would see."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from studio.data.variations import EPOCHS, ROWS, SIDE, variations
from studio.errors import RequestError


def pictures(told: dict) -> list[list[np.ndarray]]:
    contents = [[base64.b64decode(view["picture"].partition(",")[2]) for view in row["views"]] for row in told["rows"]]
    return [[np.asarray(Image.open(io.BytesIO(content)), float) for content in row] for row in contents]


def test_pictures_of_all_classes_are_shown_as_they_are_and_varied(photos, tmp_path):
    told = variations([f"--dataset_name={photos}", "--augmentation=medium", "--mirror=true"], folder=tmp_path)
    assert told["task"] == "image-classification" and len(told["rows"]) == ROWS
    assert {label for row in told["rows"] for label in row["labels"]} == {"red", "blue"}
    for whole, *varied in pictures(told):
        assert whole.shape == (SIDE, SIDE, 3) and len(varied) == EPOCHS
        assert np.mean([np.abs(one - whole).mean() > 1 for one in varied]) > 0.5  # now and then all of it is kept
    with Image.open(tmp_path / "augmented.png") as grid:
        assert grid.size == (SIDE * (1 + EPOCHS), SIDE * ROWS)


def test_without_augmentation_every_view_is_the_picture(photos):
    told = variations([f"--dataset_name={photos}", "--mirror"])
    assert all(np.array_equal(whole, one) for whole, *views in pictures(told) for one in views)


def test_mixed_pictures_are_told_with_the_share_of_each_label(photos):
    told = variations([f"--dataset_name={photos}", "--mixup_alpha=1"])
    mixed = [view["labels"] for row in told["rows"] for view in row["views"][1:]]
    assert any(len(labels) == 2 and all("%" in label for label in labels) for labels in mixed)
    assert all(row["views"][0]["labels"] == row["labels"] for row in told["rows"])


def test_texts_are_shown_with_words_lost_and_swapped(reviews):
    told = variations([f"--dataset_name={reviews}", "--word_deletion=0.4"])
    assert told["task"] == "text-classification" and len(told["rows"]) == ROWS
    for row in told["rows"]:
        whole, *varied = [view["text"] for view in row["views"]]
        assert all(set(text.split()) <= set(whole.split()) for text in varied)
    assert any(view["text"] != row["views"][0]["text"] for row in told["rows"] for view in row["views"])


def test_flags_of_neither_data_nor_augmentation_are_refused(photos):
    with pytest.raises(RequestError, match="--learning_rate=1 says nothing about data"):
        variations([f"--dataset_name={photos}", "--learning_rate=1"])


def test_the_command_asks_where_to_put_pictures_that_a_terminal_cannot_show(photos, program):
    done = program("-m", "studio", "preview", "--dataset_name", photos, "--augmented")
    assert done.returncode == 2 and "--augmented needs --thumbnails" in done.stderr
