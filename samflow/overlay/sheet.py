"""A page with frames of several strategies: rows are strategies, columns are times."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from samflow.errors import SamflowError
from samflow.files import atomic_path
from samflow.overlay.blend import overlay_scaled
from samflow.overlay.legend import Legend
from samflow.overlay.panels import fit_image
from samflow.overlay.text import (
    BACKGROUND,
    BRIGHT,
    DIM,
    fit_text,
    font_for,
    load_font,
    text_width,
)
from samflow.prompts import Region


def evenly_spaced(length: int, count: int) -> list[int]:
    """Up to `count` different positions in `range(length)`, evenly spaced, both ends included.

    Examples
    --------
    >>> evenly_spaced(60, 4)
    [0, 20, 39, 59]
    >>> evenly_spaced(2, 5)
    [0, 1]
    """
    return sorted({int(i) for i in np.linspace(0, length - 1, min(count, length)).round()})


def contact_sheet(
    frames: Sequence[tuple[str, np.ndarray, Mapping[str, np.ndarray]]],
    regions: Sequence[Region],
    path: str | Path | None = None,
    *,
    alpha: float = 0.5,
    max_width: int = 2400,
) -> np.ndarray:
    """Draw frames of several strategies on one page.

    Parameters
    ----------
    frames : sequence of (caption, image, labels)
        One a column: a caption such as "0.80 s", the frame (H, W, 3) uint8 RGB, and the label map
        (H, W) uint8 of each strategy by name. The first column's names are the rows.
    regions : sequence of Region
        Names and colours; those marked as background are not in the legend.
    path : str or Path, optional
        PNG file to write.
    alpha : float
        Opacity of the overlays, 0 to 1.
    max_width : int
        Of the page in px.

    Returns
    -------
    (H, W, 3) uint8
        RGB; the first row is the plain film.

    Raises
    ------
    SamflowError
        When there is no frame, a strategy is missing in a column, or a label map doesn't fit.
    """
    if not frames:
        raise SamflowError("nothing to show: a contact sheet needs at least one frame.")
    rows = ["film", *frames[0][2]]
    colors = {region.id: region.color for region in regions}
    page = _Page(rows, [caption for caption, _, _ in frames], frames[0][1].shape[:2], max_width)
    canvas = page.draw([(region.name, region.color) for region in regions if not region.background])
    for column, (caption, image, labels) in enumerate(frames):
        cell = fit_image(image, page.cell)
        page.place(canvas, cell, 0, column)
        for row, name in enumerate(rows[1:], start=1):
            if name not in labels:
                raise SamflowError(f"the column {caption!r} has no label map of {name!r}.")
            picture = overlay_scaled(image, labels[name], cell, colors, alpha)
            page.place(canvas, picture, row, column)
    if path is not None:
        with atomic_path(path) as part:
            Image.fromarray(canvas).save(part, format="PNG")
    return canvas


class _Page:
    """Where things stand on a contact sheet.

    Attributes
    ----------
    cell : (H, W)
        Size of one picture in px.
    """

    def __init__(
        self, rows: Sequence[str], captions: Sequence[str], size: tuple[int, int], max_width: int
    ) -> None:
        self._rows, self._captions = rows, captions
        widths = range(32, size[1] + 1)
        fitting = bisect_right(widths, max_width, key=self._set_cell)
        if not fitting:
            raise SamflowError(
                f"{len(captions)} frames don't fit into {max_width} px: show fewer, or allow a "
                "larger width."
            )
        self._width = self._set_cell(widths[fitting - 1])
        self.cell = (max(1, round(widths[fitting - 1] * size[0] / size[1])), widths[fitting - 1])

    def _set_cell(self, width: int) -> int:
        """Lay out pictures of this width; returns the page's width, px."""
        # a page is looked at as a whole: larger letters than beside a single panel
        self._font = font_for(width, 1.4)
        self._gap = round(0.6 * self._font)
        names = max(text_width(name, self._font, bold=True) for name in self._rows)
        self._left = names + 2 * self._gap
        return self._left + len(self._captions) * (width + self._gap)

    def draw(self, entries: Sequence[tuple[str, str]]) -> np.ndarray:
        """Empty page with the names of rows and columns and the legend."""
        legend = Legend(entries, self._width - self._left - self._gap, self._font)
        bottom, _ = self._corner(len(self._rows), 0)
        height = bottom + legend.height + self._gap // 2
        page = Image.new("RGB", (self._width, height), BACKGROUND)
        pen, bold = ImageDraw.Draw(page), load_font(self._font, bold=True)
        for row, name in enumerate(self._rows):
            middle = self._corner(row, 0)[0] + self.cell[0] // 2
            pen.text((self._left - self._gap, middle), name, BRIGHT, bold, "rm")
        for column, caption in enumerate(self._captions):
            top, left = self._corner(0, column)
            caption = fit_text(caption, self.cell[1], self._font)
            pen.text((left, top // 2), caption, DIM, load_font(self._font), "lm")
        legend.draw(pen, self._left, bottom)
        return np.array(page)

    def place(self, canvas: np.ndarray, picture: np.ndarray, row: int, column: int) -> None:
        """Copy a picture of the cell's size into its place."""
        top, left = self._corner(row, column)
        canvas[top : top + self.cell[0], left : left + self.cell[1]] = picture

    def _corner(self, row: int, column: int) -> tuple[int, int]:
        head = round(1.9 * self._font)
        return (
            head + row * (self.cell[0] + self._gap // 2),
            self._left + column * (self.cell[1] + self._gap),
        )
