"""The form says what the flags say: one declaration for both."""

from pathlib import Path

import gradio as gr
import pytest

from studio import recipe_files
from studio.errors import RequestError
from studio.fields import specs
from studio.ui.train import catalogue, forms

RECIPES = recipe_files.find(Path(__file__).parent.parent.parent / "recipes")


def all_specs(one):
    return [spec for name, group in one.groups().items() if name != "output" for spec in specs(group)]


@pytest.mark.parametrize("one", RECIPES, ids=lambda one: one.path.stem)
def test_a_form_that_is_left_as_it_is_gives_no_flags(one):
    found = all_specs(one)
    parser = one.parser({})
    defaults = {spec.name: parser.get_default(spec.name) for spec in found}
    fields = [forms.field(spec, defaults[spec.name], defaults[spec.name]) for spec in found]
    assert forms.flags(found, defaults, [field.value for field in fields]) == []


@pytest.mark.parametrize("one", RECIPES, ids=lambda one: one.path.stem)
def test_what_a_form_says_is_what_the_recipe_gets(one):
    found = all_specs(one)
    defaults = {spec.name: spec.default for spec in found}
    said = defaults | {"learning_rate": "3e-4", "bf16": "false", "lr_scheduler_type": "cosine", "seed": "7"}
    said |= {"validation_fraction": 0.2, "merge_label_spellings": True, "early_stopping_patience": "3"}
    parsed = one.parse(forms.flags(found, defaults, [said[spec.name] for spec in found]))
    training, data = parsed["training"], parsed["data"]
    assert (training.learning_rate, training.bf16, training.lr_scheduler_type) == (3e-4, False, "cosine")
    assert (training.seed, training.early_stopping_patience) == (7, 3)
    assert data.validation_fraction == 0.2 and data.merge_label_spellings is True


def test_an_emptied_field_stands_for_the_default():
    found = all_specs(RECIPES[0])
    assert forms.flags(found, {"seed": 42}, ["" for _ in found]) == []


def test_bounds_and_choices_become_widgets():
    by_name = {spec.name: spec for spec in all_specs(RECIPES[0])}
    slider = forms.field(by_name["test_fraction"], 0.15, 0.15)
    assert isinstance(slider, gr.Slider) and (slider.minimum, slider.maximum) == (0.01, 0.9)
    assert isinstance(forms.field(by_name["merge_label_spellings"], False, False), gr.Checkbox)
    assert len(forms.field(by_name["lr_scheduler_type"], "linear", "linear").choices) == 12
    assert [value for _, value in forms.field(by_name["bf16"], None, None).choices] == ["automatic", "true", "false"]


@pytest.mark.parametrize("flag, value", [("learning_rate", "7"), ("num_train_epochs", "many"), ("seed", "-1")])
def test_a_mistake_is_laid_at_the_field_that_holds_it(flag, value):
    one = RECIPES[0]
    with pytest.raises(RequestError) as error:
        one.parse([f"--{flag}={value}"])
    assert forms.blamed(str(error.value), [spec.name for spec in all_specs(one)]) == flag


def test_the_models_on_the_list_fit_their_task_and_the_samples_come_first():
    for task, sample in (
        ("text-classification", "sample:minilm"),
        ("image-classification", "sample:efficientnet_lite0"),
    ):
        shown = catalogue.choices(task)
        assert shown[0][1] == sample and len(shown) >= 5
        assert len({name for _, name in shown}) == len(shown)
    assert "English" in dict(map(reversed, catalogue.choices("text-classification")))["sample:minilm"]
