"""A label map as a picture for the page: runs of pixels of one colour."""

from collections.abc import Sequence

import cv2
import numpy as np

from samflow.overlay.blend import color_to_rgb, inner_border, outline_rgb
from samflow.prompts import Region

# a label and its outline share the 256 colours of the picture
_MOST_OUTLINED = 127


def overlay_bytes(labels: np.ndarray, regions: Sequence[Region]) -> bytes:
    """Picture of a label map, read by `readOverlay` in overlay.js.

    Parameters
    ----------
    labels : ndarray
        (H, W) uint8, background regions included.
    regions : sequence of Region
        Colours, and which regions are background.

    Returns
    -------
    bytes
        Little-endian uint32 H, W, number of area colours A, of outline colours B, of runs N; uint8
        RGB0 of each colour, (A + B, 4), areas first; uint32 end of each run in the flattened
        picture, (N,); uint8 of each run, (N,): 0 where there is nothing, else 1 + the colour.
        Background regions have an outline only, because they become 0 in results.

    Notes
    -----
    A label map has few runs. Written and read in a fraction of a PNG's time, at about twice the
    size.
    """
    outlined = len(regions) <= _MOST_OUTLINED
    colors = np.zeros((len(regions) * (2 if outlined else 1), 4), np.uint8)
    fills, outlines = np.zeros((2, 256), np.uint8)
    for entry, region in enumerate(regions):
        colors[entry, :3] = color_to_rgb(region.color)
        fills[region.id] = 0 if region.background else 1 + entry
        if outlined:
            outlines[region.id] = 1 + entry + len(regions)
            colors[entry + len(regions), :3] = outline_rgb(region.color)
    picture = cv2.LUT(labels, fills)
    if outlined:
        cv2.copyTo(cv2.LUT(labels, outlines), inner_border(labels, 1), picture)
    flat = picture.ravel()
    ends = np.append(np.flatnonzero(flat[1:] != flat[:-1]) + 1, flat.size).astype("<u4")
    counts = [len(regions), len(colors) - len(regions), len(ends)]
    header = np.array([*picture.shape, *counts], "<u4")
    return b"".join(part.tobytes() for part in (header, colors, ends, flat[ends - 1]))
