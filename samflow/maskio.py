"""Label maps on disk: palette PNGs, the folder of them that is a Track, COCO run lengths.

The layout is that of DAVIS and XMem: one PNG of mode P per frame, named by the frame's number,
whose pixel value is the label (0 background). Everything else that people save as a mask (RGB,
antialiased edges, 0/255) would turn into phantom labels, so it is refused with the remedy.
"""

import json
import operator
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import cv2
import numpy as np
from PIL import Image

from samflow.errors import SamflowError
from samflow.files import atomic_path

if TYPE_CHECKING:
    from samflow.prompts import Region

__all__ = ["DAVIS_PALETTE", "Track", "read_label_map", "track_to_coco", "write_label_map"]

IGNORE_LABEL = 255
_REMEDY = "Save it as a palette or 8-bit grey PNG with one value per region: 1, 2, ... up to 254."
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# PNG specification, 11.2.2 IHDR: colour types
_COLOUR_TYPES = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGBA"}
# above this many values a label map is looked at for antialiased edges
_MANY_LABELS = 8


def _davis_palette() -> np.ndarray:
    """Colours of the labels as DAVIS and PASCAL VOC assign them.

    Bits 0, 1, 2 of a label are the highest bits of red, green, blue; bits 3, 4, 5 the next ones,
    and so on (PASCAL VOC development kit, `VOClabelcolormap`).
    """
    labels = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for channel in range(3):
        for level in range(3):
            bit = (labels >> (3 * level + channel)) & 1
            colours[:, channel] |= (bit << (7 - level)).astype(np.uint8)
    colours.setflags(write=False)
    return colours


DAVIS_PALETTE: np.ndarray = _davis_palette()
"""(256, 3) uint8 RGB, the colour of each label in the files; read-only."""


def write_label_map(path: str | Path, labels: np.ndarray) -> None:
    """Write a label map as a palette PNG: mode P, pixel value = label, DAVIS palette.

    Parameters
    ----------
    path : str or Path
        The file to appear, complete or not at all.
    labels : (H, W) integers
        Values 0 to 254; 255 means "ignore" to the DAVIS tools and to XMem.

    Raises
    ------
    SamflowError
        For another shape or type, a value out of range, or a file that can't be written.

    Notes
    -----
    Equal label maps give equal bytes.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "00000.png"
    >>> write_label_map(path, np.eye(3, dtype=np.uint8))
    >>> read_label_map(path)
    array([[1, 0, 0],
           [0, 1, 0],
           [0, 0, 1]], dtype=uint8)
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.size == 0 or labels.dtype.kind not in "biu":
        raise SamflowError(
            f"a label map is (H, W) of integers, got {labels.shape} of {labels.dtype}."
        )
    if labels.min() < 0 or labels.max() >= IGNORE_LABEL:
        raise SamflowError(
            f"labels must be 0 to 254, got {labels.min()} to {labels.max()} for {path}."
        )
    picture = Image.fromarray(np.ascontiguousarray(labels, dtype=np.uint8))
    picture.putpalette(DAVIS_PALETTE.tobytes())
    with atomic_path(path) as part:
        picture.save(part, format="PNG", compress_level=4)


def read_label_map(path: str | Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """Read a label map from a palette PNG, or from an 8-bit grey PNG that holds labels.

    Parameters
    ----------
    path : str or Path
        PNG file.
    size : (H, W), optional
        The size that it must have.

    Returns
    -------
    (H, W) uint8
        0 is background.

    Raises
    ------
    SamflowError
        For a missing or damaged file, another size, and every kind of picture whose pixel values
        are not labels: RGB, RGBA, grey with alpha, 16 bits, 0/255, antialiased edges.
    """
    path = Path(path)
    found = _png_size(path)
    if size is not None and found != tuple(size):
        raise SamflowError(
            f"{path} is {found[1]}x{found[0]} pixels, expected {size[1]}x{size[0]}: "
            "a label map has the size of its frames."
        )
    try:
        with warnings.catch_warnings():
            # Pillow doubts huge pictures; the header has told the size already
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=["PNG"]) as picture:
                labels = np.array(picture, dtype=np.uint8)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SamflowError(f"{path} is a damaged PNG ({error}): write it again.") from error
    _check_labels(path, labels)
    return labels


def _png_size(path: Path) -> tuple[int, int]:
    """(H, W) from the header of a PNG whose pixel values can be labels; refuses other pictures."""
    if path.is_dir():
        raise SamflowError(f"{path} is a folder, expected a PNG file with a label map.")
    try:
        with open(path, "rb") as file:
            header = file.read(26)
    except OSError as error:
        raise SamflowError(f"{path} can't be read: {error.strerror}. Check the path.") from error
    if len(header) < 26 or not header.startswith(_PNG_SIGNATURE):
        raise SamflowError(f"{path} is not a PNG file. {_REMEDY}")
    width, height = (int.from_bytes(header[i : i + 4], "big") for i in (16, 20))
    bits, colour_type = header[24], header[25]
    if colour_type == 3 or (colour_type == 0 and bits == 8):
        return height, width
    kind = _COLOUR_TYPES.get(colour_type, f"colour type {colour_type}")
    raise SamflowError(
        f"{path} is a {bits}-bit {kind} PNG, so its pixel values are not labels. {_REMEDY}"
    )


def _check_labels(path: Path, labels: np.ndarray) -> None:
    values = np.flatnonzero(np.bincount(labels.ravel(), minlength=256))
    if values[-1] == IGNORE_LABEL and set(values) <= {0, IGNORE_LABEL}:
        raise SamflowError(
            f"{path} is a 0/255 mask: 255 means 'ignore' to XMem, not a region. "
            "Write the region's id (1 for the first) instead of 255."
        )
    if len(values) > _MANY_LABELS:
        # a pixel whose 3x3 neighbourhood is of one value is inside of something
        box = np.ones((3, 3), np.uint8)
        inside = labels[cv2.erode(labels, box) == cv2.dilate(labels, box)]
        thin = len(values) - len(np.unique(inside))
        if 2 * thin > len(values):
            raise SamflowError(
                f"{path} has {len(values)} values, {thin} of them only on thin edges: "
                f"its edges are antialiased, or it is a photograph. {_REMEDY}"
            )
    if values[-1] == IGNORE_LABEL:
        raise SamflowError(
            f"{path} holds label 255, which means 'ignore' to XMem: use ids 1 to 254."
        )


class Track(Sequence[np.ndarray]):
    """One label map per frame of a clip: a folder of palette PNGs, read when asked for.

    Parameters
    ----------
    folder : str or Path
        Holds PNGs whose names end with the frame number (`00012.png`, `frame_12.png`). Other
        kinds of files and hidden files don't matter.

    Attributes
    ----------
    folder : Path
    indices : tuple of int
        Frame numbers of the clip, ascending.
    paths : tuple of Path
        The files, in the order of `indices`.
    size : (H, W)
        Size of the first label map; all others must have it.

    Raises
    ------
    SamflowError
        When the folder is missing or holds no PNG, a PNG's name has no number, or two have the
        same one. Reading a label map raises what `read_label_map` raises.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for index in (0, 1, 3):
    ...     write_label_map(folder / f"{index:05d}.png", np.full((2, 4), index))
    >>> track = Track(folder)
    >>> len(track), track.indices, track.gaps, track.size
    (3, (0, 1, 3), (2,), (2, 4))
    >>> int(track[-1].max()), int(track.label_map_of(1).max())
    (3, 1)
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise SamflowError(f"{folder} is not a folder: expected a folder of label PNGs.")
        numbered: dict[int, Path] = {}
        for path in sorted(self.folder.iterdir()):
            if path.suffix.lower() != ".png" or path.name.startswith("."):
                continue
            digits = re.search(r"\d+$", path.stem)
            if digits is None:
                raise SamflowError(
                    f"{path} has no frame number at the end of its name: "
                    "rename it like 00012.png, or move it elsewhere."
                )
            other = numbered.setdefault(int(digits.group()), path)
            if other != path:
                raise SamflowError(f"{other.name} and {path.name} in {folder} are the same frame.")
        if not numbered:
            raise SamflowError(f"{folder} holds no PNG: expected label maps like 00000.png.")
        self.indices = tuple(sorted(numbered))
        self.paths = tuple(numbered[index] for index in self.indices)
        self.size = _png_size(self.paths[0])

    @property
    def gaps(self) -> tuple[int, ...]:
        """Frame numbers between the first and the last that have no label map."""
        present = set(self.indices)
        return tuple(i for i in range(self.indices[0], self.indices[-1]) if i not in present)

    def check_complete(self) -> None:
        """Raise SamflowError when a frame between the first and the last is missing."""
        gaps = self.gaps
        if gaps:
            shown = ", ".join(map(str, gaps[:5])) + (", ..." if len(gaps) > 5 else "")
            raise SamflowError(
                f"{self.folder} lacks {len(gaps)} of the frames {self.indices[0]} to "
                f"{self.indices[-1]} ({shown}): write them, or cut the clip there."
            )

    def label_map_of(self, index: int) -> np.ndarray:
        """Label map (H, W) uint8 of frame number `index`."""
        try:
            position = self.indices.index(index)
        except ValueError:
            raise SamflowError(
                f"{self.folder} has no label map for frame {index}: it holds {len(self)} of the "
                f"frames {self.indices[0]} to {self.indices[-1]}."
            ) from None
        return self[position]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, position: int) -> np.ndarray:  # type: ignore[override] # no slices
        return read_label_map(self.paths[operator.index(position)], self.size)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (read_label_map(path, self.size) for path in self.paths)

    def __repr__(self) -> str:
        height, width = self.size
        gaps = f", {len(self.gaps)} missing" if self.gaps else ""
        return f"Track({str(self.folder)!r}, {len(self)} label maps of {width}x{height}{gaps})"


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
    with atomic_path(path) as part, open(part, "w", encoding="utf-8") as file:
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
