"""The fine-tuning studio: recipes, safe runs, honest evaluation and serving for text and image classifiers."""

__version__ = "0.1.0"
