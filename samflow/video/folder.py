"""A folder of images as a source of frames."""

import hashlib
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from samflow.errors import SamflowError
from samflow.files import sha256_of_file

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


class FolderSource:
    """Images of a folder as frames, in the order of their names, numbers counted as numbers.

    Parameters
    ----------
    path : Path
        A folder of JPEG or PNG files of one size.
    fps : float
        Frames per second to assume.
    """

    grace = 1e-6
    damage: str | None = None

    def __init__(self, path: Path, fps: float = 25.0) -> None:
        self.path = path
        found = [
            p
            for p in path.iterdir()
            if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file() and not p.name.startswith(".")
        ]
        if not found:
            raise SamflowError(
                f"{path} holds no images: expected JPEG or PNG files such as 00000.jpg."
            )
        self._files = sorted(found, key=lambda p: (_natural(p.stem), p.name))
        stems = [p.stem for p in self._files]
        for one, other in pairwise(self._files):
            if one.stem == other.stem:
                raise SamflowError(
                    f"{path} holds {one.name} and {other.name}: expected one image per frame, "
                    "move the others to another folder."
                )
        self.size = _image_size(self._files[0])
        for file in self._files[1:]:
            size = _image_size(file)
            if size != self.size:
                raise SamflowError(
                    f"{file} is {size[1]}x{size[0]}, the first image is "
                    f"{self.size[1]}x{self.size[0]}: all must have one size."
                )
        self.fps = fps
        self.timestamps = np.arange(len(stems), dtype=np.float64) / fps

    def read(self, index: int) -> NDArray[np.uint8]:
        """Frame `index`, (H, W, 3) uint8 RGB, turned as its EXIF orientation says."""
        file = self._files[index]
        try:
            with Image.open(file) as image:
                image.load()
                upright = ImageOps.exif_transpose(image)
        except (OSError, SyntaxError, ValueError) as error:
            raise SamflowError(f"{file} can't be read as an image: replace it.") from error
        if upright.mode.startswith("I;16"):
            # Pillow would clip 16-bit grey at 255 instead of scaling it
            grey = (np.asarray(upright).astype(np.uint16) >> 8).astype(np.uint8)
            return np.repeat(grey[..., None], 3, axis=2)
        return np.array(upright.convert("RGB"))

    def piece_start(self, index: int, most: int) -> int:
        """The frame itself: images are read in any order at the same cost."""
        return index

    def reopen(self) -> "FolderSource":
        """Return the same object: it keeps no position."""
        return self

    def close(self) -> None:
        """Nothing stays open."""

    def sha256(self) -> str:
        """SHA-256 over the names and hashes of all images."""
        digest = hashlib.sha256()
        for file in self._files:
            digest.update(f"{file.name} {sha256_of_file(file)}\n".encode())
        return digest.hexdigest()


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key by which frame9 comes before frame10."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _image_size(file: Path) -> tuple[int, int]:
    """(H, W) of an image as displayed, from its header."""
    try:
        with Image.open(file) as image:
            width, height = image.size
            # EXIF orientations 5 to 8 exchange width and height (tag 0x0112)
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except (OSError, UnidentifiedImageError, SyntaxError) as error:
        raise SamflowError(f"{file} can't be read as an image: replace it.") from error
    return (width, height) if turned else (height, width)
