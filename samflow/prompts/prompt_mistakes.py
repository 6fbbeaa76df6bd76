"""What is wrong with a file of prompts, in one line that says what to write instead."""

from typing import Any

from pydantic import ValidationError

HOW_TO_MAKE = (
    "Draw prompts with samflow notebook --film FILE, or write them as samflow run --help shows."
)

# what a key expects, for a user who writes the file by hand
_EXPECTED = {
    "schema": '"samflow.prompts/1"',
    "frame": '{"index": 0, "width": W, "height": H}',
    "index": "a frame number, counted from 0",
    "width": "a whole number of px",
    "height": "a whole number of px",
    "regions": 'a list of regions such as {"id": 1, "name": "dye", "box": [x0, y0, x1, y1]}',
    "id": "a whole number from 1 to 254",
    "name": 'a name such as "upper dye"',
    "color": 'a colour such as "#0000ff"',
    "box": "[x0, y0, x1, y1] in px",
    "points": "[[x, y], ...] in px",
    "point_labels": "0 or 1 for each point, background or foreground",
    "background": "true or false",
    "background_points": "[[x, y], ...] in px",
    "mm_per_px": "a number above 0",
    "ruler": "[[x0, y0], [x1, y1]] in px",
}


def describe_mistake(error: ValidationError) -> str:
    """The first thing that is wrong: its place, what came, what to do.

    Parameters
    ----------
    error : ValidationError
        Of `Prompts`.

    Returns
    -------
    str
        Ends with a full stop.
    """
    mistakes = error.errors()
    first = mistakes[0]
    if no_prompts := _no_prompts_at_all(mistakes):
        return no_prompts
    more = f" ({len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
    place = _place(first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{place}: unknown key: correct its spelling or remove it{more}."
    if first["type"] == "value_error":
        return f"{place}: {first['msg'].removeprefix('Value error, ')}{more}."
    names = [part for part in first["loc"] if part in _EXPECTED]
    expected = _EXPECTED[str(names[-1])] if names else "samflow's prompts"
    # a box of three numbers lacks place 3: a user looks for the box
    if first["type"] == "missing" and isinstance(first["loc"][-1], str):
        return f"{place}: this key is missing: add {expected}{more}."
    if first["type"] == "missing":
        place = _place(first["loc"][: first["loc"].index(names[-1]) + 1])
    return f"{place}: expected {expected}, got {_shown(first['input'])}: correct it{more}."


def _no_prompts_at_all(mistakes: list[Any]) -> str:
    """What to say about JSON of another kind; "" for prompts with mistakes."""
    missing = {each["loc"] for each in mistakes if each["type"] == "missing"}
    other = [each for each in mistakes if each["loc"] == ("schema",)]
    if other:
        came = _shown(other[0]["input"])
        return f"its schema is {came}, prompts have {_EXPECTED['schema']}. {HOW_TO_MAKE}"
    if mistakes[0]["loc"] == () and mistakes[0]["type"] != "value_error":
        return f"it holds {_shown(mistakes[0]['input'])}, not prompts. {HOW_TO_MAKE}"
    if {("frame",), ("regions",)} <= missing:
        return f"it has neither frame nor regions, so it holds no prompts. {HOW_TO_MAKE}"
    return ""


def _place(parts: tuple[int | str, ...]) -> str:
    """Where in the file, such as "regions[0].box"."""
    place = ""
    for part in parts:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
    return place or "prompts"


def _shown(value: object) -> str:
    return f"{value!r:.80}"
