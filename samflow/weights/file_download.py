"""Download of one large file: it goes on after a broken connection and appears only when whole."""

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from samflow.errors import SamflowError

_ATTEMPTS = 4
_PAUSE_SECONDS = 1.0
# seconds to connect, and of silence while reading
_TIMEOUT = (15, 60)
_CHUNK = 1 << 16
# a torch file is a zip archive or, in the older format, a pickle of protocol 2
_TORCH_STARTS = (b"PK\x03\x04", b"\x80\x02")


def download(name: str, url: str, path: Path, sha256: str | None, progress: bool) -> None:
    """Download a checkpoint to `path`; nothing is kept unless it is whole and has the hash.

    Parameters
    ----------
    name : str
        For messages.
    url : str
    path : Path
    sha256 : str or None
        Expected hash; None accepts any torch file.
    progress : bool
        Show a progress bar.

    Raises
    ------
    SamflowError
        When the connection fails, the file is another one, or it can't be written.
    """
    import pooch
    import requests

    def fetch_into(url: str, part: str, _: object) -> None:
        _download_in_parts(url, Path(part), progress)
        with open(part, "rb") as file:
            if not file.read(4).startswith(_TORCH_STARTS):
                raise SamflowError(
                    f"{url} answered with something that is not a checkpoint, so it was not "
                    f"kept: {_by_hand(path)}"
                )

    try:
        with _quiet(pooch.get_logger()):
            pooch.retrieve(url, sha256, path.name, path.parent, downloader=fetch_into)
    except SamflowError:
        raise
    except requests.RequestException as error:
        raise SamflowError(
            f"{name} could not be downloaded from {url} ({_reason(error)}): check the network, "
            f"or {_by_hand(path)}"
        ) from error
    except OSError as error:
        raise SamflowError(
            f"{path} could not be written: {error.strerror or error}. Free some space, or set "
            "SAMFLOW_CACHE to another folder."
        ) from error
    except ValueError as error:
        # pooch says "expected HASH but got HASH"
        got = re.findall(r"[0-9a-f]{64}", str(error))[-1]
        raise SamflowError(
            f"{url} is not {name}, so it was not kept: expected SHA-256 {sha256}, got {got}. "
            f"Try again later, or {_by_hand(path)}"
        ) from error


def _download_in_parts(url: str, part: Path, progress: bool) -> None:
    """Download into `part`; after a broken connection ask for the rest only."""
    import requests

    broken = (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
    )
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _append(url, part, progress)
        except broken:
            if attempt == _ATTEMPTS:
                raise
            time.sleep(_PAUSE_SECONDS * attempt)
        else:
            return


def _append(url: str, part: Path, progress: bool) -> None:
    import requests
    from tqdm.auto import tqdm

    done = part.stat().st_size
    # unpacked bytes, so that the stated length is that of the file
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            done = 0
        length = response.headers.get("Content-Length")
        total = None if length is None else done + int(length)
        with (
            open(part, "ab" if done else "wb") as file,
            tqdm(
                desc=url.rsplit("/", 1)[-1],
                total=total,
                initial=done,
                unit="B",
                unit_scale=True,
                disable=not progress,
            ) as bar,
        ):
            for chunk in response.iter_content(_CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    if total is not None and part.stat().st_size < total:
        raise requests.ConnectionError("the connection ended early")


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Keep pooch from printing; the progress bar and the errors say what matters."""
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _by_hand(path: Path) -> str:
    return (
        f"download it with a browser and put it into {path.parent} as {path.name}; the weights "
        "called demo need no download, and know dye clips only."
    )


def _reason(error: Exception) -> str:
    """Last cause of a network error in a few words, without addresses of objects."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answered {response.status_code} {response.reason}"
    text = " ".join(str(error).split()).split(": ")[-1].split(" ([Errno")[0].strip('()" ')
    return text or type(error).__name__
