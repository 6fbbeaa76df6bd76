"""The strategy in which a tracker carries the first frame's regions."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from samflow.errors import SamflowError
from samflow.masks import labels_to_boxes
from samflow.models import BoxTracker, Tracker
from samflow.strategies.base import Frame, Keeps, TrackingStrategy, started

if TYPE_CHECKING:
    from samflow.strategies.build import Parts


class TrackerStrategy(TrackingStrategy):
    """A tracker alone, given the first frame's label map.

    Parameters
    ----------
    name : str
        In runs.
    begin : callable
        Gives a `samflow.models.Tracker` at the start of its way.
    by_boxes : bool
        Prompt the first frame with boxes, which the tracker must take: those that the user drew on
        it, else those around the label map's regions. The first result is the tracker's own then.

    Notes
    -----
    The result of the latest frame is kept, so that strategies which refine it track it only once.
    """

    keeps: Keeps = "next"

    def __init__(self, name: str, begin: Callable[[], Tracker], by_boxes: bool = False) -> None:
        self.name = name
        self.by_boxes = by_boxes
        self._begin = begin
        self._tracker: Tracker | None = None
        self._given: np.ndarray | None = None
        self._latest: tuple[Frame, np.ndarray] | None = None
        self._certainty: np.ndarray | None = None
        self._known: list[tuple[Frame, np.ndarray]] = []

    def keep(self, frame: Frame, labels: np.ndarray) -> None:
        """Have the frame in the tracker's memory on the way that starts next."""
        self._known.append((frame, labels))

    def start(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        """Begin a clip anew; the first frame's result is the given label map.

        A second call with the same frame and labels gives the result of the first.
        """
        if not labels.any():
            raise SamflowError(
                f"the first frame's label map is empty, so {self.name} has nothing to track: check "
                "the prompts with samflow segment."
            )
        same = self._given is not None and np.array_equal(self._given, labels)
        if same and self._latest is not None and self._latest[0] is frame:
            return self._latest[1]
        self._tracker = self._new_tracker(labels.shape)
        while self._known:
            known, given = self._known.pop(0)
            self._tracker.keep(known.image, given)
        self._given = labels.copy()
        if not self.by_boxes:
            return self._take(frame, self._tracker.step(frame.image, labels))
        assert isinstance(self._tracker, BoxTracker)
        ids = [int(i) for i in np.unique(labels) if i != 0]
        around = {i: box for i, box in labels_to_boxes(labels, ids).items() if box is not None}
        boxes = {**around, **frame.boxes}
        return self._take(frame, self._tracker.step_boxes(frame.image, boxes))

    def step(self, frame: Frame) -> np.ndarray:
        """Label map of the next frame."""
        if self._latest is None or self._latest[0] is not frame:
            self._given = None
            return self._take(frame, started(self._tracker).step(frame.image))
        return self._latest[1]

    def _new_tracker(self, size: tuple[int, ...]) -> Tracker:
        """A tracker for frames of size (H, W)."""
        return self._begin()

    def _take(self, frame: Frame, probabilities: np.ndarray) -> np.ndarray:
        """The label map of a frame's probabilities (1 + N, H, W)."""
        ids = started(self._tracker).ids
        found = np.array([0, *ids], np.uint8)[probabilities.argmax(axis=0)]
        self._latest, self._certainty = (frame, found), probabilities.max(axis=0)
        return found

    @property
    def certainty(self) -> np.ndarray:
        """Probability of the label that each pixel of the latest result has."""
        return started(self._certainty)

    def state_dict(self) -> dict[str, Any]:
        """The tracker's state."""
        return {"tracker": None if self._tracker is None else self._tracker.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._given = self._latest = self._tracker = None
        if state["tracker"] is not None:
            self._tracker = self._new_tracker(state["tracker"]["image_size"])
            self._tracker.load_state_dict(state["tracker"])


def build_tracked(name: str, parts: "Parts") -> TrackerStrategy:
    """The tracker that all strategies of a run share."""
    return parts.tracker(name)
