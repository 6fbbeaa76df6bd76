"""Whole films to other forms: parts joined without loss, frames as a folder of JPEGs."""

from collections.abc import Sequence
from pathlib import Path

import av
from av.container import OutputContainer
from PIL import Image

from samflow.errors import SamflowError
from samflow.files import atomic_path
from samflow.video.folder import IMAGE_SUFFIXES
from samflow.video.index import open_film
from samflow.video.reader import Video
from samflow.video.writer import MUXER_OPTIONS, unwritable


def concatenate_videos(parts: Sequence[str | Path], out: str | Path) -> Path:
    """Join films that VideoWriter wrote into one, without encoding again.

    Parameters
    ----------
    parts : sequence of str or Path
        Films of one size, rate and quality, in order. Their timestamps are kept, so each part
        must start after the end of the one before: pass `timestamp` to `VideoWriter.write`.
    out : str or Path
        The mp4 to write, atomically. The same parts give the same bytes.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    SamflowError
        When parts do not fit together, overlap in time, or `out` can't be written.
    """
    out = Path(out)
    if not parts:
        raise SamflowError(f"there are no parts to join into {out}: expected at least one film.")
    with atomic_path(out) as file:
        try:
            with av.open(str(file), "w", format="mp4", options=MUXER_OPTIONS) as container:
                _copy_packets([Path(part) for part in parts], container)
        except av.FFmpegError as error:
            raise unwritable(out, error) from error
    return out


def _copy_packets(parts: Sequence[Path], container: OutputContainer) -> None:
    """Append the packets of each part to the one stream of `container`."""
    stream: av.VideoStream | None = None
    header: tuple[object, ...] = ()
    last_pts = -1
    for part in parts:
        source, film = open_film(part)
        with source:
            codec = film.codec_context
            # the extradata holds H.264's parameter sets, which apply to all packets that follow
            own = (codec.name, codec.height, codec.width, film.time_base, codec.extradata)
            if stream is None:
                stream, header = container.add_stream_from_template(film), own
                stream.time_base = film.time_base
            elif own != header:
                raise SamflowError(
                    f"{part} differs from {parts[0]} in size, time base or encoding: expected "
                    "parts written by VideoWriter with the same settings."
                )
            for packet in source.demux(film):
                if packet.pts is None:
                    continue
                if packet.pts <= last_pts:
                    raise SamflowError(
                        f"{part} starts at {float(packet.pts * packet.time_base):g} s, before the "
                        "end of the part before it: give VideoWriter.write timestamps that go on."
                    )
                last_pts = packet.pts
                packet.stream = stream
                container.mux(packet)


def video_to_frames(video: Video, folder: str | Path, quality: int = 95) -> Path:
    """Write each frame as a JPEG, 00000.jpg onwards: the layout that DAVIS and XMem read.

    Parameters
    ----------
    video : Video
        Its first frame gets number 0, also if it is a view.
    folder : str or Path
        Made when missing; must hold no images yet.
    quality : int
        JPEG quality, 1 to 95. Colour is stored at full resolution.

    Returns
    -------
    Path
        `folder`. `Video(folder, fps=video.fps)` reads it.

    Raises
    ------
    SamflowError
        When `folder` holds images, which would mix with these, or can't be written.
    """
    folder = Path(folder)
    if folder.is_dir() and any(p.suffix.lower() in IMAGE_SUFFIXES for p in folder.iterdir()):
        raise SamflowError(f"{folder} holds images already: choose another folder or empty it.")
    for number, image in enumerate(video):
        with atomic_path(folder / f"{number:05d}.jpg") as file:
            Image.fromarray(image).save(file, quality=quality, subsampling=0)
    return folder
