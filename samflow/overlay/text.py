"""Text on pictures: its font, tones and widths.

The font is DejaVu Sans, which comes with matplotlib: no system font is needed, its digits are all
of one width (a running time does not jitter), and it covers Latin, Greek and Cyrillic letters.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

BACKGROUND = (17, 19, 23)
BRIGHT = (240, 242, 245)
DIM = (168, 174, 184)


def font_for(panel_width: int, scale: float = 1.0) -> int:
    """Font size in px that reads well under a panel of that width."""
    return round(scale * int(np.clip(round(0.034 * panel_width), 12, 34)))


@lru_cache(maxsize=64)
def load_font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The font at a size in px."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


def text_width(text: str, size: int, bold: bool = False) -> int:
    """Width of a line of text in px."""
    return round(load_font(size, bold).getlength(text))


def fit_text(text: str, width: int, size: int, bold: bool = False) -> str:
    """Shorten `text` with an ellipsis until it is at most `width` px wide."""
    shorter = [text, *(text[:length].rstrip() + "…" for length in range(len(text) - 1, 0, -1))]
    return next((each for each in shorter if text_width(each, size, bold) <= width), "")


def headed(picture: np.ndarray, text: str) -> np.ndarray:
    """Put a line of text above a picture.

    Parameters
    ----------
    picture : (H, W, 3) uint8
        RGB.
    text : str
        Shortened where it is too long; empty leaves the picture as it is.

    Returns
    -------
    (H + h, W, 3) uint8
        `h` is even, and the same for pictures of one width.
    """
    if not text:
        return picture
    width = picture.shape[1]
    font = font_for(width // 2)
    line = Image.new("RGB", (width, 2 * font), BACKGROUND)
    shown = fit_text(text, width - font, font, bold=True)
    place = (font // 2, font)
    ImageDraw.Draw(line).text(place, shown, BRIGHT, load_font(font, bold=True), anchor="lm")
    return np.concatenate([np.asarray(line), picture])
