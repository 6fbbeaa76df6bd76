"""Optical flow, and a baseline in which it carries the first frame's label map."""

from typing import TYPE_CHECKING

import cv2
import numpy as np

from samflow.strategies.base import Frame, KeepingArrays

if TYPE_CHECKING:
    from samflow.strategies.build import Parts


class FlowStrategy(KeepingArrays):
    """Carry the first label map along dense optical flow (DIS).

    Notes
    -----
    Carrying the label map itself from frame to frame would round it to whole pixels each time:
    motion below half a pixel would be lost and threads would tear. What is carried is, for each
    pixel, the place on the first frame that its fluid came from, in float32, by the flow from each
    frame to the one before (Kroeger et al., "Fast optical flow using dense inverse search", ECCV
    2016). The first label map is looked up there, at the nearest pixel, once per frame. Fluid that
    enters the frame takes the label where it came in. Errors of the flow add up along the clip.
    """

    name = "flow"

    def __init__(self) -> None:
        self._flow = BackwardFlow()

    def start(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        """Begin with the given label map, which is the first result."""
        self.kept = {
            "first": labels.copy(),
            "grey": to_grey(frame.image),
            "origin": _places(labels.shape),
        }
        return self.kept["first"]

    def step(self, frame: Frame) -> np.ndarray:
        """Label map of the next frame."""
        first, origin = self.kept["first"], self.kept["origin"]
        grey = to_grey(frame.image)
        origin = look_up(origin, self._flow.places(grey, self.kept["grey"]), cv2.INTER_LINEAR)
        self.kept = {"first": first, "grey": grey, "origin": origin}
        return look_up(first, origin, cv2.INTER_NEAREST)


class BackwardFlow:
    """Where the fluid of each pixel was on another frame: dense optical flow (DIS)."""

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def places(self, grey: np.ndarray, before: np.ndarray) -> np.ndarray:
        """(x, y) on the frame before of each pixel's fluid, (H, W, 2) float32.

        Parameters
        ----------
        grey, before : ndarray
            (H, W) uint8, the frame and the one before.
        """
        still = np.zeros((*grey.shape, 2), np.float32)
        return _places(grey.shape) + np.asarray(self._dis.calc(grey, before, still))


def to_grey(image: np.ndarray) -> np.ndarray:
    """Brightness (H, W) uint8 of an RGB image, which flow is measured in."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))


def look_up(array: np.ndarray, places: np.ndarray, way: int) -> np.ndarray:
    """Values of an array (H, W) or (H, W, C) at places (H, W, 2) given as (x, y)."""
    x, y = places[..., 0], places[..., 1]
    return np.asarray(cv2.remap(array, x, y, way, borderMode=cv2.BORDER_REPLICATE))


def _places(size: tuple[int, ...]) -> np.ndarray:
    """(x, y) of each pixel, (H, W, 2) float32."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    return np.dstack([x, y])


def build_flow(name: str, parts: "Parts") -> FlowStrategy:
    """Optical flow, which needs no model."""
    return FlowStrategy()
