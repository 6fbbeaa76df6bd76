"""CVAT's own XML, version 1.1, with masks.

Each frame is an `<image>` with a `<mask>` for each region. CVAT's importer takes this form for
tasks made from a video as well as from images. It also has a form with `<track>`s for videos, but
of a track of masks it reads the first mask alone.

References
----------
.. [1] "XML annotation format", docs.cvat.ai, version 1.1, section "Annotation": the elements and
   attributes, and that `rle` counts pixels row by row inside of the box from `left` and `top`,
   beginning with those outside of the mask.
"""

from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np
from numpy.typing import NDArray

from samflow.errors import SamflowError
from samflow.results.exports.exported_track import Source


def write_cvat(source: Source, folder: Path) -> None:
    """Write `STRATEGY.xml`: CVAT 1.1, one frame at a time.

    Frames are numbered as in the film, so that the file fits a task made from the whole of it.

    Raises
    ------
    SamflowError
        When two regions have one name: CVAT knows labels by their names alone.
    """
    video = source.video
    names = [region.name for region in source.regions]
    for name in names:
        if names.count(name) > 1:
            raise SamflowError(
                f"two regions are named {name!r}, which CVAT would join: give them different names "
                "in the prompts of run.json."
            )
    size = {"width": str(video.width), "height": str(video.height)}
    with open(folder / f"{source.name}.xml", "w", encoding="utf-8", newline="\n") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
        file.write("<version>1.1</version>\n")
        file.write(tostring(_meta(source), encoding="unicode") + "\n")
        for index, labels in enumerate(source.label_maps(), start=video.first):
            # CVAT names the frames of a video like this
            image = Element("image", {"id": str(index), "name": f"frame_{index:06d}", **size})
            for region in source.regions:
                mask = labels == region.id
                if mask.any():
                    fixed = {"label": region.name, "source": "auto", "occluded": "0"}
                    SubElement(image, "mask", fixed | mask_to_cvat(mask) | {"z_order": "0"})
            file.write(tostring(image, encoding="unicode") + "\n")
        file.write("</annotations>\n")


def mask_to_cvat(mask: NDArray[np.bool_]) -> dict[str, str]:
    """Give a mask (H, W) bool with a pixel as the attributes of CVAT's `<mask>`, in pixels.

    Examples
    --------
    >>> mask_to_cvat(np.array([[0, 0, 0], [0, 1, 0], [0, 1, 1]], bool))["rle"]
    '0, 1, 1, 2'
    """
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    top, left = int(rows[0]), int(columns[0])
    box = mask[top : rows[-1] + 1, left : columns[-1] + 1]
    flat = box.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    # the first run is of pixels outside of the mask, if need be of none
    counts = [0, *runs] if flat[0] else runs
    return {
        "rle": ", ".join(map(str, counts)),
        "left": str(left),
        "top": str(top),
        "width": str(box.shape[1]),
        "height": str(box.shape[0]),
    }


def _meta(source: Source) -> Element:
    """Say which film this is, and give the labels with their colours."""
    meta = Element("meta")
    task = SubElement(meta, "task")
    frames = source.video.first + source.video.frames
    for tag, text in (("name", source.video.name), ("size", str(frames)), ("mode", "annotation")):
        SubElement(task, tag).text = text
    labels = SubElement(task, "labels")
    for region in source.regions:
        label = SubElement(labels, "label")
        for tag, text in (("name", region.name), ("color", region.color), ("type", "mask")):
            SubElement(label, tag).text = text
        SubElement(label, "attributes")
    return meta
