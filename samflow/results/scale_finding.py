"""The scale that a run's interfaces can be trusted at, from its masks and its frames."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from samflow.masks import ColorGuide, sharpen_labels
from samflow.results.measures.interface import interface_scales, lengths_at_scales
from samflow.results.measures.trust import TrustedScale, trusted_scale
from samflow.strategies import BASELINE_NAMES


class Frames(Protocol):
    """Frames or label maps by number: a `Video`, a `Track`, a list, an array."""

    def __len__(self) -> int:
        """Tell how many there are."""

    def __getitem__(self, index: int, /) -> Any:
        """Give one of them."""


def find_trusted_scale(
    tracks: Mapping[str, Frames],
    images: Frames,
    regions: Sequence[int],
    *,
    frames: int = 16,
    tolerance: float = 0.08,
) -> TrustedScale:
    """Find the smallest scale from which on strategies and their sharpened masks agree.

    Parameters
    ----------
    tracks : mapping of strategy name to label maps
        Tracks of the same clip, by frame number. Baselines are left out where there is anything
        else: what they lose says nothing about the others.
    images : frames by number
        (H, W, 3) uint8 RGB each, such as a `Video`.
    regions : sequence of int
        Labels of the dyes.
    frames : int
        How many frames to look at, evenly spaced. The first one is left out, since strategies
        start from the same masks.
    tolerance : float
        See `samflow.results.measures.trusted_scale`.

    Returns
    -------
    TrustedScale
        Of all regions together. It is at least `mask_grid_px`: what is finer than the grid that
        networks draw masks on is lost in all of them alike.
    """
    compared = [name for name in tracks if name not in BASELINE_NAMES] or list(tracks)
    last = len(images) - 1
    numbers = np.unique(np.linspace(min(1, last), last, min(frames, len(images))).round())
    size = np.shape(images[0])[:2]
    scales = interface_scales(size)
    lengths: dict[str, list[NDArray[np.float64]]] = {}
    for number in tqdm(numbers.astype(int).tolist(), unit="frame", desc="scale"):
        image = images[number]
        guide = ColorGuide(image)
        for name in compared:
            labels = np.asarray(tracks[name][number])
            sharpened = sharpen_labels(labels, image, guide)
            for way, found in ((name, labels), (f"{name}, sharpened", sharpened)):
                rows = [lengths_at_scales(found == region, scales) for region in regions]
                lengths.setdefault(way, []).extend(rows)
    arrays = {way: np.stack(rows) for way, rows in lengths.items()}
    return trusted_scale(scales, arrays, tolerance, mask_grid_px(size))


def mask_grid_px(size: tuple[int, ...]) -> float:
    """Cell of the grid that SAM and XMem draw masks on, in pixels of a frame (H, W).

    Both decode masks at a quarter of their working size: SAM's longer side is 1024 px, XMem's
    shorter side at most 480 px; the coarser one counts.

    Examples
    --------
    >>> mask_grid_px((270, 480)), mask_grid_px((1080, 1920))
    (4.0, 9.0)
    """
    return 4.0 * max(1.0, min(size) / 480, max(size) / 1024)
