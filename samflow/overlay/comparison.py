"""Frames of a comparison video: the video's frame and each strategy's overlay, side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from samflow.errors import SamflowError
from samflow.overlay.blend import overlay_scaled
from samflow.overlay.panels import PanelGrid, fit_image
from samflow.overlay.text import headed
from samflow.prompts import Region
from samflow.video import VideoWriter

_FILM = "film"
_LONGEST_CAPTION = "0000.00 s    frame 00000"


class Comparison:
    """Layout of a comparison video.

    Parameters
    ----------
    size : (H, W)
        Of the video's frames.
    titles : sequence of str
        One per panel with an overlay: the strategies.
    regions : sequence of Region
        Names and colours; those marked as background are not in the legend.
    film : bool
        Show the plain frame as first panel.
    alpha : float
        Opacity of the overlays, 0 to 1.
    max_width : int
        Of the whole in px.
    heading : str
        Line of text above the panels; empty for none.

    Attributes
    ----------
    size : (H, W)
        Of the frames that `frame` makes, both even.

    Examples
    --------
    >>> regions = [Region(id=1, name="upper dye"), Region(id=2, name="lower dye")]
    >>> comparison = Comparison((270, 480), ["xmem", "sam"], regions)
    >>> image, labels = np.zeros((270, 480, 3), np.uint8), np.zeros((270, 480), np.uint8)
    >>> picture = comparison.frame(image, {"xmem": labels, "sam": labels}, time=0.04, index=1)
    >>> picture.shape[:2] == comparison.size
    True
    """

    def __init__(
        self,
        size: tuple[int, int],
        titles: Sequence[str],
        regions: Sequence[Region],
        *,
        film: bool = True,
        alpha: float = 0.5,
        max_width: int = 1920,
        heading: str = "",
    ) -> None:
        self._heading = heading
        self._titles = tuple(titles)
        self._film = film
        self._alpha = alpha
        self._colors = {region.id: region.color for region in regions}
        self._film_size = (int(size[0]), int(size[1]))
        self._grid = PanelGrid(
            [_FILM, *titles] if film else titles,
            self._film_size,
            legend=[(region.name, region.color) for region in regions if not region.background],
            caption=_LONGEST_CAPTION,
            max_width=max_width,
        )
        height, width = headed(np.zeros((*self._grid.size, 3), np.uint8), heading).shape[:2]
        self.size = (height, width)

    def writer(self, path: str | Path, fps: float) -> VideoWriter:
        """Open the video of such frames.

        x264's preset "ultrafast" at 21 takes 0.4 of the time of "veryfast" at 18. On the demo's
        comparison it is as near to what was drawn (32.0 against 31.7 dB), in a file 21 % larger.
        """
        return VideoWriter(path, self.size, fps, crf=21, preset="ultrafast")

    def frame(
        self,
        image: np.ndarray,
        labels: Mapping[str, np.ndarray],
        time: float | None = None,
        index: int | None = None,
    ) -> np.ndarray:
        """One frame of the comparison.

        Parameters
        ----------
        image : (H, W, 3) uint8
            RGB frame of the video.
        labels : mapping of title to (H, W) uint8
            Label map of each strategy; a title that is missing shows the frame without overlay.
        time : float, optional
            Seconds in the clip.
        index : int, optional
            Frame number.

        Returns
        -------
        (H, W, 3) uint8
            RGB, of `size`.

        Raises
        ------
        SamflowError
            For a label map or image of another size or type, or under an unknown title.
        """
        unknown = set(labels) - set(self._titles)
        if unknown:
            raise SamflowError(f"no panel {sorted(unknown)[0]!r}: expected {list(self._titles)}.")
        if image.shape[:2] != self._film_size:
            raise SamflowError(
                f"expected a frame of size {self._film_size} (H, W), got {image.shape[:2]}."
            )
        panel = fit_image(image, self._grid.panel_size)
        pictures = [panel] if self._film else []
        for title in self._titles:
            if title in labels:
                picture = overlay_scaled(image, labels[title], panel, self._colors, self._alpha)
                pictures.append(picture)
            else:
                pictures.append(panel)
        return headed(self._grid.compose(pictures, _caption(time, index)), self._heading)


def _caption(time: float | None, index: int | None) -> str:
    parts = [] if time is None else [f"{time:.2f} s"]
    parts += [] if index is None else [f"frame {index}"]
    return "    ".join(parts)
