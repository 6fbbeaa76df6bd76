"""A film as a source of frames: decoded when asked for, exact to the frame."""

import copy
import struct
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from samflow.errors import SamflowError
from samflow.files import sha256_of_file
from samflow.video.index import decoded_frames, index_frames, open_film

# exact colours cost little beside decoding, and red and blue dye are what users look at
_SCALING = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
# decoding this many frames costs about as much as a seek and a keyframe
_WORTH_A_SEEK = 12


class _Turn(NamedTuple):
    """How stored frames become upright: first transposed, then read with these steps."""

    transposed: bool = False
    rows: int = 1
    columns: int = 1

    @classmethod
    def of(cls, frame: av.VideoFrame) -> "_Turn":
        """Read a frame's display matrix; angles between quarter turns are ignored."""
        matrix = frame.side_data.get("DISPLAYMATRIX")
        if not isinstance(matrix, SideData):
            return cls()
        # 3 x 3 in 16.16 fixed point, row vectors: x' = a x + c y, y' = b x + d y
        # (ISO/IEC 14496-12, 6.2.2)
        a, b, _, c, d = struct.unpack_from("<5i", bytes(matrix))
        transposed = a == d == 0
        down, across = (b, c) if transposed else (d, a)
        return cls(transposed, -1 if down < 0 else 1, -1 if across < 0 else 1)

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn an image of shape (H, W, 3), or (W, H, 3) if it comes transposed."""
        if self.transposed:
            image = image.transpose(1, 0, 2)
        return np.ascontiguousarray(image[:: self.rows, :: self.columns])


class FilmSource:
    """Frames of a film, decoded on demand; reading in order needs no seek.

    Parameters
    ----------
    path : Path
        An existing video file.

    Attributes
    ----------
    size : (H, W)
        Of the frames, upright, px.
    fps : float
    timestamps : (T,) float64
        Seconds from the first frame.
    grace : float
        Seconds by which the file may have rounded a time.
    damage : str or None
        One sentence about what is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._index = index_frames(path)
        self.fps = self._index.fps
        self.timestamps = self._index.timestamps
        self.grace = float(self._index.time_base) / 2 + 1e-6
        self.damage = self._index.damage
        self._number = {int(pts): i for i, pts in enumerate(self._index.pts)}
        self._open()
        # asked of the first frame only: PyAV 18 keeps every frame whose side data was read
        first = self._find(0)
        self._turn = _Turn.of(first)
        swapped = self._turn.transposed
        self.size = (first.width, first.height) if swapped else (first.height, first.width)

    def _open(self) -> None:
        self._lock = threading.Lock()
        # one for all frames: setting up the conversion takes as long as doing it
        self._scaler = VideoReformatter()
        self._rewind()

    def _rewind(self) -> None:
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
            image = self._turn.apply(_frame_to_rgb(frame, self._scaler))
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
            self.close()
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

    def piece_start(self, index: int, most: int) -> int:
        """First of at most `most` frames up to `index`: the keyframe, where it is near enough."""
        keys = self._index.keyframes
        key = int(keys[np.searchsorted(keys, index, side="right") - 1])
        return max(key, index - most + 1)

    def reopen(self) -> "FilmSource":
        """Open the same film with a decoder of its own."""
        other = copy.copy(self)
        other._open()
        return other

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def sha256(self) -> str:
        """SHA-256 of the file's bytes."""
        return sha256_of_file(self.path)


def _frame_to_rgb(frame: av.VideoFrame, scaler: VideoReformatter) -> NDArray[np.uint8]:
    # matrix and range come from the frame's tags; an untagged one is read as BT.601, limited
    # range, as ffmpeg and OpenCV do
    converted = scaler.reformat(frame, format="rgb24", interpolation=_SCALING, threads=1)
    return converted.to_ndarray().astype(np.uint8, copy=False)
