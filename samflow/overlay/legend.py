"""Colour chips with names: what the regions on a picture are."""

from collections.abc import Sequence

from PIL import ImageDraw

from samflow.overlay.blend import outline_rgb
from samflow.overlay.text import BRIGHT, fit_text, load_font, text_width


class Legend:
    """Colour chips with names, on as many lines as they need.

    Parameters
    ----------
    entries : sequence of (name, "#rrggbb")
        Long names are shortened to fit a line.
    width : int
        Room for a line in px.
    font : int
        Font size in px.

    Attributes
    ----------
    line_height : int
        Height in px of one line.
    height : int
        Of all lines in px; 0 without entries.
    last_width : int
        Width in px of the last line, with the gap behind it.
    """

    def __init__(self, entries: Sequence[tuple[str, str]], width: int, font: int) -> None:
        self._font = font
        self._chip, gap = round(1.5 * font), round(1.4 * font)
        self.line_height = round(1.75 * font)
        self.last_width = 0
        # x and line, then name and colour of each entry
        self._placed: list[tuple[int, int, str, str]] = []
        line = -1
        for name, color in entries:
            name = fit_text(name, max(font, width - self._chip), font)
            length = self._chip + text_width(name, font) + gap
            if line < 0 or self.last_width + length - font > width:
                line, self.last_width = line + 1, 0
            self._placed.append((self.last_width, line, name, color))
            self.last_width += length
        self.height = (line + 1) * self.line_height

    def draw(self, pen: ImageDraw.ImageDraw, left: int, top: int) -> None:
        """Draw it with its top left corner there."""
        font = self._font
        for dx, line, name, color in self._placed:
            x, middle = left + dx, top + line * self.line_height + self.line_height // 2
            y = middle - font // 2
            chip = (x, y, x + font - 1, y + font - 1)
            pen.rectangle(chip, color, outline_rgb(color), max(1, font // 10))
            pen.text((x + self._chip, middle), name, BRIGHT, load_font(font), "lm")
