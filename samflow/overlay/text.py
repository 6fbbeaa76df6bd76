"""Antialiased text on frames.

The font is DejaVu Sans, which comes with matplotlib: no system font is needed, its digits are all
of one width (a running time does not jitter), and it covers Latin, Greek and Cyrillic letters.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Color = tuple[int, int, int]

BACKGROUND: Color = (17, 19, 23)
BRIGHT: Color = (240, 242, 245)
DIM: Color = (168, 174, 184)


def font_size_for(panel_width: int) -> int:
    """Font size in px that reads well under a panel of that width."""
    return int(np.clip(round(0.034 * panel_width), 12, 34))


@lru_cache(maxsize=64)
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


@lru_cache(maxsize=512)
def text_mask(text: str, size: int, bold: bool = False) -> np.ndarray:
    """Coverage of a line of text.

    Parameters
    ----------
    text : str
        One line.
    size : int
        Font size in px.
    bold : bool

    Returns
    -------
    (h, w) uint8
        0 to 255, read-only; h is the same for all texts of one size.
    """
    font = _font(size, bold)
    ascent, descent = font.getmetrics()
    width = max(1, round(font.getlength(text)))
    picture = Image.new("L", (width, ascent + descent))
    ImageDraw.Draw(picture).text((0, ascent), text, fill=255, font=font, anchor="ls")
    mask = np.array(picture)
    mask.setflags(write=False)
    return mask


def fit_text(text: str, width: int, size: int, bold: bool = False) -> str:
    """Shorten `text` with an ellipsis until it is at most `width` px wide."""
    if text_mask(text, size, bold).shape[1] <= width:
        return text
    for length in range(len(text) - 1, 0, -1):
        shorter = text[:length].rstrip() + "…"
        if text_mask(shorter, size, bold).shape[1] <= width:
            return shorter
    return ""


def draw_text(canvas: np.ndarray, mask: np.ndarray, x: int, middle: int, color: Color) -> None:
    """Draw a text mask into a canvas in place.

    Parameters
    ----------
    canvas : (H, W, 3) uint8
        RGB.
    mask : (h, w) uint8
        From `text_mask`; what reaches outside of the canvas is cut off.
    x : int
        Left end in px.
    middle : int
        Row of the line's middle in px.
    color : (r, g, b)
    """
    top = middle - mask.shape[0] // 2
    mask = mask[max(0, -top) :, max(0, -x) :]
    place = canvas[max(0, top) :, max(0, x) :][: mask.shape[0], : mask.shape[1]]
    weight = mask[: place.shape[0], : place.shape[1], None].astype(np.int32)
    place[:] = (place * (255 - weight) + np.array(color, np.int32) * weight + 127) // 255
