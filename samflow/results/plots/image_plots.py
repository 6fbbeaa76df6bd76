"""Figures made of pictures: frames, prompts, logits, mistakes."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from PIL import Image

from samflow.errors import SamflowError
from samflow.prompts import Prompts
from samflow.results.plots.style import panel_grid

if TYPE_CHECKING:
    import IPython.display

# height of a title over a picture, inches
_TITLE = 0.3
# brown to green: apart for colour-blind readers, and neither is the colour of a dye
_LOGIT_COLORS = "BrBG"
# ends before white, so that a mask stands out from the page
_GREYS = LinearSegmentedColormap.from_list("greys", ["0.1", "0.85"])
# of Okabe and Ito
_MISSED, _ADDED, _MIXED = "#e69f00", "#56b4e9", "#cc79a7"


def show_picture(image: np.ndarray, quality: int = 82) -> "IPython.display.Image":
    """Show an RGB image in a notebook, as a JPEG that keeps the notebook small.

    Parameters
    ----------
    image : (H, W, 3) uint8
        RGB.
    quality : int
        Of the JPEG, 1 to 95.

    Returns
    -------
    IPython.display.Image
        Shown when it is the last value of a cell.
    """
    from IPython.display import Image as InlineImage

    data = io.BytesIO()
    Image.fromarray(image).save(data, format="JPEG", quality=quality)
    return InlineImage(data=data.getvalue(), format="jpeg")


def picture_grid(
    pictures: Mapping[str, np.ndarray], *, columns: int = 2, width: float = 9.0
) -> Figure:
    """Draw pictures with titles in a grid.

    Parameters
    ----------
    pictures : mapping of title to (H, W, 3) uint8 or (H, W)
        RGB, or numbers that are drawn in grey from their lowest to their highest.
    columns : int
        Pictures in a row.
    width : float
        Of the figure, inches.

    Returns
    -------
    matplotlib.figure.Figure
        Shown when it is the last value of a cell; `figure.axes` are in the order of `pictures`.

    Examples
    --------
    >>> figure = picture_grid({"dark": np.zeros((9, 16)), "light": np.ones((9, 16))})
    >>> [axes.get_title() for axes in figure.axes]
    ['dark', 'light']
    """
    figure, panels = _picture_grid(pictures, columns, width)
    for axes, picture in zip(panels, pictures.values(), strict=True):
        axes.imshow(picture, cmap=_GREYS, interpolation="nearest")
    return figure


def logit_grid(
    logits: Mapping[str, np.ndarray],
    *,
    threshold: float = 0.0,
    limit: float | None = None,
    columns: int = 3,
    width: float = 9.0,
) -> Figure:
    """Draw logits with one colour scale for all, and the border at the threshold as a black line.

    Parameters
    ----------
    logits : mapping of title to (H, W) float
        The logits of one region each.
    threshold : float
        The middle of the colour scale.
    limit : float, optional
        Distance from the threshold at which the colours end; by default the largest there is.
    columns, width
        As in `picture_grid`.
    """
    figure, panels = _picture_grid(logits, columns, width)
    if limit is None:
        limit = max(float(np.abs(plane - threshold).max()) for plane in logits.values()) or 1.0
    drawn = None
    for axes, plane in zip(panels, logits.values(), strict=True):
        drawn = axes.imshow(
            plane, cmap=_LOGIT_COLORS, vmin=threshold - limit, vmax=threshold + limit
        )
        if plane.min() <= threshold < plane.max():
            axes.contour(plane, [threshold], colors="black", linewidths=0.8)
    assert drawn is not None
    bar = figure.colorbar(drawn, ax=panels, shrink=0.9, pad=0.01, aspect=25)
    bar.ax.tick_params(labelsize=8)
    bar.set_label("logit", fontsize=9)
    return figure


def mistake_grid(
    frames: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
    *,
    columns: int = 2,
    width: float = 9.0,
) -> Figure:
    """Draw where label maps differ from the truth, over the frames in grey.

    Parameters
    ----------
    frames : mapping of title to (image, labels, truth)
        Frame (H, W, 3) uint8 RGB, and two label maps (H, W) uint8.
    columns, width
        As in `picture_grid`.

    Returns
    -------
    matplotlib.figure.Figure
        Pixels of a region that the result lacks, that it has too much, and that it gives to
        another region, each in a colour of its own.
    """
    pictures = {title: _mark_mistakes(*three) for title, three in frames.items()}
    figure, panels = _picture_grid(pictures, columns, width)
    figure.set_figheight(figure.get_figheight() + 0.35)
    for axes, picture in zip(panels, pictures.values(), strict=True):
        axes.imshow(picture)
    meanings = {"missed": _MISSED, "too much": _ADDED, "wrong region": _MIXED}
    figure.legend(
        handles=[Patch(color=color, label=name) for name, color in meanings.items()],
        loc="outside upper center",
        ncols=3,
        frameon=False,
        fontsize=9,
    )
    return figure


def draw_prompts(axes: Axes, prompts: Prompts, points: bool = True) -> None:
    """Draw boxes and points over a picture of their frame.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        With the frame, as `picture_grid` draws it.
    prompts : Prompts
    points : bool
        Draw the points as well: foreground as discs, background as crosses, shared ones in white.
    """
    for region in prompts.regions:
        if region.box is not None:
            x0, y0, x1, y1 = region.box
            # pixel centres are whole numbers, so a pixel's left side lies half a pixel before
            corner, size = (x0 - 0.5, y0 - 0.5), (x1 - x0, y1 - y0)
            axes.add_patch(
                Rectangle(corner, *size, fill=False, edgecolor=region.color, linewidth=2.5)
            )
            axes.annotate(
                region.name,
                (x0, y0),
                (3, -3),
                textcoords="offset points",
                va="top",
                fontsize=8,
                color="white",
                bbox={"facecolor": region.color, "edgecolor": "none", "pad": 1.5},
            )
    # white around a region's own colour, black around the white of shared points
    marks = [
        (*point, kind, region.color, "white")
        for region in prompts.regions
        for point, kind in zip(region.points, region.point_labels, strict=True)
    ]
    marks += [(*point, 0, "white", "black") for point in prompts.background_points]
    for x, y, kind, color, edge in marks if points else ():
        marker = "o" if kind == 1 else "X"
        axes.scatter(x, y, s=80, marker=marker, color=color, edgecolors=edge, zorder=3)


def _mark_mistakes(image: np.ndarray, labels: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The image in pale grey with wrong pixels coloured, (H, W, 3) uint8."""
    if labels.shape != truth.shape or image.shape[:2] != truth.shape:
        raise SamflowError(
            f"expected an image and two label maps of one size, got {image.shape[:2]}, "
            f"{labels.shape} and {truth.shape}: take those of one frame."
        )
    grey = np.asarray(Image.fromarray(image).convert("L"))
    marked = np.repeat((80 + 0.65 * grey).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
    wrong = labels != truth
    kinds = {
        _MISSED: wrong & (labels == 0),
        _ADDED: wrong & (truth == 0),
        _MIXED: wrong & (labels != 0) & (truth != 0),
    }
    for color, where in kinds.items():
        marked[where] = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return marked


def _picture_grid(
    pictures: Mapping[str, np.ndarray], columns: int, width: float
) -> tuple[Figure, list[Axes]]:
    """Figure with a titled, empty panel for each picture, as high as the tallest one needs."""
    columns = max(1, min(columns, len(pictures)))
    aspect = max((p.shape[0] / p.shape[1] for p in pictures.values()), default=1.0)
    figure, panels = panel_grid(pictures, columns, width, width / columns * aspect + _TITLE)
    figure.set_layout_engine("constrained", w_pad=0.03, h_pad=0.03)
    for axes in panels:
        axes.set_axis_off()
    return figure, panels
