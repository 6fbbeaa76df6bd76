"""Titled panels in a grid, with a legend and a caption under them."""

from bisect import bisect_right
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from samflow.errors import SamflowError, check_image
from samflow.overlay.legend import Legend
from samflow.overlay.text import (
    BACKGROUND,
    BRIGHT,
    DIM,
    fit_text,
    font_for,
    load_font,
    text_width,
)

# Height of title and gap as a share of the panel's width, for choosing the columns.
_TITLE_SHARE = 0.06
_TARGET_ASPECT = 16 / 9
# Films narrower than this are enlarged, so that titles can be read.
_MIN_PANEL_WIDTH = 320
# A narrower panel shows nothing.
_NARROWEST_PANEL = 32


def choose_columns(count: int, size: tuple[int, int]) -> int:
    """Columns of the grid whose outer shape is nearest to 16:9.

    Parameters
    ----------
    count : int
        Number of panels, 1 or more.
    size : (H, W)
        Size of a panel.

    Returns
    -------
    int

    Examples
    --------
    >>> [choose_columns(count, (270, 480)) for count in range(1, 7)]
    [1, 2, 2, 2, 3, 3]
    """
    height, width = size

    def distance(columns: int) -> float:
        rows = -(-count // columns)
        aspect = columns * width / (rows * (height + _TITLE_SHARE * width))
        return abs(float(np.log(aspect / _TARGET_ASPECT)))

    return min(range(1, count + 1), key=distance)


def fit_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize an image (H, W, 3) uint8 into `size`, aspect kept, the rest in the background tone."""
    height, width = size
    if image.shape[:2] == size:
        return image
    scale = min(height / image.shape[0], width / image.shape[1])
    inner = (
        max(1, min(width, round(image.shape[1] * scale))),
        max(1, min(height, round(image.shape[0] * scale))),
    )
    if scale < 1:
        resized = _shrink(image, inner)
    else:
        resized = cv2.resize(image, inner, interpolation=cv2.INTER_CUBIC)
    if resized.shape[:2] == size:
        return resized
    out = np.full((height, width, 3), BACKGROUND, np.uint8)
    top, left = (height - inner[1]) // 2, (width - inner[0]) // 2
    out[top : top + inner[1], left : left + inner[0]] = resized
    return out


def _shrink(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize to a smaller (width, height): means of whole pixels, then linear.

    A sixth of the time of means over parts of pixels; on a dye clip 0.5 grey values (rms) off them.
    """
    height, width = image.shape[:2]
    pixels = min(width // size[0], height // size[1])
    if pixels > 1:
        whole = (width // pixels, height // pixels)
        image = cv2.resize(image, whole, interpolation=cv2.INTER_AREA)
    return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)


class PanelGrid:
    """Layout of titled panels in a grid; drawn once, filled for each frame.

    Parameters
    ----------
    titles : sequence of str
        One per panel, in reading order.
    image_size : (H, W)
        Size of the images; they are scaled down together until the whole fits.
    legend : sequence of (name, "#rrggbb")
        Drawn under the panels.
    caption : str
        The longest caption that will come, such as "t = 00.00 s": keeps its place free. Empty
        for none.
    columns : int, optional
        By default `choose_columns`.
    max_width : int
        Of the whole, in px; its height is at most that too.

    Attributes
    ----------
    size : (H, W)
        Of the whole, both even, as H.264 wants it.
    panel_size : (H, W)
        Of one panel.

    Raises
    ------
    SamflowError
        When there is no title, or no room for the panels.
    """

    def __init__(
        self,
        titles: Sequence[str],
        image_size: tuple[int, int],
        *,
        legend: Sequence[tuple[str, str]] = (),
        caption: str = "",
        columns: int | None = None,
        max_width: int = 1920,
    ) -> None:
        if not titles:
            raise SamflowError("nothing to show: give at least one panel.")
        self._titles = tuple(titles)
        self._entries = tuple(legend)
        self._caption = caption
        self._columns = columns or choose_columns(len(titles), image_size)
        self._rows = -(-len(titles) // self._columns)
        self._aspect = image_size[0] / image_size[1]
        widths = range(_NARROWEST_PANEL, max(image_size[1], _MIN_PANEL_WIDTH) + 1)
        fitting = bisect_right(widths, max_width, key=self._set_panel)
        if not fitting:
            raise SamflowError(
                f"{len(titles)} panels don't fit into {max_width} px: "
                "show fewer panels, or allow a larger width."
            )
        self._set_panel(widths[fitting - 1])
        self._template = self._draw_template()

    def _set_panel(self, width: int) -> int:
        """Lay out panels of this width; returns the whole's longer side, px."""
        self.panel_size = (max(1, round(width * self._aspect)), width)
        height = self.panel_size[0]
        self._font = font_for(width)
        self._gap = round(0.8 * self._font)
        self._title_height = round(1.9 * self._font)
        across = self._columns * (width + self._gap) + self._gap
        down = self._rows * (height + self._title_height) + (self._rows - 1) * (self._gap // 2)
        self._footer_top = down + self._gap // 2
        across += across % 2
        self._legend = legend = Legend(self._entries, across - 2 * self._gap, self._font)
        footer, line = legend.height, legend.line_height
        # a caption stands at the right of the last legend line, or under the legend
        caption = text_width(self._caption, self._font)
        if caption and (not footer or legend.last_width + caption > across - 2 * self._gap):
            footer += line
        self._caption_rows = slice(self._footer_top + footer - line, self._footer_top + footer)
        bottom = self._footer_top + footer + self._gap // 2 if footer else down + self._gap
        self.size = (bottom + bottom % 2, across)
        return max(self.size)

    def _draw_template(self) -> np.ndarray:
        page = Image.new("RGB", self.size[::-1], BACKGROUND)
        pen, font = ImageDraw.Draw(page), load_font(self._font, bold=True)
        for number, title in enumerate(self._titles):
            top, left = self._corner(number)
            title = fit_text(title, self.panel_size[1], self._font, bold=True)
            pen.text((left, top - self._title_height // 2), title, BRIGHT, font, "lm")
        self._legend.draw(pen, self._gap, self._footer_top)
        return np.array(page)

    def _corner(self, number: int) -> tuple[int, int]:
        """Row and column in px where the picture of a panel begins."""
        row, column = divmod(number, self._columns)
        height, width = self.panel_size
        top = self._title_height + row * (height + self._title_height + self._gap // 2)
        return top, self._gap + column * (width + self._gap)

    def compose(self, images: Sequence[np.ndarray], caption: str = "") -> np.ndarray:
        """Fill the panels.

        Parameters
        ----------
        images : sequence of (h, w, 3) uint8
            RGB, one per panel; another size than `panel_size` is fitted with its aspect kept.
        caption : str
            Text at the bottom right, such as the time.

        Returns
        -------
        (H, W, 3) uint8
            RGB, of `size`.
        """
        if len(images) != len(self._titles):
            raise SamflowError(f"expected {len(self._titles)} images, got {len(images)}.")
        canvas = self._template.copy()
        height, width = self.panel_size
        for number, image in enumerate(images):
            check_image(image)
            top, left = self._corner(number)
            canvas[top : top + height, left : left + width] = fit_image(image, self.panel_size)
        if caption:
            line = canvas[self._caption_rows]
            strip = Image.fromarray(line)
            place = (line.shape[1] - self._gap, line.shape[0] // 2)
            ImageDraw.Draw(strip).text(place, caption, DIM, load_font(self._font), "rm")
            line[:] = strip
        return canvas
