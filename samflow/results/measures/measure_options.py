"""Choices that the measured numbers depend on."""

import math
from dataclasses import dataclass

from samflow.errors import SamflowError
from samflow.results.measures.blobs import Direction
from samflow.results.measures.interface import FINEST_SCALE_PX


@dataclass(frozen=True)
class MeasureOptions:
    """Choices that the measured numbers depend on; they go with the tables as `attrs`.

    Attributes
    ----------
    scale_px : float
        The scale that interfaces are measured at, see `interface_contours`. The default is the
        finest one that a mask of pixels has; `find_trusted_scale` tells which one can be trusted.
    fit_range_px : tuple of float, optional
        Box sizes for the dimension; by default from the scale, at least 4 px, to an eighth of the
        frame's shorter side, at least to four times the scale.
    front : {"right", "left", "up", "down"}
        Where the front moves to.
    front_cover_px : int
        Pixels of dye that a column needs to belong to it.
    min_blob_px : int
        Smaller holes and islands are not counted.
    rate_window : int
        Frames that a rate of change is fitted to, at least 3.
    inflow : float
        Q0, dyed fluid flowing in per unit width, in the table's unit (mm2/s, or px2/s).
    """

    scale_px: float = FINEST_SCALE_PX
    fit_range_px: tuple[float, float] | None = None
    front: Direction = "right"
    front_cover_px: int = 3
    min_blob_px: int = 4
    rate_window: int = 9
    inflow: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale_px) and self.scale_px > 0):
            raise SamflowError(
                f"the scale of interfaces is {self.scale_px} px, expected a number above 0: it is "
                "the width of the thinnest thread that still counts."
            )
        if self.rate_window < 3:
            raise SamflowError(
                f"the window for rates is {self.rate_window} frames, expected at least 3: "
                "a slope needs neighbours on both sides."
            )
        if self.front not in ("right", "left", "up", "down"):
            raise SamflowError(
                f"the front's direction is '{self.front}', expected right, left, up or down."
            )

    def fit_range(self, size: tuple[int, ...]) -> tuple[float, float]:
        """Give the box sizes in pixels that the dimension is fitted to, for a frame (H, W)."""
        low = max(4.0, self.scale_px)
        return self.fit_range_px or (low, min(max(min(size) / 8, 4 * low), min(size) / 2))
