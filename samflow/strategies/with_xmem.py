"""The strategy in which XMem tracks the first frame's regions."""

from typing import TYPE_CHECKING, Any

import numpy as np

from samflow.errors import SamflowError
from samflow.strategies.base import Frame, TrackingStrategy, started
from samflow.xmem import Tracker, XMem

if TYPE_CHECKING:
    from samflow.strategies.build import Parts


class XMemStrategy(TrackingStrategy):
    """XMem alone, given the first frame's label map.

    Parameters
    ----------
    network : XMem
    size : int, optional
        Working size: the shorter side of larger frames inside XMem, px; None leaves all as they
        are.

    Notes
    -----
    The result of the latest frame is kept, so that strategies which refine it track it only once.
    """

    name = "xmem"
    keeps = True

    def __init__(self, network: XMem, size: int | None = None) -> None:
        self.network = network
        self.size = size
        self._tracker: Tracker | None = None
        self._given: np.ndarray | None = None
        self._latest: tuple[Frame, np.ndarray] | None = None
        self._certainty: np.ndarray | None = None
        self._known: list[tuple[Frame, np.ndarray]] = []

    def keep(self, frame: Frame, labels: np.ndarray) -> None:
        """Have the frame in permanent memory on the way that starts next."""
        self._known.append((frame, labels))

    def start(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        """Begin a clip anew; the first frame's result is the given label map.

        A second call with the same frame and labels gives the result of the first.
        """
        if not labels.any():
            raise SamflowError(
                "the first frame's label map is empty, so XMem has nothing to track: check the "
                "prompts with samflow segment."
            )
        same = self._given is not None and np.array_equal(self._given, labels)
        if same and self._latest is not None and self._latest[0] is frame:
            return self._latest[1]
        larger = self.size is not None and min(labels.shape) > self.size
        self._tracker = Tracker(self.network, size=self.size if larger else None)
        while self._known:
            known, given = self._known.pop(0)
            self._tracker.keep(known.image, given)
        self._given = labels.copy()
        return self._track(frame, labels)

    def step(self, frame: Frame) -> np.ndarray:
        """Label map of the next frame."""
        if self._latest is None or self._latest[0] is not frame:
            self._given = None
            return self._track(frame)
        return self._latest[1]

    def _track(self, frame: Frame, labels: np.ndarray | None = None) -> np.ndarray:
        tracker = started(self._tracker)
        probabilities = tracker.step(frame.image, labels)  # (1 + N, H, W)
        found = np.array([0, *tracker.ids], np.uint8)[probabilities.argmax(axis=0)]
        self._latest, self._certainty = (frame, found), probabilities.max(axis=0)
        return found

    @property
    def certainty(self) -> np.ndarray:
        """Probability of the label that each pixel of the latest result has."""
        return started(self._certainty)

    @property
    def memory_sizes(self) -> tuple[int, int]:
        """Elements in working and long-term memory."""
        return started(self._tracker).memory_sizes

    def state_dict(self) -> dict[str, Any]:
        """The tracker's state."""
        return {"tracker": None if self._tracker is None else self._tracker.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._given = self._latest = self._tracker = None
        if state["tracker"] is not None:
            self._tracker = Tracker(self.network, size=state["tracker"]["settings"]["size"])
            self._tracker.load_state_dict(state["tracker"])


def build_xmem(name: str, parts: "Parts") -> XMemStrategy:
    """The XMem that all strategies of a run share."""
    return parts.xmem
