"""Pictures and video as data URIs, so that the page needs no other file."""

import base64
import io
from pathlib import Path

from PIL import Image

from samflow.errors import SamflowError
from samflow.overlay import headed
from samflow.overlay.inline import video_within
from samflow.results.side_by_side import clip_sheet
from samflow.runs import Run
from samflow.video import Video

# px: legible on a printed page
_SHEET_WIDTH = 1600


def png_uri(path: Path) -> str:
    """Give a PNG file as a data URI."""
    return data_uri(path.read_bytes(), "image/png")


def video_uri(path: Path, max_mb: float) -> str | None:
    """Give a video as a data URI, smaller when the file is too large; None when that fails.

    A run that was stopped while its video was joined has none, and that of an hour's film is too
    large even at the smallest size: the page is worth having without it.
    """
    try:
        data, _ = video_within(path, max_mb)
    except SamflowError:
        return None
    return data_uri(data, "video/mp4")


def sheet_uri(run: Run, clip: Video) -> str:
    """Give some frames of the clip under each strategy as one JPEG."""
    tracks = {name: run.track(name) for name in run.strategies}
    sheet = clip_sheet(clip, tracks, run.record.prompts.regions, max_width=_SHEET_WIDTH)
    sheet = headed(sheet, run.record.note)
    stream = io.BytesIO()
    Image.fromarray(sheet).save(stream, "JPEG", quality=85)
    return data_uri(stream.getvalue(), "image/jpeg")


def data_uri(data: bytes, kind: str) -> str:
    """Give bytes as a data URI.

    Examples
    --------
    >>> data_uri(b"dye", "text/plain")
    'data:text/plain;base64,ZHll'
    """
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
