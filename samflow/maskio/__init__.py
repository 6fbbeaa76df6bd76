"""Label maps on disk: palette PNGs, the folder of them that is a Track, COCO run lengths.

The layout is that of DAVIS and XMem: one PNG of mode P per frame, named by the frame's number,
whose pixel value is the label (0 background).
"""

from samflow.maskio.png import DAVIS_PALETTE, read_label_map, read_palette, write_label_map
from samflow.maskio.run_lengths import track_to_coco
from samflow.maskio.tiff import read_label_tiff
from samflow.maskio.track_on_disk import Track

__all__ = [
    "DAVIS_PALETTE",
    "Track",
    "read_label_map",
    "read_label_tiff",
    "read_palette",
    "track_to_coco",
    "write_label_map",
]
