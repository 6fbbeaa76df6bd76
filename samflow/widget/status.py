"""What the widget's status line says."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from samflow.errors import SamflowError
from samflow.prompts import Prompts

WITH_POINTS = "masks from boxes and points, as in a run with --points"
WITHOUT_POINTS = "masks from boxes alone, as in a run (P uses the points)"


def one_line(error: Exception) -> str:
    """An error as one line of text."""
    if isinstance(error, SamflowError):
        return str(error)
    return f"{type(error).__name__}: {error}".splitlines()[0]


def model_failure(error: Exception) -> str:
    """One line about a model that failed, such as one that ran out of memory."""
    first = (str(error).splitlines() or [""])[0]
    if "out of memory" in str(error).lower() or isinstance(error, MemoryError):
        return "the model ran out of memory: load a smaller SAM, such as vit_b, or use the CPU."
    if isinstance(error, SamflowError):
        return first
    return f"the model failed ({type(error).__name__}: {first:.200})."


class Problems:
    """What is wrong at the moment, at most one text for each kind of work."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    @contextmanager
    def during(self, kind: str, explain: Callable[[Exception], str] = one_line) -> Iterator[None]:
        """Keep an error of the work inside as text, until work of this kind succeeds.

        Raised out of a message handler or a timer, it would be seen by nobody.
        """
        self._texts.pop(kind, None)
        try:
            yield
        except Exception as error:
            self._texts[kind] = explain(error)

    def status(self, hint: str | None, summary: str) -> dict[str, str]:
        """Kind and text: what is wrong, else what to know, else that all is saved."""
        if self._texts:
            sentences = (text[:1].upper() + text[1:] for text in self._texts.values())
            return {"kind": "error", "text": " ".join(sentences)}
        if hint is not None:
            return {"kind": "hint", "text": hint}
        return {"kind": "ready", "text": summary[:1].upper() + summary[1:]}


def first_step(path: Path | None) -> str:
    """What to do while nothing is drawn, and what then."""
    then = "" if path is None else f", then run the cells below: they read {path}"
    return f"Nothing is drawn yet: drag a box around each region{then}."


def has_points(prompts: Prompts) -> bool:
    """Whether there is any point, shared ones included."""
    return bool(prompts.background_points) or any(region.points for region in prompts.regions)


def points_hint(prompts: Prompts) -> str | None:
    """What to know while points are off: a region that has nothing else gets no mask."""
    for region in prompts.regions:
        if region.points and region.box is None:
            return f"{region.name} has points only, and points are off: draw a box, or press P."
    return None
