"""DAVIS: a folder of palette PNGs for each video, as the DAVIS and XMem evaluations take it."""

from pathlib import Path

from samflow.maskio import write_label_map
from samflow.results.exports.exported_track import Source


def write_davis(source: Source, folder: Path) -> None:
    """Write `STRATEGY/VIDEO/00000.png`, ...: pixel value = label."""
    for index, labels in enumerate(source.label_maps()):
        write_label_map(folder / source.name / source.video_stem / f"{index:05d}.png", labels)
