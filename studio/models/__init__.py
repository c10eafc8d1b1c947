"""Networks. Importing this makes the Auto classes of transformers know the studio's own architectures."""

from studio.models import baselines as _baselines  # noqa: F401  it registers them
