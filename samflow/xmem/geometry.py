"""From a frame to the network's grid and back: working size, padding, cropping."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from samflow.xmem.network import STRIDE


@dataclass(frozen=True)
class Geometry:
    """How frames of one size lie on the network's grid.

    Parameters
    ----------
    frame : (int, int)
        (H, W) of the frames, px.
    short_side : int or None
        Length that the shorter side is brought to; None keeps the frame's size.

    Examples
    --------
    >>> geometry = Geometry((270, 480), 240)
    >>> geometry.working, geometry.padding  # left, right, top, bottom
    ((240, 426), (3, 3, 0, 0))
    """

    frame: tuple[int, int]
    short_side: int | None = None

    @property
    def working(self) -> tuple[int, int]:
        """(H, W) that the network sees, before padding."""
        height, width = self.frame
        if self.short_side is None:
            return height, width
        short = min(height, width)
        # whole numbers: the product of floats loses a pixel at some sizes
        return self.short_side * height // short, self.short_side * width // short

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """Left, right, top, bottom zeros to multiples of 16; an odd one goes right or bottom."""
        down, across = (-n % STRIDE for n in self.working)
        return across // 2, across - across // 2, down // 2, down - down // 2

    @property
    def cells(self) -> tuple[int, int]:
        """(h, w) of keys and values."""
        height, width = self.working
        return -(-height // STRIDE), -(-width // STRIDE)

    def image_to_grid(self, image: Tensor) -> Tensor:
        """Resize (bilinear) and pad a normalised image (1, 3, H, W)."""
        if image.shape[-2:] != torch.Size(self.working):
            image = F.interpolate(image, self.working, mode="bilinear", align_corners=False)
        return F.pad(image, self.padding)

    def masks_to_grid(self, masks: Tensor) -> Tensor:
        """Resize (nearest) and pad masks (1, N, H, W)."""
        if masks.shape[-2:] != torch.Size(self.working):
            masks = F.interpolate(masks, self.working, mode="nearest")
        return F.pad(masks, self.padding)

    def grid_to_frame(self, probabilities: Tensor) -> Tensor:
        """Crop and resize (bilinear) probabilities (1, 1 + N, H', W') to the frame's size."""
        left, _, top, _ = self.padding
        height, width = self.working
        probabilities = probabilities[..., top : top + height, left : left + width]
        if self.working == self.frame:
            return probabilities
        return F.interpolate(probabilities, self.frame, mode="bilinear", align_corners=False)
