"""Child runs by recipes of a few lines and real engines: neither torch nor a model."""

from tests.jobs.conftest import recipe, root, studio

__all__ = ["recipe", "root", "studio"]
