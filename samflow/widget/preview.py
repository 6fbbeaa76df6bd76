"""The merged label map of the prompts drawn so far."""

from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from samflow.prompts import Prompts, Region
from samflow.widget.frames import Frames

if TYPE_CHECKING:
    from samflow.sam import Sam
    from samflow.strategies import Frame

# ViT-H's embedding of one frame takes 4 MB; this is for going back and forth between a few frames
_KEPT_EMBEDDINGS = 8


class Preview:
    """Label maps of prompts, with one embedding per frame.

    Parameters
    ----------
    sam : Sam
    frames : Frames
    """

    def __init__(self, sam: "Sam", frames: Frames) -> None:
        self.sam = sam
        self._frames = frames
        self._encoded: OrderedDict[int, Frame] = OrderedDict()

    def is_encoded(self, index: int) -> bool:
        """Whether the frame's embedding is there."""
        return index in self._encoded

    def encode(self, index: int) -> "Frame":
        """The frame with its embedding, computed on first use."""
        from samflow.strategies import Frame

        if index not in self._encoded:
            frame = Frame(self._frames[index], index)
            frame.embedding(self.sam)
            self._encoded[index] = frame
            if len(self._encoded) > _KEPT_EMBEDDINGS:
                self._encoded.popitem(last=False)
        self._encoded.move_to_end(index)
        return self._encoded[index]

    def label_map(self, prompts: Prompts, use_points: bool) -> np.ndarray | None:
        """Merge the regions that have a prompt.

        Parameters
        ----------
        prompts : Prompts
        use_points : bool
            Use points besides the boxes.

        Returns
        -------
        ndarray or None
            (H, W) uint8 label map, background regions included; None when no region has a prompt.
        """
        from samflow.strategies import PromptOptions, segment_first_frame

        usable = [region for region in prompts.regions if is_usable(region, use_points)]
        if not usable:
            return None
        return segment_first_frame(
            self.sam,
            self.encode(prompts.frame.index),
            prompts.model_copy(update={"regions": usable}),
            PromptOptions(use_points),
        )


def is_usable(region: Region, use_points: bool) -> bool:
    """Whether SAM has something to go on: a box, or a point when points are used."""
    return region.box is not None or (use_points and bool(region.points))
