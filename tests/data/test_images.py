"""The model sees in training and evaluation what its processor makes of a picture; variations can be repeated."""

import io
import shutil

import numpy as np
import pytest
import torch
from datasets import Dataset, Features, Value
from datasets import Image as Picture
from PIL import Image
from torch.utils.data import DataLoader
from transformers import CLIPImageProcessor, ConvNextImageProcessor, MobileViTImageProcessor, ViTImageProcessor
from transformers.models.timm_wrapper.image_processing_timm_wrapper import TimmWrapperImageProcessor
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from studio.config import ImageAugmentation, ImageData
from studio.data.augment import PRESETS
from studio.data.images import Pictures, collate, prepare
from studio.data.load import load
from studio.data.splits import Splits
from studio.errors import RequestError, RunError
from studio.runs import Run

VIT = ViTImageProcessor(size={"height": 16, "width": 16})
PROCESSORS = {
    "vit": VIT,
    "vit in Pillow": ViTImageProcessorPil(size={"height": 16, "width": 16}),
    "clip": CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}),
    "convnext": ConvNextImageProcessor(size={"shortest_edge": 16}, crop_pct=0.875),
    "mobilevit": MobileViTImageProcessor(size={"shortest_edge": 20}, crop_size={"height": 16, "width": 16}),
    "timm": TimmWrapperImageProcessor(
        {
            "input_size": (3, 16, 16),
            "mean": (0.485, 0.456, 0.406),
            "std": (0.229, 0.224, 0.225),
            "crop_pct": 0.875,
            "interpolation": "bicubic",
        }
    ),
}


def photo(number: int) -> Image.Image:
    """A noisy picture, wide, tall or grey."""
    shape = [(24, 36, 3), (40, 20, 3), (28, 28)][number % 3]
    return Image.fromarray(np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8))


def content(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def rows(pictures: list[Image.Image]) -> Dataset:
    columns = {
        "image": [{"bytes": content(picture), "path": None} for picture in pictures],
        "label": list(range(len(pictures))),
        "row_id": [f"row{i}" for i in range(len(pictures))],
    }
    features = Features({"image": Picture(decode=False), "label": Value("int64"), "row_id": Value("string")})
    return Dataset.from_dict(columns, features=features)


ROWS = rows([photo(i) for i in range(12)])


def seen(loader: DataLoader) -> dict[int, torch.Tensor]:
    """Pixels by label, which is the number of the row here."""
    batches = list(loader)
    labels = torch.cat([batch["labels"] for batch in batches]).tolist()
    return dict(zip(labels, torch.cat([batch["pixel_values"] for batch in batches]), strict=True))


@pytest.mark.parametrize("family", PROCESSORS)
def test_evaluation_gives_what_the_processor_gives(family):
    processor = PROCESSORS[family]
    pictures = Pictures(ROWS, processor)
    batch = collate(pictures.__getitems__(list(range(12))))["pixel_values"]
    for i in range(12):
        expected = processor(photo(i).convert("RGB"), return_tensors="pt")["pixel_values"][0]  # as pipeline() does
        assert expected.shape == (3, 16, 16)
        torch.testing.assert_close(pictures[i]["pixel_values"], expected, rtol=0, atol=1e-6)
        torch.testing.assert_close(batch[i], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("family", PROCESSORS)
def test_a_varied_picture_has_the_size_and_colours_of_the_processor(family):
    plain = rows([Image.new("RGB", (40, 30), colour) for colour in ("red", "green", "blue")])
    varied, unvaried = Pictures(plain, PROCESSORS[family], PRESETS["medium", True]), Pictures(plain, PROCESSORS[family])
    for one, other in zip(varied, unvaried, strict=True):
        torch.testing.assert_close(one["pixel_values"], other["pixel_values"], rtol=0, atol=1e-5)


def test_only_training_pictures_are_varied():
    divided = Splits(train=ROWS, validation=ROWS, test=ROWS, labels=[], notes=[], origin="")
    plain = torch.stack([item["pixel_values"] for item in Pictures(ROWS, VIT)])
    for settings, varied in (
        ({}, False),
        ({"mirror": True}, False),
        ({"augmentation": "light"}, True),
        ({"augmentation_policy": "randaugment"}, True),
        ({"random_erasing": 1.0}, True),
    ):
        prepared = prepare(divided, VIT, ImageAugmentation(**settings), seed=1)
        pixels = {name: torch.stack([item["pixel_values"] for item in split]) for name, split in prepared.items()}
        assert torch.equal(pixels["validation"], plain) and torch.equal(pixels["test"], plain)
        assert torch.equal(pixels["train"], plain) is not varied
        other = prepare(divided, VIT, ImageAugmentation(**settings), seed=2)["train"]
        assert torch.equal(pixels["train"], torch.stack([item["pixel_values"] for item in other])) is not varied


def test_a_variation_follows_from_seed_epoch_and_row_whatever_the_order():
    pictures = Pictures(ROWS, VIT, PRESETS["medium", True], seed=1)
    pictures.set_epoch(3)
    one_by_one = [pictures[i]["pixel_values"] for i in range(12)]
    pictures.set_epoch(4)
    assert not any(map(torch.equal, one_by_one, [pictures[i]["pixel_values"] for i in range(12)]))
    assert not any(
        map(
            torch.equal,
            one_by_one,
            [item["pixel_values"] for item in Pictures(ROWS, VIT, PRESETS["light", False], seed=2)],
        )
    )

    again = Pictures(ROWS.select(range(11, -1, -1)), VIT, PRESETS["medium", True], seed=1)
    again.set_epoch(3)
    assert all(map(torch.equal, one_by_one, reversed([item["pixel_values"] for item in again])))


def test_loader_processes_that_stay_see_the_epoch_change():
    pictures = Pictures(ROWS, VIT, PRESETS["light", False], seed=1)
    loader = DataLoader(pictures, 3, shuffle=True, collate_fn=collate, num_workers=2, persistent_workers=True)
    for epoch in (0, 1, 0):
        pictures.set_epoch(epoch)
        parallel = seen(loader)
        assert all(torch.equal(parallel[i], pictures[i]["pixel_values"]) for i in range(12))


def test_a_large_jpeg_is_varied_from_enough_pixels():
    stream = io.BytesIO()
    Image.effect_noise((640, 480), 80).convert("RGB").save(stream, "JPEG")
    large = ROWS.select([0]).map(lambda _: {"image": {"bytes": stream.getvalue(), "path": None}})
    assert Pictures(large, VIT, PRESETS["light", False])[0]["pixel_values"].shape == (3, 16, 16)
    whole = VIT(Image.open(stream), return_tensors="pt")["pixel_values"][0]
    assert torch.equal(Pictures(large, VIT)[0]["pixel_values"], whole)  # unvaried: from all of them


def test_a_batch_is_channels_last_with_labels():
    batch = collate(Pictures(ROWS, VIT).__getitems__([5, 2]))
    assert batch["pixel_values"].shape == (2, 3, 16, 16)
    assert batch["pixel_values"].is_contiguous(memory_format=torch.channels_last)
    assert batch["labels"].tolist() == [5, 2] and batch["labels"].dtype == torch.int64


def test_row_ids_stand_in_the_order_of_the_items():
    assert Pictures(ROWS.select([4, 1]), VIT).row_ids == ["row4", "row1"]


def test_a_processor_without_one_size_is_refused():
    uneven = CLIPImageProcessor(size={"shortest_edge": 16}, do_center_crop=False)
    with pytest.raises(RequestError, match=r"24 x 16 pixels of a wide picture and 16 x 24 of a tall one"):
        Pictures(ROWS, uneven)


def test_a_file_that_goes_away_later_is_named(tmp_path):
    here = tmp_path / "here.png"
    here.write_bytes(content(photo(0)))
    one = ROWS.select([0]).map(lambda _: {"image": {"bytes": None, "path": str(here)}})
    pictures = Pictures(one, VIT)
    assert len(pictures) == 1 and pictures[0]["labels"] == 0
    here.unlink()
    with pytest.raises(RunError, match=r"here\.png could be read .* and now does not exist"):
        pictures[0]


def test_a_folder_with_a_damaged_picture_loads_without_it(photos, tmp_path):
    data = shutil.copytree(photos, tmp_path / "data")
    (data / "red" / "broken.jpg").write_bytes(b"<html>")
    run = Run(tmp_path / "run")
    run.create(recipe="toy", task="image-classification", command=[], settings="", seed=1)
    divided = load(ImageData(dataset_name=str(data)), seed=1, run=run)
    assert len(divided.train) + len(divided.validation) + len(divided.test) == 60
    assert any("1 of 61 pictures" in note and "broken.jpg is a web page" in note for note in divided.notes)
