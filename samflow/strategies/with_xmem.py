"""The strategy in which XMem tracks the first frame's regions."""

from typing import Any

import numpy as np

from samflow.errors import SamflowError
from samflow.strategies.base import Frame
from samflow.xmem import Tracker, XMem


class XMemStrategy:
    """XMem alone, given the first frame's label map.

    Parameters
    ----------
    network : XMem
    size : int, optional
        Working size: the shorter side of the frames inside XMem, px; None leaves them as they are.

    Notes
    -----
    The result of the latest frame is kept, so that strategies which refine it track it only once.
    """

    name = "xmem"

    def __init__(self, network: XMem, size: int | None = None) -> None:
        self.network = network
        self.size = size
        self._tracker = Tracker(network, size=size)
        self._latest: tuple[Frame, np.ndarray] | None = None

    def start(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        """Begin a clip anew; the first frame's result is the given label map."""
        if self._latest is None or self._latest[0] is not frame:
            self._tracker = Tracker(self.network, size=self.size)
            self._latest = (frame, self._track(frame, labels))
        return self._latest[1]

    def step(self, frame: Frame) -> np.ndarray:
        """Label map of the next frame."""
        if self._latest is None or self._latest[0] is not frame:
            self._latest = (frame, self._track(frame))
        return self._latest[1]

    def _track(self, frame: Frame, labels: np.ndarray | None = None) -> np.ndarray:
        if labels is not None and not labels.any():
            raise SamflowError(
                "the first frame's label map is empty, so XMem has nothing to track: check the "
                "prompts with samflow segment."
            )
        probabilities = self._tracker.step(frame.image, labels)  # (1 + N, H, W)
        values = np.array([0, *self._tracker.ids], np.uint8)
        return values[probabilities.argmax(axis=0)]

    @property
    def memory_sizes(self) -> tuple[int, int]:
        """Elements in working and long-term memory."""
        return self._tracker.memory_sizes

    def state_dict(self) -> dict[str, Any]:
        """The tracker's state."""
        return {"tracker": self._tracker.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._tracker.load_state_dict(state["tracker"])
        self._latest = None
