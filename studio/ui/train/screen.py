"""The Train screen: data set, recipe, model and settings; then the review with its commands, and the start."""

import functools
import math
import shlex
from pathlib import Path
from typing import Any

import gradio as gr

from studio import launch, recipe, recipe_files
from studio.config import Augmentation, Data
from studio.dry_run import described
from studio.errors import RequestError, RunError
from studio.fields import Settings, Spec, specs, to_flags
from studio.jobs.devices import devices
from studio.recipe import Recipe
from studio.runs import Run
from studio.ui import children, datasets
from studio.ui.lines import CSS, HOVER
from studio.ui.shared import Draft, Shared
from studio.ui.train import catalogue, forms, varied
from studio.ui.train.course import course
from studio.ui.words import plain, refused, said

RECIPES = Path(__file__).parents[3] / "recipes"
_OF_THE_FORM = {"max_seq_length", "image_size"}  # of the settings of data, what concerns training
_OF_THE_FORM |= {"max_train_samples", "max_eval_samples", "max_predict_samples"}


def screen(shared: Shared) -> None:
    """Builds the screen inside its tab."""
    with gr.Row():
        dataset = gr.Dropdown(label="Data set", info="what the Data screen has saved, and the samples", scale=2)
        chosen = gr.Dropdown(label="Recipe", info="how to fine-tune", scale=2)

    def listed(name: str | None):
        found = datasets.listed(shared.root)
        known = [(f"{one.name} ({one.task.replace('-', ' ')})", one.id) for one in found]
        name = name if any(name == one.id for one in found) else found[0].id
        return gr.Dropdown(choices=known, value=name)

    gr.on([shared.page.load, shared.dataset.change], listed, shared.dataset, dataset)
    wanted = gr.State(None)
    # The form is asked for when the recipes are listed anew: the former choice is none of the new list, and refused.
    want = {"inputs": [dataset, chosen, shared.draft], "outputs": wanted, "show_progress": "hidden"}
    want |= {"fn": lambda *of: of}
    recipes = functools.partial(_recipes_for, shared)
    dataset.change(recipes, [dataset, chosen], chosen, show_progress="hidden").then(**want)
    shared.draft.change(functools.partial(_from_run, shared), shared.draft, [dataset, chosen]).then(**want)
    chosen.change(**want)

    @gr.render(
        inputs=wanted, triggers=[wanted.change], concurrency_limit=1, show_progress="hidden"
    )  # two at once would mix up their fields
    def form(of: tuple[str | None, str | None, Draft | None]) -> None:
        data_id, stem, draft = of
        data = datasets.read(shared.root, data_id) if data_id else None
        one = next((found for found in recipe_files.find(RECIPES) if found.path.stem == stem), None)
        if data and one and data.task == one.task:  # otherwise the recipe is just being chosen anew
            if draft:
                gr.Markdown(f"The form starts from the settings of **{plain(draft.run)}**.")
            rows = data.preview.get("sizes", {}).get("train")
            _Form(shared, one, data.settings, rows, _settings_of(shared, draft, one)).build(dataset, data_id)


class _Form:
    """The settings of one recipe, their review, and the start; `rows` are those to train on, where they are known."""

    def __init__(self, shared: Shared, one: Recipe, data: dict[str, Any], rows: int | None, draft: dict[str, Any]):
        self.shared, self.recipe, self.data, self.rows = shared, one, data, rows
        groups = [group for name, group in one.groups().items() if name != "output"]
        self.groups = [(group, [spec for spec in specs(group) if _concerns(group, spec)]) for group in groups]
        self.specs = [spec for _, members in self.groups for spec in members]
        self.defaults = self._defaults({})
        self.start = self.defaults | {name: value for name, value in draft.items() if name in self.defaults}
        self.looked: tuple[gr.Button, gr.HTML] | None = None  # asks for varied rows; shows them

    def build(self, dataset: gr.Dropdown, data_id: str) -> None:
        """Lays out the widgets and what they do; nothing starts when `dataset` has come to name another one."""
        fields = self._fields()
        with gr.Accordion("More arguments of the Trainer", open=False):
            more = gr.Textbox(
                label="further flags",
                info="any other field of transformers' TrainingArguments, such as --adam_beta2 0.98",
                max_lines=1,
            )
        with gr.Row(equal_height=True):
            name = gr.Textbox(
                label="Name of the run",
                info="left empty, it is named by recipe and time; spaces become hyphens",
                max_lines=1,
            )
            processes = gr.Number(
                1, label="Processes", info="devices that share the job", precision=0, minimum=1,
                maximum=len(devices()), visible=len(devices()) > 1,
            )  # fmt: skip
        told, ready, drawn, typed, kept, *_ = self._check(None, "", 1, "", *(field.value for field in fields))
        verdict = gr.Markdown(told, elem_id="verdict")
        with gr.Row():
            start = gr.Button("Start", variant="primary", elem_id="start", interactive=ready["interactive"])
            estimate = gr.Button("Try a few steps first", elem_id="estimate")
            fit = gr.Button("Try to learn one batch", elem_id="fit")
        estimated = gr.Markdown(visible=False, elem_id="estimated")
        with gr.Accordion("Review: the learning rate, the command and all settings", open=False):
            drawn = gr.HTML(drawn, elem_id="course", css_template=CSS, js_on_load=HOVER)
            command = gr.Code(typed, language="shell", label="The same from a terminal", interactive=False)
            settings = gr.Code(kept, language="yaml", label="Settings as they will be kept", interactive=False)
        wrong = gr.State(None)
        inputs = [name, processes, more, *fields]
        checked = [verdict, start, drawn, command, settings, wrong, *fields]
        gr.on(
            [one.change for one in (name, processes, more, *fields)],
            self._check, [wrong, *inputs], checked, show_progress="hidden", trigger_mode="always_last",
        )  # fmt: skip
        start.click(
            functools.partial(self._start, data_id),
            [dataset, *inputs],
            [self.shared.run, self.shared.tabs, self.shared.draft, name],
        )
        if self.looked:
            look, seen = self.looked
            look.click(self._look, fields, seen, show_progress="hidden", trigger_mode="once")
        estimate.click(self._estimate, inputs, estimated)
        fit.click(self._fit, inputs, estimated)

    def _defaults(self, more: dict[str, str]) -> dict[str, Any]:
        """What the recipe takes for settings that nobody names, given the data and `more`."""
        parser = self.recipe.parser({name: str(value) for name, value in self.data.items() if value} | more)
        return {spec.name: parser.get_default(spec.name) for spec in self.specs}

    def _fields(self) -> list:
        fields = []
        for group, members in self.groups:
            title = "Data and length" if issubclass(group, Data) else group.title
            for advanced in (False, True):
                some = [spec for spec in members if spec.advanced == advanced]
                if not some:
                    continue
                with gr.Accordion(f"{title}: more settings" if advanced else title, open=not advanced):
                    for at in range(0, len(some), 3):
                        with gr.Row():
                            fields += [self._field(spec) for spec in some[at : at + 3]]
                    if issubclass(group, Augmentation) and not advanced:
                        rows = "pictures" if self.recipe.task == "image-classification" else "texts"
                        self.looked = (
                            gr.Button(f"Show augmented {rows}", elem_id="look"),
                            gr.HTML(elem_id="varied", css_template=varied.CSS, js_on_load=None),
                        )
        by_name = {field.elem_id.removeprefix("field-"): field for field in fields}
        return [by_name[spec.name] for spec in self.specs]

    def _field(self, spec: Spec):
        if spec.name == "model_name_or_path":
            known = catalogue.choices(self.recipe.task)
            own = str(self.start[spec.name])
            return gr.Dropdown(
                choices=known if own in dict(map(reversed, known)) else [(own, own), *known],
                value=own, allow_custom_value=True, label=forms.label(spec.name), elem_id=f"field-{spec.name}",
                info="from the list, or any id on the Hugging Face Hub, or a model folder", interactive=True,
            )  # fmt: skip
        return forms.field(spec, self.start[spec.name], self.defaults[spec.name])

    def _flags(self, values: tuple) -> list[str]:
        said = dict(zip((spec.name for spec in self.specs), values, strict=True))
        model = said["model_name_or_path"]
        other = {} if model == self.defaults["model_name_or_path"] else {"model_name_or_path": model}
        return [*to_flags(self.data), *forms.flags(self.specs, self._defaults(other), values)]

    def _check(self, wrong: str | None, name: str, processes: int, more: str, *values: Any) -> list:
        """What the review shows, and the mark at a field that is wrong."""
        fault, drawn, settings, blame = None, "", "", None
        flags = self._flags(values)
        try:
            further = _words(more)
            parsed = self.recipe.parse([*flags, *_named(self.shared.root, name)])
            settings = recipe.frozen(parsed)
            drawn = course(parsed["training"], self._rows(parsed["data"], int(processes or 1)))
        except RequestError as error:
            fault = str(error)
            blame = forms.blamed(fault, self.defaults)
            further = []
        command = [*launch.command(int(processes or 1)), f"recipes/{self.recipe.path.name}", *flags, *further]
        launched = ["accelerate", "launch", *command[1:]] if command[0] == "python" else command
        marks = [
            gr.update(info=fault, elem_classes="wrong") if spec.name == blame
            else gr.update(info=spec.help, elem_classes="") if spec.name == wrong else gr.skip()
            for spec in self.specs
        ]  # fmt: skip
        return [
            f"**Not yet:** {plain(fault)}" if fault else "The settings are complete.",
            gr.update(interactive=not fault),
            drawn,
            f"{shlex.join(command)}\n\n# the same on several devices\n{shlex.join(launched)}",
            settings,
            blame,
            *marks,
        ]

    def _rows(self, data: Data, processes: int) -> int | None:
        """The rows that each process trains on in an epoch, where they are known."""
        return self.rows and math.ceil(min(self.rows, data.max_train_samples or self.rows) / processes)

    def _start(self, of: str, chosen: str, name: str, processes: int, more: str, *values: Any) -> tuple:
        if chosen != of:
            raise gr.Error("The form is still that of another data set: wait until it changes", title="Not started")
        try:
            started = children.ask(
                self.shared.root, "run", str(self.recipe.path), "--num_processes", str(int(processes or 1)),
                *self._flags(values), *_words(more), *_named(self.shared.root, name),
            )  # fmt: skip
        except (RequestError, RunError) as error:
            raise gr.Error(plain(str(error)), title="It was not started") from error
        return Path(started["run"]).name, gr.Tabs(selected="runs"), None, ""

    def _look(self, *values: Any):
        yield said("Varying some training rows ...")
        group = next(members for group, members in self.groups if issubclass(group, Augmentation))
        some = [value for spec, value in zip(self.specs, values, strict=True) if spec in group]
        flags = [*to_flags(self.data), *forms.flags(group, {}, some)]
        try:
            told = children.ask(self.shared.root, "preview", *flags, "--task", self.recipe.task, "--augmented")
        except (RequestError, RunError) as error:
            yield refused(str(error))
        else:
            yield varied.grid(told)

    def _estimate(self, *inputs: Any):
        yield gr.update(value="Trying a few steps, an evaluation and a checkpoint ...", visible=True)
        yield self._tried("dry_run", inputs)

    def _fit(self, *inputs: Any):
        yield gr.update(value="Trying whether the network can learn a single batch by heart ...", visible=True)
        yield self._tried("overfit_batch", inputs)

    def _tried(self, trial: str, inputs: tuple) -> dict[str, Any]:
        """What came of a trial, in Markdown."""
        _, _, more, *values = inputs
        try:
            told = children.rehearse(self.recipe.path, [*self._flags(tuple(values)), *_words(more)], trial)
        except (RequestError, RunError) as error:
            return gr.update(value=f"**It would not go well:** {plain(str(error))}")
        notices = "".join(f"\n- {plain(notice)}" for notice in told["notices"])
        if trial == "overfit_batch":
            return gr.update(value=f"{plain(told['verdict'])}\n{notices}")
        lines = "".join(f"| {name} | {value} |\n" for name, value in described(told))
        return gr.update(value=f"| A few steps went well | |\n|---|---|\n{lines}{notices}")


def _concerns(group: type[Settings], spec: Spec) -> bool:
    """Whether a setting is for this form; where the rows come from is for the Data screen."""
    return not issubclass(group, Data) or spec.name in _OF_THE_FORM


def _recipes_for(shared: Shared, data_id: str | None, stem: str | None):
    """The recipes that fit a data set."""
    task = datasets.read(shared.root, data_id).task if data_id else None
    fitting = [(one.title, one.path.stem) for one in recipe_files.find(RECIPES) if one.task == task]
    stems = [name for _, name in fitting]
    return gr.Dropdown(choices=fitting, value=stem if stem in stems else next(iter(stems), None))


def _settings_of(shared: Shared, draft: Draft | None, one: Recipe) -> dict[str, Any]:
    """The settings that a former run of the same recipe had."""
    folder = shared.root / draft.run if draft else None
    if not folder or Run(folder).record()["recipe"] != one.path.stem:
        return {}
    return Run(folder).settings()


def _from_run(shared: Shared, draft: Draft | None) -> list:
    """Data set and recipe of the run whose settings the form is to start from."""
    if not draft:
        return [gr.skip(), gr.skip()]
    run = Run(shared.root / draft.run)
    data = datasets.read(shared.root, draft.dataset) if draft.dataset else datasets.of_run(shared.root, run)
    known = [(f"{found.name} ({found.task.replace('-', ' ')})", found.id) for found in datasets.listed(shared.root)]
    return [gr.Dropdown(choices=known, value=data.id), _recipes_for(shared, data.id, run.record()["recipe"])]


def _named(root: Path, name: str) -> list[str]:
    """The flag for the folder of a run of that name.

    Raises:
        RequestError: the name would lead elsewhere.
    """
    name = "-".join((name or "").split())
    if not name:
        return []
    if not all(letter.isalnum() or letter in "-_." for letter in name) or name[0] in "-.":
        raise RequestError(
            "a run's name is made of letters, digits, '-', '_' and '.', and begins with a letter or digit"
        )
    if (root / name).exists():
        raise RequestError(f"there is a run {name} already: choose another name")
    return ["--output_dir", str(root / name)]


def _words(more: str) -> list[str]:
    try:
        return shlex.split(more or "")
    except ValueError as error:
        raise RequestError(f"the further flags cannot be read ({error}): write them as --name value") from error
