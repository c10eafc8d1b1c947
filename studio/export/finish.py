"""The end of a run, the same for every recipe: score, save, describe, show."""

import sys

from rich.console import Console

from studio.data.splits import Splits
from studio.evaluation import pages, report, sentences, show, views
from studio.export import card
from studio.runs import Run
from studio.training.trainer import StudioTrainer

_EXPLAINING_S = 4.0  # errors, at most; `python -m studio evaluate` takes more time for it


def finish(trainer: StudioTrainer, tokens: dict, splits: Splits, run: Run) -> dict[str, float]:
    """Scores the best checkpoint on the rows held out, and returns the test metrics.

    Writes report/ and, with its card, model/. `tokens` holds the datasets train, validation and test as the
    trainer takes them; every rank calls this.

    Raises:
        RunError: the model answers with numbers that are not finite.
    """
    if run.writes:
        print("scoring the rows held out", flush=True)
    found = report.evaluate(trainer, tokens)
    if run.writes:
        found.describe(splits.validation, splits.test)
    settings = run.settings()
    if (count := settings.get("tta_views", 1)) > 1:
        found.metrics["several_views"] = views.scores(
            trainer, tokens["test"], count, mirror=settings["mirror"], threshold=found.metrics.get("threshold")
        )
    # saved in config.json, for our Predictor
    trainer.model.config.text_pairs = bool(settings.get("text_pair_column_name"))
    if "threshold" in found.metrics:
        trainer.model.config.threshold = found.metrics["threshold"]
    with run.writing_model() as folder:
        trainer.save_model(str(folder))
        if run.writes:
            found.save(run.report)
            card.write(folder, metrics=found.metrics, settings=settings, origin=splits.origin)
    if run.writes and not run.rehearsal:
        _draw(found, splits, run)
        show.show(found.metrics, Console(file=sys.stdout))
        if "several_views" in found.metrics:
            print(f"\n{sentences.of_views(found.metrics)}")
        example = "photo.jpg" if found.metrics["task"] == "image-classification" else '"some text"'
        example += ' --text_pair "its pair"' if settings.get("text_pair_column_name") else ""
        page = run.report / "report.html"
        print(f"\nmodel   {run.model}\nreport  {page}\nask it  python -m studio predict {run.folder} {example}")
    return found.scores


def _draw(found: report.Report, splits: Splits, run: Run) -> None:
    """Writes the plots and the page of the report; what goes wrong with them is told, and takes nothing else away."""
    try:
        pages.write(
            run.report,
            found.metrics,
            title=pages.title(run),
            rows=splits.test,
            training=run.events,
            model=run.model,
            patience_s=_EXPLAINING_S,
        )
    except Exception as error:  # a plot is not worth a run: whatever it is, the model and the figures are there
        told = f"the report's plots could not be drawn ({type(error).__name__}: {error})"
        print(f"{told}; `python -m studio evaluate {run.folder}` tries again")
        run.log("alert", {"message": told})
