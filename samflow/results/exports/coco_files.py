"""COCO: instances for each frame, and the video form with one annotation for a region's whole life.

References
----------
.. [1] T.-Y. Lin et al., "Microsoft COCO", ECCV 2014, and the data format page of the project:
   `images`, `annotations`, `categories`, run-length masks in column order.
.. [2] L. Yang, Y. Fan and N. Xu, "Video instance segmentation", ICCV 2019 (YouTube-VIS): `videos`
   instead of images, annotations with a list entry for each frame.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samflow.files import write_text
from samflow.maskio import track_to_coco
from samflow.results.exports.exported_track import Source


def write_coco(source: Source, folder: Path) -> None:
    """Write `STRATEGY.json`: COCO instances, an image for each frame."""
    track_to_coco(source.track, source.regions, folder / f"{source.name}.json")


def write_coco_video(source: Source, folder: Path) -> None:
    """Write `STRATEGY.json`: YouTube-VIS, a video with an annotation for each region.

    The run lengths of all frames are held until the end, a small part of what the masks take.
    """
    video = source.video
    lives: dict[int, list[dict[str, Any]]] = {region.id: [] for region in source.regions}
    for labels in source.label_maps():
        for region, life in lives.items():
            life.append(_run_lengths(labels == region))
    shape = {"width": video.width, "height": video.height, "length": video.frames}
    names = [f"{source.video_stem}/{index:05d}.jpg" for index in range(video.frames)]
    content = {
        "videos": [{"id": 1, **shape, "file_names": names}],
        "categories": [
            {"id": region.id, "name": region.name, "supercategory": "region"}
            for region in source.regions
        ],
        "annotations": [
            {
                "id": number,
                "video_id": 1,
                "category_id": region,
                "iscrowd": 0,
                **shape,
                "segmentations": [frame.get("segmentation") for frame in life],
                "bboxes": [frame.get("bbox") for frame in life],
                "areas": [frame.get("area") for frame in life],
            }
            for number, (region, life) in enumerate(
                ((region, life) for region, life in lives.items() if any(life)), start=1
            )
        ],
    }
    write_text(folder / f"{source.name}.json", json.dumps(content, ensure_ascii=False) + "\n")


def _run_lengths(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Run lengths, box and area of a mask; nothing when the region is not in the frame."""
    from pycocotools import mask as run_lengths

    if not mask.any():
        return {}
    encoded = run_lengths.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {
        "segmentation": {"size": encoded["size"], "counts": encoded["counts"].decode()},
        "bbox": run_lengths.toBbox(encoded).tolist(),
        "area": int(run_lengths.area(encoded)),
    }
