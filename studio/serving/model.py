"""The model that a server answers from: loaded in the background, asked by one batch at a time."""

import asyncio
import gc
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import RequestError, RunError

if TYPE_CHECKING:
    from studio.evaluation.explanation import Explanation
    from studio.predictor import Prediction, Predictor

_GREY = 32  # pixels each way of the picture that warms a model up


class Model:
    """A run folder or model folder on its way into memory, and then in it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.predictor: Predictor | None = None
        self._last_asked = 0.0
        self._worker = ThreadPoolExecutor(1)  # a network answers one batch faster than two that share its cores

    def load(self, then: Callable[[Future], None]) -> None:
        """Loads in the background; `then` is handed what came of it."""
        self._worker.submit(self._load).add_done_callback(then)

    def about(self) -> dict[str, Any]:
        """What one has to know to ask the model and to read its answers; it has to be loaded."""
        return {
            "task": self.predictor.task,
            "labels": self.predictor.labels,
            "threshold": self.predictor.threshold,
            "text_pairs": bool(self.predictor.text_pairs),
        }

    def idle_s(self) -> float:
        """Seconds for which it could have been asked and was not."""
        return 0.0 if self.predictor is None else max(0.0, time.monotonic() - self._last_asked)

    async def ask(self, items: Sequence[Any], top_k: int | None) -> "list[Prediction | RequestError | RunError]":
        """An answer for each item, or why there is none."""
        return await self._in_turn(self._answers, items, top_k)

    async def explain(self, item: Any, label: str | None) -> "Explanation":
        """Why it answers so to one item.

        Raises:
            RequestError, RunError: as of studio.evaluation.explain.
        """
        return await self._in_turn(self._explanation, item, label)

    async def _in_turn(self, work: Callable[..., Any], *arguments: Any) -> Any:
        self._last_asked = math.inf
        try:
            return await asyncio.get_running_loop().run_in_executor(self._worker, work, *arguments)
        finally:
            self._last_asked = time.monotonic()

    def _load(self) -> None:
        gc.disable()  # looking for garbage where none arises takes a seventh of the time of all the imports
        try:
            predictor = self._warm_predictor()
            self._last_asked = time.monotonic()
            self.predictor = predictor
        finally:
            gc.enable()

    def _warm_predictor(self) -> "Predictor":
        from PIL import Image

        from studio.predictor import Predictor

        predictor = Predictor(self.folder)
        is_image = predictor.task == "image-classification"
        item = Image.new("RGB", (_GREY, _GREY), "grey") if is_image else ("a", "b") if predictor.text_pairs else "a"
        predictor.predict([item])  # the first answer takes several times as long as the others
        return predictor

    def _explanation(self, item: Any, label: str | None) -> "Explanation":
        from studio.evaluation.explain import explain

        return explain(self.predictor, item, label)

    def _answers(self, items: Sequence[Any], top_k: int | None) -> "list[Prediction | RequestError | RunError]":
        try:
            return self.predictor.predict(items, top_k=top_k)
        except (RequestError, RunError) as fault:
            if len(items) == 1:
                return [fault]
        return [self._answers([item], top_k)[0] for item in items]  # one that is bad must not spoil the others
