"""What a model has to do to take part in strategies."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np


class Tracker(Protocol):
    """One way through a clip: a label map on its first frame, then frame by frame.

    Frames are (H, W, 3) uint8 RGB of one size, in the order of the way, which may lead backwards;
    label maps are (H, W) uint8, 0 background.
    """

    @property
    def ids(self) -> list[int]:
        """Label ids of the channels after background."""

    def step(self, image: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Probabilities (1 + N, H, W) float32 on the next frame, background first, sum 1.

        `labels` are given on the first frame; on that frame they are the likeliest labels.
        """

    def keep(self, image: np.ndarray, labels: np.ndarray) -> None:
        """Take note of a frame farther on the way whose whole label map is known.

        It is called before the first step.
        """

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on: tensors, numbers, strings, lists, dicts."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""


@runtime_checkable
class BoxTracker(Protocol):
    """A tracker whose first frame can be prompted with boxes instead."""

    def step_boxes(self, image: np.ndarray, boxes: Mapping[int, Sequence[float]]) -> np.ndarray:
        """Probabilities (1 + N, H, W) of the regions in boxes by id, XYXY in px of the frame."""


class TrackingModel(Protocol):
    """The weights of a tracker in memory; `name` and `sha256` are recorded in a run."""

    name: str
    sha256: str

    def tracker(self) -> Tracker:
        """A tracker at the start of its way."""
