"""Times as people write them, and the clip names made of them."""

import re

from samflow.errors import SamflowError


def parse_time(time: str | float) -> float:
    """Turn a time as people write it into seconds.

    Parameters
    ----------
    time : str or float
        "mm:ss", "hh:mm:ss" or seconds, each with an optional fraction of a second.

    Returns
    -------
    float
        Seconds, >= 0.

    Raises
    ------
    SamflowError
        When it is none of these.

    Examples
    --------
    >>> parse_time("13:21"), parse_time("1:02:03"), parse_time("75.5"), parse_time(2)
    (801.0, 3723.0, 75.5, 2.0)
    """
    text = str(time).strip()
    match = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?)", text, re.ASCII)
    if match:
        hours, minutes, seconds = int(match[1] or 0), int(match[2] or 0), float(match[3])
        below_60 = (match[2] is None or seconds < 60) and (match[1] is None or minutes < 60)
        if below_60 and len(text) < 30:
            return hours * 3600 + minutes * 60 + seconds
    raise SamflowError(
        f"time {text[:40]!r} is not understood: expected mm:ss, hh:mm:ss or seconds, "
        "such as 13:21, 1:02:03 or 75.5."
    )


def parse_span(start: str | float, end: str | float) -> tuple[float, float]:
    """Turn the start and end of a clip into seconds, the start before the end."""
    begin, stop = parse_time(start), parse_time(end)
    if begin >= stop:
        raise SamflowError(f"start {start} is not before end {end}: expected start < end.")
    return begin, stop


def clip_name(film: int | str, start: str | float, end: str | float) -> str:
    """Name of a clip: film, then start and end as mmss.

    Parameters
    ----------
    film : int or str
        Number of the film in the fluid mechanics series, or any other film's own name.
    start, end : str or float
        Times as `parse_time` takes them.

    Returns
    -------
    str

    Examples
    --------
    >>> clip_name(11, "13:21", "14:02")
    'fluids_11_1321_1402.mp4'
    >>> clip_name("tank", 0, "1:02:03.5")
    'tank_0000_6203.5.mp4'
    """
    stem = f"fluids_{film}" if isinstance(film, int) else film
    marks = []
    for time in (start, end):
        milliseconds = round(parse_time(time) * 1000)
        minutes, rest = divmod(milliseconds, 60_000)
        fraction = f"{rest % 1000 / 1000:g}"[1:]
        marks.append(f"{minutes:02d}{rest // 1000:02d}{fraction}")
    return f"{stem}_{marks[0]}_{marks[1]}.mp4"
