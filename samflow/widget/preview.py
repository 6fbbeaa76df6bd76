"""The merged label map of the prompts drawn so far, and its picture for the page."""

import io
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from samflow.overlay.blend import color_to_rgb, outline_rgb
from samflow.prompts import Prompts, Region
from samflow.widget.frames import Frames

if TYPE_CHECKING:
    from samflow.sam import Sam
    from samflow.strategies import Frame

# ViT-H's embedding of one frame takes 4 MB; this is for going back and forth between a few frames
_KEPT_EMBEDDINGS = 8
# a label and its outline share the 256 colours of the picture
_MOST_OUTLINED = 127


class Preview:
    """Label maps of prompts, with one embedding a frame.

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
            Use points beside the boxes.

        Returns
        -------
        ndarray or None
            (H, W) uint8 label map, background regions included; None when no region has a prompt.
        """
        from samflow.run import RunOptions
        from samflow.strategies import segment_first_frame

        usable = [region for region in prompts.regions if is_usable(region, use_points)]
        if not usable:
            return None
        return segment_first_frame(
            self.sam,
            self.encode(prompts.frame.index),
            prompts.model_copy(update={"regions": usable}),
            use_points,
            # as in a run, so that the preview shows what a run starts from
            RunOptions().prompting(self._frames.size),
        )


def is_usable(region: Region, use_points: bool) -> bool:
    """Whether SAM has something to go on: a box, or a point when points are used."""
    return region.box is not None or (use_points and bool(region.points))


def labels_to_png(labels: np.ndarray, regions: Sequence[Region]) -> bytes:
    """Picture of a label map for the page.

    Parameters
    ----------
    labels : ndarray
        (H, W) uint8, background regions included.
    regions : sequence of Region
        Colours, and which regions are background.

    Returns
    -------
    bytes
        Palette PNG of (2H, W) px, transparent where there is nothing: the upper half holds the
        areas, the lower half the outlines, so that the page can fade the areas alone. Background
        regions have an outline only, because they become 0 in results.
    """
    height, width = labels.shape
    picture = np.zeros((2 * height, width), np.uint8)
    fills, outlines = np.zeros((2, 256), np.uint8)
    colors = np.zeros((256, 4), np.uint8)
    outlined = len(regions) <= _MOST_OUTLINED
    for entry, region in enumerate(regions, start=1):
        colors[entry] = (*color_to_rgb(region.color), 255)
        fills[region.id] = 0 if region.background else entry
        if outlined:
            outlines[region.id] = entry + len(regions)
            colors[entry + len(regions)] = (*outline_rgb(region.color), 255)
    cv2.LUT(labels, fills, dst=picture[:height])
    cv2.LUT(_inner_border(labels), outlines, dst=picture[height:])
    image = Image.fromarray(picture)
    used = 1 + (2 if outlined else 1) * len(regions)
    image.putpalette(colors[:used, :3].tobytes())
    stream = io.BytesIO()
    # level 1: a few kB more, several ms less
    image.save(stream, "PNG", compress_level=1, transparency=colors[:used, 3].tobytes())
    return stream.getvalue()


def _inner_border(labels: np.ndarray) -> np.ndarray:
    """Label on the pixels beside another label, 0 elsewhere."""
    square = np.ones((3, 3), np.uint8)
    differs = cv2.compare(cv2.dilate(labels, square), cv2.erode(labels, square), cv2.CMP_NE)
    return cv2.bitwise_and(labels, differs)
