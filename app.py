"""python app.py: what this studio can launch."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from studio.recipe import find


def main() -> None:
    table = Table("recipe", "command", title="Recipes: each says its settings with --help", title_justify="left")
    for recipe in find(Path(__file__).parent / "recipes"):
        table.add_row(recipe.title, f"accelerate launch recipes/{recipe.path.name}")
    Console().print(table)


if __name__ == "__main__":
    main()
