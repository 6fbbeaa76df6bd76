"""A label map as a palette PNG: the pixel value is the label.

Everything else that people save as a mask (RGB, antialiased edges, 0/255) would turn into phantom
labels, so it is refused with the remedy.
"""

import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from samflow.errors import SamflowError
from samflow.files import atomic_path

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


def write_label_map(
    path: str | Path, labels: np.ndarray, palette: np.ndarray = DAVIS_PALETTE
) -> None:
    """Write a label map as a palette PNG: mode P, pixel value = label.

    Parameters
    ----------
    path : str or Path
        The file to appear, complete or not at all.
    labels : (H, W) integers
        Values 0 to 254; 255 means "ignore" to the DAVIS tools and to XMem.
    palette : (K, 3) uint8
        RGB colour of each label, K up to 256; larger labels have the colours of DAVIS.

    Raises
    ------
    SamflowError
        For another shape or type, a value out of range, or a file that can't be written.

    Notes
    -----
    Equal label maps with equal palettes give equal bytes.

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
    # Pillow stores as many bits per pixel as the palette needs, so it must reach to every label
    colours = np.concatenate([palette, DAVIS_PALETTE[len(palette) : int(labels.max()) + 1]])
    picture.putpalette(colours.tobytes())
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
    found = png_size(path)
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
    check_labels(path, labels)
    return labels


def read_palette(path: str | Path) -> np.ndarray:
    """Colours of a label map's file: (K, 3) uint8 RGB; those of DAVIS when it is a grey PNG."""
    with Image.open(path, formats=["PNG"]) as picture:
        colours = picture.getpalette("RGB") if picture.mode == "P" else None
    if colours is None:
        return DAVIS_PALETTE
    return np.array(colours, np.uint8).reshape(-1, 3)


def png_size(path: Path) -> tuple[int, int]:
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


def check_labels(path: Path, labels: np.ndarray) -> None:
    """Refuse pixel values (H, W) uint8 of a file that are not labels, with a `SamflowError`."""
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
