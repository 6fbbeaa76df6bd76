"""Colour chips with names: what the regions on a picture are."""

from collections.abc import Sequence

import numpy as np

from samflow.overlay.blend import color_to_rgb, outline_rgb
from samflow.overlay.text import BRIGHT, draw_text, fit_text, text_mask


def legend_height(legend: Sequence[tuple[str, str]], width: int, font: int) -> int:
    """Height in px of the lines that the legend takes within `width` px; 0 without entries."""
    lines = legend_lines(legend, width, font)
    return len(lines) * line_height(font)


def draw_legend(
    canvas: np.ndarray, legend: Sequence[tuple[str, str]], corner: tuple[int, int], font: int
) -> None:
    """Draw colour chips with names into the canvas in place.

    Parameters
    ----------
    canvas : (H, W, 3) uint8
        As wide as the legend may be, from the corner's x to the right end.
    legend : sequence of (name, "#rrggbb")
    corner : (x, y)
        Top left of the first line in px.
    font : int
        Font size in px.
    """
    x0, y = corner
    for line in legend_lines(legend, canvas.shape[1] - x0, font):
        x, middle = x0, y + line_height(font) // 2
        for name, color in line:
            top = middle - font // 2
            edge = max(1, font // 10)
            canvas[top : top + font, x : x + font] = outline_rgb(color)
            inside = canvas[top + edge : top + font - edge, x + edge : x + font - edge]
            inside[:] = color_to_rgb(color)
            mask = text_mask(name, font)
            draw_text(canvas, mask, x + _chip_width(font), middle, BRIGHT)
            x += entry_width(name, font)
        y += line_height(font)


def legend_lines(
    legend: Sequence[tuple[str, str]], width: int, font: int
) -> list[list[tuple[str, str]]]:
    """Entries of each line that is at most `width` px wide; long names shortened to fit."""
    lines: list[list[tuple[str, str]]] = []
    x = 0
    for name, color in legend:
        name = fit_text(name, max(font, width - _chip_width(font)), font)
        if not lines or x + entry_width(name, font) - font > width:
            lines.append([])
            x = 0
        lines[-1].append((name, color))
        x += entry_width(name, font)
    return lines


def line_height(font: int) -> int:
    """Height in px of a line of the legend."""
    return round(1.75 * font)


def _chip_width(font: int) -> int:
    return round(1.5 * font)


def entry_width(name: str, font: int) -> int:
    """Width in px of a chip with its name and the gap to the next entry."""
    return _chip_width(font) + text_mask(name, font).shape[1] + round(1.4 * font)
