"""Which recipes there are: files that define a RECIPE, found by folder or by name."""

import importlib.util
from pathlib import Path

from studio.errors import RequestError
from studio.recipe import Recipe


def find(folder: Path) -> list[Recipe]:
    """The recipes in a folder, by file name; what is no recipe is passed over."""
    return [recipe for recipe in map(load, sorted(folder.glob("*.py"))) if recipe]


def load(file: Path) -> Recipe | None:
    """The recipe in a file, if it is one."""
    spec = importlib.util.spec_from_file_location(f"recipe_{file.stem}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = getattr(module, "RECIPE", None)
    return found if isinstance(found, Recipe) else None


def by_name(name: str) -> Recipe:
    """A recipe by its file, or by its name in recipes/ here or beside the studio.

    Raises:
        RequestError: there is none; names those there are.
    """
    file = file_of(name, Path.cwd())
    if found := load(file):
        return found
    raise RequestError(f"{file} is no recipe: it defines no RECIPE")


def file_of(name: str, here: Path) -> Path:
    """The file that a recipe's name stands for, as seen from the folder `here`; it is not opened.

    Raises:
        RequestError: there is none.
    """
    places = [here / "recipes", Path(__file__).parent.parent / "recipes"]
    for file in (here / name, *(place / f"{Path(name).stem}.py" for place in places)):
        if file.is_file() and file.suffix == ".py":
            return file.absolute()
    known = [file.stem for place in places for file in sorted(place.glob("*.py"))]
    raise RequestError(f"there is no recipe {name!r}: there are {', '.join(dict.fromkeys(known))}")
