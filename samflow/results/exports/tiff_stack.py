"""TIFF: a stack of pages for Fiji, napari and the like."""

from pathlib import Path

import numpy as np
import tifffile

from samflow.results.exports.exported_track import Source


def write_tiff(source: Source, folder: Path) -> None:
    """Write `STRATEGY.tif`: a page (H, W) uint8 for each frame, pixel value = label."""
    description = {
        "axes": "TYX",
        "fps": source.video.fps,
        "regions": {str(region.id): region.name for region in source.regions},
    }
    with tifffile.TiffWriter(folder / f"{source.name}.tif") as file:
        file.write(
            source.label_maps(),
            shape=(len(source.track), *source.track.size),
            dtype=np.uint8,
            photometric="minisblack",
            compression="zlib",
            metadata=description,
            software="samflow",
        )
