"""Imports point downward only, and what need not load torch does not."""

import ast
import sys
from pathlib import Path

import pytest

STUDIO = Path(__file__).parent.parent / "studio"
LAYERS = [  # from the ground up; a module may import from its own layer and from those below it
    {"errors"},
    {"fields", "events", "runs", "samples", "processes", "heartbeat", "store", "advice", "curves"},
    {
        "config",
        "launch",
        "stopping",
        "dry_run",
        "overfit",
        "failures",
        "trainer_arguments",
        "recipe",
        "recipe_files",
        "schedules",
        "jobs",
        "export.hub",
        "model_folder",
    }
    | {f"data.{name}" for name in ("load", "sources", "marks", "splits", "carving", "stratify", "alike")}
    | {
        f"data.{name}"
        for name in ("readable", "decode", "reading", "examples", "task", "preview", "traits", "progress", "lopsided")
    }
    | {"data.curation", "data.curated", "data.quality"},
    {"models", "data", "predictor"},
    {"training", "evaluation"},
    {"methods", "search", "export"},
    {"serving"},
    {"ui"},
    {"cli", "cli_check", "cli_data", "cli_jobs", "cli_evaluate", "cli_report", "cli_explain", "cli_search", "__main__"},
]


def layer(module: str) -> int:
    """The layer of the longest listed name that a module's own begins with."""
    parts = module.split(".")
    for name in (".".join(parts[:length]) for length in range(len(parts), 0, -1)):
        for level, names in enumerate(LAYERS):
            if name in names:
                return level
    raise AssertionError(f"studio.{module} belongs to no layer: add it to the list")


def imports(file: Path) -> set[str]:
    """The studio modules that a file imports, at its top or within."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "studio":
            base = node.module.removeprefix("studio").removeprefix(".")
            for name in node.names:
                deeper = f"{base}.{name.name}".removeprefix(".")
                is_module = (STUDIO / f"{deeper.replace('.', '/')}.py").exists()
                found.add(deeper if is_module else base)
    return found - {""}


@pytest.mark.parametrize("file", sorted(STUDIO.rglob("*.py")), ids=lambda f: str(f.relative_to(STUDIO)))
def test_imports_point_downward(file):
    module = ".".join(file.relative_to(STUDIO).with_suffix("").parts).removesuffix(".__init__")
    if module == "__init__" or file.name == "__init__.py":
        return
    above = [name for name in imports(file) if layer(name) > layer(module)]
    assert not above, f"studio.{module} imports upward: {above}"


@pytest.mark.parametrize(
    "code",
    [
        "import studio, studio.recipe, studio.runs, studio.events, studio.samples, studio.cli",
        "import studio.data.load, studio.export.hub",
        "from pathlib import Path; from studio.recipe_files import find; assert len(find(Path('recipes'))) >= 4",
        "import app",
    ],
)
def test_torch_stays_out(code, program):
    done = program("-c", code + "\nimport sys\nassert 'torch' not in sys.modules and 'gradio' not in sys.modules")
    assert done.returncode == 0, done.stderr


def test_the_page_never_loads_torch(program):
    code = "from pathlib import Path; from studio.ui import serve; serve.build(Path('nowhere')); import sys"
    heavy = "{'torch', 'transformers', 'datasets'} & set(sys.modules)"
    done = program("-c", f"{code}; assert not {heavy}, {heavy}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("recipe", sorted((STUDIO.parent / "recipes").glob("*.py")), ids=lambda f: f.stem)
def test_help_needs_no_torch(recipe, program):
    shown = program("-X", "importtime", recipe, "--help")
    assert shown.returncode == 0 and "--learning_rate" in shown.stdout
    assert "torch" not in {line.split("|")[-1].strip() for line in shown.stderr.splitlines()}


def test_recipes_are_imported_by_nothing():
    for file in STUDIO.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] != "recipes"
    assert "recipes" not in sys.modules
