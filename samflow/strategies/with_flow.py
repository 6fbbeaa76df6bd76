"""A baseline: optical flow carries the first frame's label map."""

from typing import Any

import cv2
import numpy as np
import torch

from samflow.errors import SamflowError
from samflow.strategies.base import Frame


class FlowStrategy:
    """Carry the first label map along dense optical flow (DIS).

    Notes
    -----
    Carrying the label map itself from frame to frame would round it to whole pixels each time:
    motion below half a pixel would be lost and threads would tear. What is carried is, for each
    pixel, the place on the first frame that its fluid came from, in float32, by the flow from each
    frame to the one before (Kroeger et al., "Fast optical flow using dense inverse search", ECCV
    2016). The first label map is looked up there, at the nearest pixel, once a frame. Fluid that
    enters the picture takes the label where it came in. Errors of the flow add up along the clip.
    """

    name = "flow"

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._first: np.ndarray | None = None
        self._grey: np.ndarray = np.zeros((0, 0), np.uint8)
        self._origin: np.ndarray = np.zeros((0, 0, 2), np.float32)

    def start(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        """Begin with the given label map, which is the first result."""
        self._first = labels.copy()
        self._grey = _grey(frame.image)
        self._origin = _places(labels.shape)
        return self._first

    def step(self, frame: Frame) -> np.ndarray:
        """Label map of the next frame."""
        if self._first is None:
            raise SamflowError("this strategy has no first frame yet: call start first.")
        grey = _grey(frame.image)
        still = np.zeros((*grey.shape, 2), np.float32)
        back = np.asarray(self._dis.calc(grey, self._grey, still))  # (H, W, 2) px, to frame before
        self._origin = _look_up(self._origin, _places(grey.shape) + back, cv2.INTER_LINEAR)
        self._grey = grey
        return _look_up(self._first, self._origin, cv2.INTER_NEAREST)

    def state_dict(self) -> dict[str, Any]:
        """The first label map, the latest frame in grey, and where its fluid came from."""
        arrays = {"first": self._first, "grey": self._grey, "origin": self._origin}
        return {
            key: None if value is None else torch.from_numpy(value.copy())
            for key, value in arrays.items()
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        first = state["first"]
        self._first = None if first is None else first.numpy().copy()
        self._grey, self._origin = state["grey"].numpy().copy(), state["origin"].numpy().copy()


def _grey(image: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))


def _look_up(array: np.ndarray, places: np.ndarray, way: int) -> np.ndarray:
    """Values of an array (H, W) or (H, W, C) at places (H, W, 2) given as (x, y)."""
    x, y = places[..., 0], places[..., 1]
    return np.asarray(cv2.remap(array, x, y, way, borderMode=cv2.BORDER_REPLICATE))


def _places(size: tuple[int, ...]) -> np.ndarray:
    """(x, y) of each pixel, (H, W, 2) float32."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    return np.dstack([x, y])
