"""A Track as COCO instances with run-length masks."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from samflow.files import atomic_path
from samflow.maskio.track_on_disk import Track

if TYPE_CHECKING:
    from samflow.prompts import Region


def track_to_coco(track: Track, regions: Sequence["Region"], path: str | Path) -> None:
    """Write a Track as COCO instances with run-length masks, one frame at a time.

    Parameters
    ----------
    track : Track
    regions : sequence of Region
        Give the categories their names; a label without a region is named "region ID".
    path : str or Path
        The .json file to appear; `pycocotools.coco.COCO` reads it.

    Notes
    -----
    Image id = frame number; category id = label; one annotation per region and frame where it is
    seen, with `area` in px and `bbox` as [x, y, width, height] in px.
    """
    height, width = track.size
    names = {region.id: region.name for region in regions}
    with atomic_path(path) as part, open(part, "w", encoding="utf-8", newline="\n") as file:
        file.write('{"annotations": [')
        seen = _write_annotations(file, track)
        images = [
            {"id": index, "file_name": f"{index:05d}.jpg", "width": width, "height": height}
            for index in track.indices
        ]
        categories = [
            {"id": label, "name": names.get(label, f"region {label}"), "supercategory": "region"}
            for label in sorted(seen | set(names))
        ]
        file.write(f'],\n"images": {json.dumps(images)},\n')
        file.write(f'"categories": {json.dumps(categories, ensure_ascii=False)}}}\n')


def _write_annotations(file: TextIO, track: Track) -> set[int]:
    """Write the annotations of all frames as JSON objects with commas; return the labels seen."""
    from pycocotools import mask as run_lengths

    seen: set[int] = set()
    count = 0
    for index, labels in zip(track.indices, track, strict=True):
        ids = [int(i) for i in np.flatnonzero(np.bincount(labels.ravel())) if i != 0]
        for label in ids:
            encoded = run_lengths.encode(np.asfortranarray(labels == label, dtype=np.uint8))
            count += 1
            annotation: dict[str, Any] = {
                "id": count,
                "image_id": index,
                "category_id": label,
                "iscrowd": 0,
                "area": int(run_lengths.area(encoded)),
                "bbox": run_lengths.toBbox(encoded).tolist(),
                "segmentation": {"size": encoded["size"], "counts": encoded["counts"].decode()},
            }
            file.write(("" if count == 1 else ",") + "\n" + json.dumps(annotation))
        seen.update(ids)
    return seen
