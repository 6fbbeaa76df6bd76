"""Download a film."""

import hashlib
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from tqdm.auto import tqdm

from samflow.acquire.film import check_decodes, convert_to_mp4, ffmpeg_program, inspect_film
from samflow.errors import SamflowError

# H.264 with AAC sound plays everywhere; anything else is taken when there is no such film
_FORMAT = "bv*[vcodec^=avc1]+ba[ext=m4a]/b[vcodec^=avc1]/bv*+ba/b"
_ATTEMPTS = 8


def download(url: str, folder: str | Path, name: str | None = None, progress: bool = True) -> Path:
    """Download a film with yt-dlp as an H.264 mp4 that decodes.

    A broken connection is taken up again where it broke. A download that was killed goes on at
    the next call; one that fails leaves nothing.

    Parameters
    ----------
    url : str
        Page or file, http or https.
    folder : str or Path
        Where the film goes; made when missing.
    name : str, optional
        Name of the file without suffix; by default the film's title and id.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Path
        The mp4.

    Raises
    ------
    SamflowError
        When the address is wrong, there is no film, the connection fails for good, or what came
        does not decode.
    """
    address = urlparse(url)
    if address.scheme not in ("http", "https") or not address.netloc:
        remedy = (
            "A film on this disk needs no download: samflow cut"
            if Path(url).exists()
            else ("Copy it from the browser's address bar")
        )
        raise SamflowError(
            f"{url!r} can't be downloaded: expected an http or https address. {remedy}."
        )
    folder = Path(folder)
    # the same address finds its unfinished download again
    work = folder / f".download-{hashlib.sha256(url.encode()).hexdigest()[:12]}"
    is_new = not folder.exists()
    try:
        work.mkdir(parents=True, exist_ok=True)
        got = _run_yt_dlp(url, work, progress)
        film = got
        try:
            timing = inspect_film(got)
            if timing.codec != "h264" or not timing.is_mp4:
                film = work / "converted.mp4"
                convert_to_mp4(got, film, keep_video=timing.codec == "h264")
            check_decodes(film)
        except SamflowError as error:
            raise SamflowError(
                f"{url} did not send a video that decodes: expected a film or a page with one. "
                "Open the address in a browser to see what is there."
            ) from error
        final = folder / f"{name or got.stem}.mp4"
        os.replace(film, final)
    except OSError as error:
        shutil.rmtree(work, ignore_errors=True)
        raise SamflowError(
            f"{folder} can't be written: {error.strerror or error}. Choose another folder."
        ) from error
    except Exception:
        shutil.rmtree(work, ignore_errors=True)
        if is_new:
            with suppress(OSError):  # another download uses it
                folder.rmdir()
        raise
    shutil.rmtree(work)
    return final


def _run_yt_dlp(url: str, work: Path, progress: bool) -> Path:
    import yt_dlp

    bar = tqdm(unit="B", unit_scale=True, desc="download", disable=not progress)

    def report(status: dict[str, Any]) -> None:
        bar.total = status.get("total_bytes") or status.get("total_bytes_estimate")
        bar.update(max(0, (status.get("downloaded_bytes") or 0) - bar.n))

    options = {
        "format": _FORMAT,
        "merge_output_format": "mp4",
        "paths": {"home": str(work)},
        # title and id, short enough for any file system
        "outtmpl": {"default": "%(title).100B-%(id).40B.%(ext)s"},
        "restrictfilenames": True,
        "noplaylist": True,
        "continuedl": True,
        "retries": _ATTEMPTS,
        "fragment_retries": _ATTEMPTS,
        "retry_sleep_functions": {"http": lambda n: min(0.2 * 2**n, 10)},
        "socket_timeout": 30,
        "ffmpeg_location": ffmpeg_program(),
        "cachedir": False,
        "updatetime": False,
        "quiet": True,
        "no_warnings": True,
        "noprogress": True,
        "no_color": True,
        "logger": _Silent(),
        "progress_hooks": [report],
    }
    try:
        with bar, yt_dlp.YoutubeDL(options) as downloader:
            info = downloader.extract_info(url, download=True)
    except yt_dlp.utils.YoutubeDLError as error:
        lines = str(error).removeprefix("ERROR: ").strip().splitlines() or ["no reason given"]
        reason = re.split(r"; please report| \(caused by ", lines[0])[0].rstrip(".")
        raise SamflowError(
            f"{url} could not be downloaded: {reason}. Check the address and the connection; "
            "for a film on a page, a newer yt-dlp may be needed."
        ) from error
    done = (info or {}).get("requested_downloads") or []
    if len(done) != 1:
        raise SamflowError(f"{url} is not one film but a list: give the address of one film.")
    return Path(done[0]["filepath"])


class _Silent:
    """Takes yt-dlp's messages; errors come as exceptions too."""

    def debug(self, message: str) -> None: ...
    def warning(self, message: str) -> None: ...
    def error(self, message: str) -> None: ...
