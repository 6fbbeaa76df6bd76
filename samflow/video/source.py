"""Where frames come from: a film that is decoded, or a folder of images."""

import hashlib
import re
import struct
import threading
import warnings
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import av
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.reformatter import Interpolation
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from samflow.errors import SamflowError
from samflow.files import sha256_of_file
from samflow.video.index import FrameIndex, decoded_frames, index_frames, open_film

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
# exact colours cost little beside decoding, and red and blue dye are what users look at
_SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
# decoding this many frames costs about as much as a seek and a keyframe
_WORTH_A_SEEK = 12


class Source(Protocol):
    """Frames by index, from one place."""

    path: Path
    size: tuple[int, int]
    fps: float
    timestamps: NDArray[np.float64]
    grace: float  # seconds by which the timestamps may have been rounded
    damage: str | None

    def read(self, index: int) -> NDArray[np.uint8]:
        """Frame `index`, (H, W, 3) uint8 RGB."""

    def reopen(self) -> "Source":
        """Open the same frames with a position of their own, for another thread."""

    def close(self) -> None:
        """Release the file."""

    def sha256(self) -> str:
        """Hash of the content, 64 hex digits."""


class FilmSource:
    """Frames of a film, decoded on demand; reading in order needs no seek.

    Parameters
    ----------
    path : Path
        An existing video file.
    index : FrameIndex, optional
        The film's index, if it is known already.
    size : (int, int), optional
        (H, W) of its frames, likewise.
    """

    def __init__(
        self, path: Path, index: FrameIndex | None = None, size: tuple[int, int] | None = None
    ) -> None:
        self.path = path
        self._index = index_frames(path) if index is None else index
        self.fps = self._index.fps
        self.timestamps = self._index.timestamps
        self.grace = float(self._index.time_base) / 2 + 1e-6
        self.damage = self._index.damage
        self._number = {int(pts): i for i, pts in enumerate(self._index.pts)}
        self._lock = threading.Lock()
        self._rewind()
        self.size = size or self._size_of_first()

    def _size_of_first(self) -> tuple[int, int]:
        height, width, _ = _frame_to_rgb(self._find(0)).shape
        return height, width

    def _rewind(self) -> None:
        self.close()
        self._container, self._stream = open_film(self.path)
        self._start()

    def _start(self) -> None:
        self._frames = self._numbered()
        self._last = -1  # index of the frame that came out last

    def _numbered(self) -> Iterator[tuple[int, av.VideoFrame]]:
        frames = decoded_frames(self._container, self._stream)
        if not self._index.by_pts:
            yield from enumerate(frames)
            return
        for frame in frames:
            number = None if frame.pts is None else self._number.get(frame.pts)
            if number is not None:
                yield number, frame

    def read(self, index: int) -> NDArray[np.uint8]:
        """Frame `index`, (H, W, 3) uint8 RGB, turned as the film's display matrix says."""
        with self._lock:
            frame = self._find(index)
            if frame.is_corrupt:
                warnings.warn(
                    f"frame {index} of {self.path.name} is damaged: the decoder guessed a part.",
                    stacklevel=2,
                )
            image = _frame_to_rgb(frame)
        if image.shape[:2] != self.size:
            raise SamflowError(
                f"frame {index} of {self.path} is {image.shape[1]}x{image.shape[0]}, the first is "
                f"{self.size[1]}x{self.size[0]}: cut the film into parts of one size."
            )
        return image

    def _find(self, index: int) -> av.VideoFrame:
        keys = self._index.keyframes
        at = int(np.searchsorted(keys, index, side="right")) - 1
        frame = None
        if self._last < index and keys[at] - self._last <= _WORTH_A_SEEK:
            frame = self._advance(index)
        # some keyframes turn out to be useless (open groups, coarse container indices), so go
        # back two more before decoding from the start
        for key in keys[max(at - 2, 0) : at + 1][::-1]:
            if frame is None and key > 0:
                frame = self._seek_and_advance(int(self._index.pts[key]), index)
        if frame is None:
            self._rewind()
            frame = self._advance(index)
        if frame is None:
            raise SamflowError(
                f"frame {index} of {self.path} can't be decoded: the file is damaged at "
                f"{self.timestamps[index]:.2f} s. Use another part of it, or get it again."
            )
        return frame

    def _seek_and_advance(self, pts: int, index: int) -> av.VideoFrame | None:
        try:
            self._container.seek(pts, stream=self._stream)
        except av.FFmpegError:
            return None
        self._start()
        return self._advance(index)

    def _advance(self, index: int) -> av.VideoFrame | None:
        """Decode up to frame `index`; None when it does not come."""
        for number, frame in self._frames:
            self._last = number
            if number >= index:
                return frame if number == index else None
        return None

    def reopen(self) -> "FilmSource":
        """Open the same film with a decoder of its own."""
        return FilmSource(self.path, self._index, self.size)

    def close(self) -> None:
        """Close the file."""
        if hasattr(self, "_container"):
            self._container.close()

    def sha256(self) -> str:
        """SHA-256 of the file's bytes."""
        return sha256_of_file(self.path)


def _frame_to_rgb(frame: av.VideoFrame) -> NDArray[np.uint8]:
    # matrix and range come from the frame's tags; an untagged one is read as BT.601, limited
    # range, as ffmpeg and OpenCV do
    converted = frame.reformat(format="rgb24", interpolation=_SCALING)
    rgb: NDArray[np.uint8] = converted.to_ndarray().astype(np.uint8, copy=False)
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(matrix, SideData):
        return rgb
    # 3 x 3 in 16.16 fixed point, row vectors: x' = a x + c y, y' = b x + d y
    # (ISO/IEC 14496-12, 6.2.2)
    a, b, _, c, d = struct.unpack_from("<5i", bytes(matrix))
    if a == 0 and d == 0:
        rgb, a, d = rgb.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(rgb[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


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


def open_source(path: str | Path, fps: float | None = None) -> Source:
    """Open a film or a folder of images.

    Raises
    ------
    SamflowError
        When there is no such file, or it is neither.
    """
    path = Path(path)
    if not path.exists():
        raise SamflowError(f"{path} does not exist: expected a video file or a folder of images.")
    if path.is_dir():
        if fps is not None and not fps > 0:
            raise SamflowError(f"fps is {fps}: expected a positive number of frames per second.")
        return FolderSource(path, 25.0 if fps is None else fps)
    if fps is not None:
        raise SamflowError(f"{path} states its own frame rate: give fps for a folder only.")
    return FilmSource(path)
