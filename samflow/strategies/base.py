"""What all strategies share: their names, the frame they look at, the interface."""

from typing import Any, Protocol

import numpy as np

from samflow.sam import Embedding, Sam

STRATEGY_TITLES = {
    "xmem": "XMem",
    "sam": "SAM from frame to frame",
    "refined": "SAM refining XMem (mask + box)",
    "refined-box": "SAM refining XMem (box only)",
}
STRATEGY_NAMES = tuple(STRATEGY_TITLES)
# what people do without a network, to compare with
BASELINE_TITLES = {
    "nearest-colour": "nearest colour",
    "threshold": "colour thresholds",
    "kmeans": "k-means of colours",
    "gmm": "Gaussian mixture of colours",
    "grabcut": "GrabCut from frame to frame",
    "flow": "optical flow",
}
BASELINE_NAMES = tuple(BASELINE_TITLES)
TITLES = STRATEGY_TITLES | BASELINE_TITLES


class Frame:
    """One frame on its way through the strategies: decoded once, encoded by SAM at most once.

    Parameters
    ----------
    image : ndarray
        (H, W, 3) uint8 RGB.
    index : int
        Frame number of the clip.
    """

    def __init__(self, image: np.ndarray, index: int = 0) -> None:
        self.image = image
        self.index = index
        self._encoded: tuple[Sam, Embedding] | None = None

    def embedding(self, sam: Sam) -> Embedding:
        """SAM's encoding of the frame, computed on first use."""
        if self._encoded is None or self._encoded[0] is not sam:
            self._encoded = (sam, sam.embed(self.image))
        return self._encoded[1]


class Strategy(Protocol):
    """What every way through a clip offers; each starts anew with `start`."""

    name: str

    def start(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        """Begin with the first frame and its label map (H, W) uint8; returns its result."""

    def step(self, frame: Frame) -> np.ndarray:
        """Label map (H, W) uint8 of the next frame, background regions included."""

    def state_dict(self) -> dict[str, Any]:
        """Everything the next step depends on, as tensors, numbers, lists and dicts."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
