"""Get the film: download it, bring it to mp4, cut the clip out of it."""

from pathlib import Path

from samflow.acquire.cutting import cut
from samflow.acquire.downloading import download
from samflow.acquire.times import clip_name, parse_span, parse_time

__all__ = ["clip_name", "cut", "download", "fetch", "parse_time"]


def fetch(
    url: str, start: str | float, end: str | float, film: int | None, folder: str | Path = "data"
) -> Path:
    """Download a film and cut a clip out of it.

    Parameters
    ----------
    url : str
        Where the film is, http or https.
    start, end : str or float
        Times as `parse_time` takes them.
    film : int or None
        Its number in the fluid mechanics series; None names the clip after the film's title.
    folder : str or Path
        Where the film and the clip go.

    Returns
    -------
    Path
        The clip, named by `clip_name`.

    Raises
    ------
    SamflowError
        As `download` and `cut` do.
    """
    # a wrong time must not cost a download
    begin, stop = parse_span(start, end)
    path = download(url, folder, name=None if film is None else f"fluids_{film}")
    name = clip_name(path.stem if film is None else film, begin, stop)
    return cut(path, begin, stop, Path(folder) / name)
