"""A recipe reads flags and YAML, refuses what cannot work before anything is loaded, and says what to do."""

from pathlib import Path

import pytest
import yaml

from studio import launch
from studio.config import ImageData, ModelChoice, TextData, Training
from studio.errors import RequestError
from studio.fields import specs
from studio.recipe import Recipe
from studio.recipe_files import find
from studio.runs import Run

ROOT = Path(__file__).parent.parent
RECIPES = {recipe.path.stem: recipe for recipe in find(ROOT / "recipes")}


def finetune(data: TextData, model: ModelChoice, training: Training, run: Run) -> dict[str, float]:
    return {}


TOY = Recipe(finetune, title="Toy", task="text-classification", sample_data={"dataset_name": "sample:tweets"})


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_setting_names_are_unique_within_a_recipe(recipe):
    names = [spec.name for group in recipe.groups().values() for spec in specs(group)]
    assert len(names) == len(set(names))


def test_flags_win_over_the_file(tmp_path):
    (tmp_path / "s.yaml").write_text("learning_rate: 2e-5\nseed: 7\n")
    training = TOY.parse(["--seed", "8", "--config", str(tmp_path / "s.yaml")])["training"]
    assert (training.learning_rate, training.seed) == (2e-5, 8)


def test_own_rows_take_the_place_of_the_sample():
    assert TOY.parse([])["data"].dataset_name == "sample:tweets"
    assert TOY.parse(["--train_file", "a.csv"])["data"].dataset_name is None
    with pytest.raises(RequestError, match="--dataset_name and --train_file both say"):
        TOY.parse(["--train_file", "a.csv", "--dataset_name", "b.csv"])


def test_own_pictures_get_a_pretrained_model_and_its_own_size():
    resnet = RECIPES["resnet_image_classification"]
    own = resnet.parse(["--dataset_name", "photos"])
    assert own["model"].model_name_or_path == "sample:efficientnet_lite0" and own["data"].image_size is None
    assert resnet.parse([])["model"].model_name_or_path.startswith("timm:")
    assert resnet.parse([]) == resnet.parse(["--dataset_name", "sample:mnist"])
    vit = RECIPES["vit_image_classification"].parse(["--model_name_or_path", "google/vit-base-patch16-224"])
    assert vit["data"].dataset_name == "sample:mnist" and vit["model"].model_kwargs is None


@pytest.mark.parametrize("model", [[], ["--model_name_or_path", "sample:efficientnet_lite0"]])
def test_the_sample_digits_are_never_mirrored(model):
    for name in ("resnet_image_classification", "vit_image_classification"):
        digits = RECIPES[name].parse(model)["augmentation"]
        photos = RECIPES[name].parse([*model, "--dataset_name", "photos"])["augmentation"]
        assert (digits.augmentation, digits.mirror, photos.augmentation, photos.mirror) == (
            "light",
            False,
            "medium",
            True,
        )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--mixup_alpha=0.2", "--rdrop_alpha=1"], "--mixup_alpha and --rdrop_alpha cannot go together"),
        (["--cutmix_alpha=1", "--rdrop_alpha=1"], "--cutmix_alpha and --rdrop_alpha cannot go together"),
        (["--randaugment_magnitude=5"], "changes nothing without --augmentation_policy randaugment"),
        (["--augmentation=crop"], "--augmentation: invalid choice"),
        (["--tta_views=0"], "--tta_views must be at least 1"),
    ],
)
def test_augmentations_that_exclude_each_other_are_refused_before_anything_is_loaded(flags, message):
    with pytest.raises(RequestError, match=message):
        RECIPES["resnet_image_classification"].parse(["--dataset_name", "photos", *flags])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--learning_rat", "1"], "unknown setting --learning_rat .did you mean --learning_rate"),
        (["--evaluation_strategy", "no"], "did you mean --eval_strategy"),
        (["--hub_token", "hf_x"], "--hub_token cannot be set: .*HF_TOKEN"),
        (["--num_train_epochs", "0"], "--num_train_epochs must be at least 0.01, got 0"),
        (["--validation_fraction", "0.5", "--test_fraction", "0.5"], "leave less than a tenth"),
        (["--eval_strategy", "steps"], "--eval_strategy steps needs --eval_steps"),
        (["--push_to_hub"], "--push_to_hub needs --hub_model_id"),
        (["--resume_from_checkpoint"], "--resume_from_checkpoint needs --output_dir"),
        (["--dry_run", "--overfit_batch"], "two trials: make one after the other"),
        (["--overfit_batch", "--resume_from_checkpoint", "--output_dir", "a"], "--overfit_batch keeps nothing"),
        (["--metric_for_best_model", "f2"], "--metric_for_best_model: invalid choice"),
        (["--model_kwargs", "{depth: 2}"], "--model_kwargs shapes a fresh timm: architecture"),
        (["--adam_beta1", "0.9", "stray"], "'stray' follows no setting"),
        (["--optim", "magic"], "--optim.*magic"),
        (["--load_best_model_at_end", "no"], "--load_best_model_at_end cannot be set"),
        (["--config"], "--config needs the name"),
        (["--report_to", "tensorbord"], "no such tracker .did you mean tensorboard"),
        (["--report_to", "tensorboard,mlflow"], "--report_to mlflow needs that package: pip install mlflow"),
        (["--save_only_model"], "--save_only_model cannot be set: a run could not go on"),
        (["--hub_strategy", "end"], "--hub_strategy cannot be set"),
        (["--hub_model_id", "me/mine"], "publishes nothing by itself: add --push_to_hub"),
        (["--max_steps", "0"], "--max_steps 0 would train nothing"),
        (["--early_stopping_threshold", "0.1"], "needs --early_stopping_patience"),
    ],
)
def test_a_bad_request_names_flag_and_remedy(flags, message):
    with pytest.raises(RequestError, match=message):
        TOY.parse(flags)


def test_arguments_of_the_trainer_are_passed_on_as_given():
    training = TOY.parse(["--report_to", "tensorboard", "--adam_beta2", "0.98", "--tf32", "false"])["training"]
    assert training.more == {"report_to": ["tensorboard"], "adam_beta2": 0.98, "tf32": False}
    assert TOY.parse(["--report_to", "tensorboard,none"])["training"].more == {"report_to": ["tensorboard", "none"]}


@pytest.mark.parametrize("preset", sorted((ROOT / "recipes/presets").glob("*.yaml")), ids=lambda f: f.stem)
def test_each_preset_opens_with_its_command_and_is_accepted_by_its_recipe(preset):
    command = preset.read_text().splitlines()[0].removeprefix("# ").split()
    assert command[0] == "python" and command[-2:] == ["--config", f"recipes/presets/{preset.name}"]
    settings = RECIPES[Path(command[1]).stem].parse(["--config", str(preset)])
    given = yaml.safe_load(preset.read_text())
    assert given and given["dataset_name"] == settings["data"].dataset_name


def test_a_launch_that_would_run_one_process_instead_of_two_is_refused(monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with pytest.raises(RequestError, match="started only one.*--multi_gpu --num_processes 2"):
        launch.check_launcher()
    monkeypatch.setenv("WORLD_SIZE", "2")
    launch.check_launcher()


def test_threads_are_shared_among_the_ranks_of_a_machine(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    for asked, expected in (("1", "4"), ("3", "3")):
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
        launch.set_threads()
        assert launch.os.environ["OMP_NUM_THREADS"] == expected


def test_an_unreachable_hub_is_noticed_at_once_and_only_when_needed(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # the discard port: nothing listens there
    launch.settle_hub(["sample:tweets", "timm:resnet18", None, str(ROOT)])
    assert "HF_HUB_OFFLINE" not in launch.os.environ
    launch.settle_hub(["stanfordnlp/sst2"])
    assert launch.os.environ.pop("HF_HUB_OFFLINE") == "1"


def test_a_resumed_run_takes_the_flags_it_was_started_with_and_no_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("text,label\n")
    flags = ["--dataset_name", "rows.csv", "--adam_beta2", "0.98", "--output_dir", "run"]
    run, _, _ = TOY._start(flags)
    run._lock.close()
    again, settings, created = TOY._start([*flags, "--resume_from_checkpoint"])
    assert again.resumed and not created and settings["training"].more == {"adam_beta2": 0.98}
    again._lock.close()
    with pytest.raises(RequestError, match="--adam_beta2 0.9 differs from the run's own 0.98"):
        TOY._start(["--adam_beta2", "0.9", "--output_dir", "run", "--resume_from_checkpoint"])


def test_a_process_alone_sees_one_gpu_of_those_that_are_allowed(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    for allowed, expected in ((None, "0"), ("2,3", "2"), ("", "")):
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if allowed is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
        launch.use_one_gpu()
        assert launch.os.environ["CUDA_VISIBLE_DEVICES"] == expected


def test_a_python_without_certificates_does_not_count_as_no_network(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)

    def refuse(*args, **kwargs):
        raise launch.urllib.error.URLError(launch.ssl.SSLCertVerificationError("unable to get local issuer"))

    monkeypatch.setattr(launch.urllib.request, "urlopen", refuse)
    launch.settle_hub(["stanfordnlp/sst2"])
    assert "HF_HUB_OFFLINE" not in launch.os.environ


def test_picture_recipes_take_pictures():
    assert RECIPES["vit_image_classification"].groups()["data"] is ImageData
