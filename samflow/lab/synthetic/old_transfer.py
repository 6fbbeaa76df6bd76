"""A dye clip as an old film's transfer to video left it, with the truth of every frame.

Films of the 1960s reached today's archives as 4:3 pictures at 24 frames per second, telecined to
29.97 interlaced frames, compressed as MPEG-2, with black bars beside them, frames lost on the way.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
from av.filter import Graph

from samflow.files import atomic_path
from samflow.lab.synthetic.dye_clip import DyeClip, true_prompts
from samflow.lab.synthetic.look import Look
from samflow.lab.synthetic.scene import Scene
from samflow.prompts import Prompts

# NTSC: a film's frames are slowed down from 24 per second, and 4 of them make 5 of the video
_FILM_RATE, _VIDEO_RATE = Fraction(24000, 1001), Fraction(30000, 1001)
# film frames that are told apart while they are in the filters
_NUMBERS = 16


@dataclass(frozen=True)
class Transfer:
    """How a film was brought to video.

    Parameters
    ----------
    telecine : bool
        3:2 pulldown: each film frame lies in two or three fields, top field first, so that two
        frames of five show lines of two film frames. Without it the film's frames are the video's.
    bars : float
        Black bars to the left and to the right of the picture, each as a share of the video's
        width: 1/8 makes a 4:3 picture out of a 16:9 frame.
    kbit_per_s : int
        Rate of the MPEG-2 video.
    dropped : tuple of int
        Numbers of video frames that were lost; the times of the others stay.
    """

    telecine: bool = True
    bars: float = 0.0
    kbit_per_s: int = 1500
    dropped: tuple[int, ...] = ()


class TransferredClip:
    """A dye clip after a transfer.

    Parameters
    ----------
    transfer : Transfer
    seed : int
        Of the dye clip, see `DyeClip`.
    size : (int, int)
        (H, W) of the video's frames, bars included.
    frames : int
        Length of the video.
    look, scene
        As `DyeClip` takes them.

    Attributes
    ----------
    file_name : str
        Of the video in its folder: an MPEG program stream.

    Notes
    -----
    Pictures go through FFmpeg's filters `pad` and `telecine`. The truth of a woven frame is that of
    its first field's film frame, the one that its even lines show: a label map, like the frames of
    `Look.interlace`, is of one moment.
    """

    file_name = "clip.mpg"

    def __init__(
        self,
        transfer: Transfer,
        seed: int,
        size: tuple[int, int] = (270, 480),
        frames: int = 60,
        *,
        look: str | Look = "demo",
        scene: Scene | None = None,
    ) -> None:
        self.transfer, self.size, self.frames = transfer, size, frames
        # whole pixels of the colour planes, which have half as many
        self._bar = 2 * round(transfer.bars * size[1] / 2)
        shown = frames + len(transfer.dropped)
        # four film frames make five video frames; the filter keeps the last one back
        length = -(-4 * shown // 5) + 2 if transfer.telecine else shown
        inner = (size[0], size[1] - 2 * self._bar)
        self.clip = DyeClip(seed, inner, length, look=look, scene=scene)

    def prompts(self) -> Prompts:
        """Prompts for frame 0, from the truth, as `DyeClip.prompts` gives them."""
        return true_prompts(np.pad(next(self.clip.labels()), ((0, 0), (self._bar, self._bar))))

    def write(self, path: Path) -> Iterator[np.ndarray]:
        """Write the video; gives the true label map (H, W) uint8 of each frame as it is written.

        Raises
        ------
        SamflowError
            When the file can't be written.
        """
        rate = _VIDEO_RATE if self.transfer.telecine else _FILM_RATE
        with atomic_path(path) as part, av.open(str(part), "w", format="mpeg") as container:
            stream = container.add_stream("mpeg2video", rate=rate)
            stream.height, stream.width = self.size
            stream.pix_fmt = "yuv420p"
            stream.bit_rate = self.transfer.kbit_per_s * 1000
            stream.codec_context.gop_size = 15
            stream.codec_context.thread_count = 1
            if self.transfer.telecine:
                stream.options = {"flags": "+ildct+ilme", "alternate_scan": "1"}
            kept = (each for each in self._woven() if each[0].pts not in self.transfer.dropped)
            for picture, labels in islice(kept, self.frames):
                container.mux(stream.encode(picture))
                yield labels
            container.mux(stream.encode(None))

    def _woven(self) -> Iterator[tuple[av.VideoFrame, np.ndarray]]:
        """Video frames and their label maps, before any is dropped."""
        # planes that hold the number of their film frame tell which one a line comes from
        pictures, numbers = (self._filters(kind) for kind in ("yuv420p", "gray"))
        recent: dict[int, np.ndarray] = {}
        for index, (image, labels) in enumerate(self.clip):
            number = index % _NUMBERS
            recent[number] = np.pad(labels, ((0, 0), (self._bar, self._bar)))
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
            plane = av.VideoFrame.from_ndarray(np.full_like(labels, number), format="gray")
            for graph, given in ((pictures, frame), (numbers, plane)):
                given.pts, given.time_base = index, 1 / _FILM_RATE
                graph.push(given)
            for picture, shown in zip(_pulled(pictures), _pulled(numbers), strict=True):
                yield picture, recent[int(shown.to_ndarray()[0, self._bar])]

    def _filters(self, pixel_format: str) -> Graph:
        """Bars and pulldown for frames of the dye clip's size."""
        height, width = self.clip.size
        graph = Graph()
        source = graph.add(
            "buffer",
            f"video_size={width}x{height}:pix_fmt={pixel_format}:time_base={1 / _FILM_RATE}:"
            f"pixel_aspect=1/1:frame_rate={_FILM_RATE}",
        )
        chain = [source, graph.add("pad", f"{self.size[1]}:{height}:{self._bar}:0:black")]
        if self.transfer.telecine:
            chain.append(graph.add("telecine", "first_field=top:pattern=23"))
        chain.append(graph.add("buffersink"))
        for before, after in pairwise(chain):
            before.link_to(after)
        graph.configure()
        return graph


def _pulled(graph: Graph) -> Iterator[av.VideoFrame]:
    """Frames that a graph has ready."""
    while True:
        try:
            frame = graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        assert isinstance(frame, av.VideoFrame)
        yield frame
