"""What a film file holds, and ffmpeg as a program to convert it with."""

import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from samflow.errors import SamflowError
from samflow.video import Video
from samflow.video.index import open_film, scan_packets

# the tags and the conversion must agree, or players show other colours than the film had
ENCODING = [
    *["-crf", "16", "-movflags", "+faststart"],
    *["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"],
    *["-color_range", "tv"],
]
TO_BT709 = "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"


def ffmpeg_program() -> str:
    """Path of the ffmpeg that moviepy brings along."""
    from moviepy.config import FFMPEG_BINARY

    return str(FFMPEG_BINARY)


def run_ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg; its last argument is the file it writes."""
    command = [ffmpeg_program(), "-y", "-v", "error", "-nostdin", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise SamflowError(f"ffmpeg could not write {arguments[-1]}: {lines[-1]}.")


def convert_to_mp4(source: Path, out: Path, keep_video: bool) -> None:
    """Bring a film to mp4; times stay as they are."""
    video = ["-c:v", "copy"] if keep_video else ["-c:v", "libx264", "-vf", TO_BT709, *ENCODING]
    streams = ["-map", "0:v:0", "-map", "0:a:0?", "-fps_mode", "passthrough", "-c:a", "aac"]
    run_ffmpeg("-i", source, *streams, *video, "-movflags", "+faststart", out)


@dataclass(frozen=True)
class Timing:
    """When the frames of a film are shown."""

    times: NDArray[np.float64]  # (T,) seconds from the first frame
    offset: float  # seconds from the start of the container to the first frame
    grace: float  # seconds by which the container may have rounded a time
    rate: Fraction  # average frames per second
    codec: str
    is_mp4: bool

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the end of the last."""
        return float(self.times[-1] + 1 / self.rate)

    @property
    def is_regular(self) -> bool:
        """True when frame i is at i / rate, not a hair earlier: what moviepy's seek relies on."""
        late = self.times - np.arange(len(self.times)) / float(self.rate)
        return bool(late.min() > -5e-6 and late.max() < 0.3 / self.rate) and self.offset < 1e-3


def inspect_film(path: Path) -> Timing:
    """Read a film's times from its packets.

    Raises
    ------
    SamflowError
        When it is not a video, or incomplete.
    """
    if not path.is_file():
        raise SamflowError(f"{path} does not exist: expected a video file.")
    try:
        container, stream = open_film(path)
        with container:
            scan = scan_packets(container, stream)
            start = (container.start_time or 0) / av.time_base
            is_mov = container.format.name.startswith("mov")
            codec = stream.codec_context.codec.canonical_name
            # read while the file is open: closing it frees what the stream says
            time_base, rate = stream.time_base, stream.average_rate or Fraction(25)
        if scan.truncated or not scan.ticks or time_base is None:
            raise SamflowError(f"{path} is cut short.")
    except SamflowError as error:
        raise SamflowError(
            f"{path} is not a complete video that can be read: expected a film such as an mp4. "
            "Get it again, or convert the part that plays."
        ) from error
    times = np.sort(np.array(scan.ticks, np.float64)) * float(time_base)
    return Timing(
        times=times - times[0],
        offset=float(times[0]) - start,
        grace=float(time_base) / 2 + 1e-6,
        rate=rate,
        codec=codec,
        is_mp4=is_mov and path.suffix.lower() == ".mp4",
    )


def is_turned(path: Path) -> bool:
    """Tell whether a film's display matrix turns or mirrors its picture."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0), None)
        return frame is not None and frame.side_data.get("DISPLAYMATRIX") is not None


def check_decodes(path: Path) -> None:
    """Decode the first frame and the last."""
    video = Video(path)
    if video.damage:
        raise SamflowError(video.damage)
    video[0], video[-1]
