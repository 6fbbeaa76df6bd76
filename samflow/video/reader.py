"""Video: frames by index and in order, each with its true time."""

import copy
import operator
import re
import warnings
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from math import inf
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from samflow.errors import SamflowError
from samflow.video.folder import FolderSource
from samflow.video.video_file import FilmSource

# frames that may wait for the consumer: enough to even out keyframes, 30 MB at 1080p
_AHEAD = 5
# what decoded frames may take that wait to be given backwards, bytes: 21 frames at 1080p
_BACKWARD_BYTES = 128 * 2**20


class Video:
    """A film or a folder of images as a sequence of RGB frames, decoded when asked for.

    `len(video)` is the number of frames, `video[i]` one frame, `video[a:b:c]` another Video that
    shows those frames without decoding any, and a loop over the video decodes ahead in a thread.
    No more than a few frames are held at any time, in a loop over `video[::-1]` no more than 128
    MiB of them: films only decode forwards, so they are decoded in pieces and each is given
    backwards. Frames are (H, W, 3) uint8 RGB, upright
    (rotation metadata and EXIF orientation are honoured); pixels that are not square stay so.

    Parameters
    ----------
    path : str or Path
        An mp4, mov, avi, mkv or webm file, or a folder of JPEG or PNG images of one size, which
        are taken in the order of their names (frame9 before frame10).
    fps : float, optional
        Frames per second of a folder of images, 25 if not given. A film states its own.

    Raises
    ------
    SamflowError
        When the file is missing, is not a video, has no video stream, or nothing decodes.

    Warns
    -----
    UserWarning
        When the file is cut short; the frames before the damage are there, see `damage`.

    Examples
    --------
    >>> import tempfile
    >>> from samflow.video import VideoWriter
    >>> path = Path(tempfile.mkdtemp()) / "clip.mp4"
    >>> with VideoWriter(path, size=(48, 64), fps=25) as writer:
    ...     for level in range(0, 250, 10):
    ...         writer.write(np.full((48, 64, 3), level, np.uint8))
    >>> video = Video(path)
    >>> len(video), video.size, video.fps
    (25, (48, 64), 25.0)
    >>> part = video.between(0.2, 0.4)
    >>> len(part), part.first, part[0].shape
    (5, 5, (48, 64, 3))
    """

    def __init__(self, path: str | Path, fps: float | None = None) -> None:
        self._source = _open_source(path, fps)
        self._indices = range(len(self._source.timestamps))
        if self._source.damage:
            warnings.warn(self._source.damage, stacklevel=2)

    @property
    def path(self) -> Path:
        """The file or folder."""
        return self._source.path

    @property
    def name(self) -> str:
        """Name of the file or folder, without the folders above it."""
        return self.path.resolve().name

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the whole file, also for a part of it; of a folder, over names and hashes."""
        return self._source.sha256()

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the frames in pixels, upright."""
        return self._source.size

    @property
    def fps(self) -> float:
        """Average frames per second, of the frames that this view shows."""
        return self._source.fps / abs(self._indices.step)

    @property
    def timestamps(self) -> NDArray[np.float64]:
        """Time of each frame, (T,) float64 seconds from the first frame of the file.

        A view keeps the file's times: the first frame of `video.between(10, 20)` is at 10 s.
        """
        return self._source.timestamps[np.asarray(self._indices, np.intp)]

    @property
    def damage(self) -> str | None:
        """One sentence about what is missing from the file, or None."""
        return self._source.damage

    @property
    def first(self) -> int:
        """Index in the file of this view's first frame."""
        return self._indices[0]

    @property
    def indices(self) -> range:
        """Indices in the file of this view's frames."""
        return self._indices

    def __len__(self) -> int:
        return len(self._indices)

    def __repr__(self) -> str:
        height, width = self.size
        return f"<Video {self.name}: {len(self)} frames, {width}x{height}, {self.fps:.5g} fps>"

    @overload
    def __getitem__(self, item: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, item: slice) -> "Video": ...
    def __getitem__(self, item: int | slice) -> "NDArray[np.uint8] | Video":
        """One frame, (H, W, 3) uint8 RGB, or a view of several; a negative index counts back."""
        if isinstance(item, slice):
            return self._view(self._indices[item])
        index = operator.index(item)
        if not -len(self) <= index < len(self):
            raise IndexError(f"frame {index} of {self.name}: it has {len(self)} frames.")
        return self._source.read(self._indices[index])

    def _view(self, indices: range) -> "Video":
        view = copy.copy(self)
        view._indices = indices
        return view

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return _read_ahead(self._source, self._indices)

    def between(self, start: float, end: float) -> "Video":
        """View of the frames with start <= time < end.

        Parameters
        ----------
        start, end : float
            Seconds from the first frame of the file, as in `timestamps`. An `end` after the last
            frame means up to the last frame. Times that the file rounded (Matroska: to 1 ms)
            count as the exact ones.

        Returns
        -------
        Video

        Raises
        ------
        SamflowError
            When no frame lies between.
        """
        times = self.timestamps
        grace = self._source.grace
        inside = np.flatnonzero((times >= start - grace) & (times < end - grace))
        if not len(inside):
            span = "it is empty"
            if len(times):
                low, high = float(times.min()), float(times.max()) + 1 / self.fps
                span = f"it lasts from {low:g} to {high:.6g} s"
            wanted = f"between {start:g} and {end:g} s" if end < inf else f"from {start:g} s on"
            raise SamflowError(f"{self.name} has no frame {wanted}: {span}.")
        return self._view(self._indices[int(inside[0]) : int(inside[-1]) + 1])


def _open_source(path: str | Path, fps: float | None) -> FilmSource | FolderSource:
    """Open a film or a folder of images; refuse what is neither."""
    path = Path(path)
    if re.match("https?:/", str(path)):
        raise SamflowError(f"{path} is a web address: get the film with samflow fetch first.")
    if not path.exists():
        raise SamflowError(f"{path} does not exist: expected a video file or a folder of images.")
    if (path / "run.json").is_file():
        raise SamflowError(f"{path} is a run: expected the film that it was made from.")
    if path.is_dir():
        if fps is not None and not fps > 0:
            raise SamflowError(f"fps is {fps}: expected a positive number of frames per second.")
        return FolderSource(path, 25.0 if fps is None else fps)
    if fps is not None:
        raise SamflowError(f"{path} states its own frame rate: give fps for a folder only.")
    return FilmSource(path)


def _read_ahead(source: FilmSource | FolderSource, indices: range) -> Iterator[NDArray[np.uint8]]:
    """Yield frames that a thread of its own decodes, with a position of its own in the file."""
    own = source.reopen()
    decoder = ThreadPoolExecutor(1, "samflow-decoder")
    images = _in_order(own, indices)
    ordered: deque[Future[NDArray[np.uint8]]] = deque()
    try:
        for _ in indices:
            ordered.append(decoder.submit(next, images))
            if len(ordered) > _AHEAD:
                yield ordered.popleft().result()
        while ordered:
            yield ordered.popleft().result()
    finally:
        decoder.shutdown(cancel_futures=True)
        own.close()


def _in_order(source: FilmSource | FolderSource, indices: range) -> Iterator[NDArray[np.uint8]]:
    """Read frames in the order of `indices`, backwards in pieces that are decoded forwards."""
    if indices.step > 0:
        yield from map(source.read, indices)
        return
    height, width = source.size
    most = max(1, _BACKWARD_BYTES // (3 * height * width))
    last = 0
    while last < len(indices):
        # the frames of `indices` from the piece's first frame on, which a decoder reaches at once
        begin = source.piece_start(indices[last], most * -indices.step)
        ahead = min(most, (indices[last] - begin) // -indices.step + 1, len(indices) - last)
        piece = indices[last : last + ahead]
        images = [source.read(index) for index in reversed(piece)]
        while images:
            yield images.pop()
        last += ahead
