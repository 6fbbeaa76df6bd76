"""Regions fitted to a frame's colours: a guided filter that weighs its windows."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from samflow.masks.fields import first_field

Array = NDArray[np.float32]

# Radii of the windows, as shares of the frame's height
_RADII = (1 / 45, 2 / 27, 2 / 9)
# Radius of a window in blocks: what windows know is kept for blocks of pixels, not for each pixel
_BLOCKS = 3
# Variance of colours (0..1) that a window takes for noise
_EPSILON = 1e-3
# Unsharp mask that undoes some of the lens's blur: its width as a share of the height, its strength
_BLUR, _STRENGTH = 1.5 / 270, 1.0
# A window's weight is this power of the share of a region's variance that its colours explain
_POWER = 4
# Weight of what is given: it stays where all windows explain less than about a quarter
_KEEP = 0.004
# Variance below which a window lies wholly inside or outside of a region
_WHOLE = 1e-4


@dataclass(frozen=True)
class _Windows:
    """What windows of one size know about colours; (h, w) are blocks.

    Parameters
    ----------
    mean : (h, w, 3) ndarray
        Mean colour.
    inverse : (h, w, 3, 3) ndarray
        Inverse of the colours' covariance matrix, `_EPSILON` added to its diagonal.
    """

    mean: Array
    inverse: Array

    @property
    def size(self) -> tuple[int, int]:
        """(h, w), blocks."""
        return self.mean.shape[0], self.mean.shape[1]


class ColorGuide:
    """Colours of one frame, ready to draw the edges of any number of label maps.

    Parameters
    ----------
    image : ndarray
        (H, W, 3) uint8 RGB.

    Notes
    -----
    In a window the share p of a region at each pixel is fitted by a linear function of its colour
    I, p = a.I + b, with a = (S + eps 1)^-1 cov(I, p), S the covariance matrix of the window's
    colours, and b = mean(p) - a.mean(I). Each pixel takes the mean of what the windows around it
    say: the guided filter of He, Sun and Tang, "Guided image filtering", IEEE TPAMI 35, 1397
    (2013), equations 19 to 21, with statistics of blocks of pixels, as in He and Sun, "Fast guided
    filter", arXiv:1505.00996.

    Other than there, windows of three sizes are asked, and each one's weight is R^8, where
    R^2 = a.cov(I, p) / var(p) is the share of the region's variance that the window's colours
    explain (the coefficient of determination). So large windows decide where colours part regions
    far and wide, small ones where they do only nearby, and none where they don't: there the given
    share stays.

    Of an interlaced frame the colours of one moment are taken (`samflow.masks.first_field`): edges
    would follow the combs otherwise.

    Radii are 1/45, 2/27 and 2/9 of the frame's height; eps is 1e-3 for colours in 0..1. The frame
    is sharpened first by an unsharp mask. Time and memory grow with the number of pixels alone: for
    480x270 px about 20 ms here, and 25 ms for each `fit` of four regions, on one core.
    """

    def __init__(self, image: np.ndarray) -> None:
        height, width = image.shape[:2]
        colors = first_field(image).astype(np.float32) / 255
        blurred = np.asarray(cv2.GaussianBlur(colors, (0, 0), _BLUR * height), np.float32)
        sharp = colors + _STRENGTH * (colors - blurred)
        self._colors: Array = np.asarray(sharp, np.float32)  # (H, W, 3)
        blocks = [max(1.0, radius * height / _BLOCKS) for radius in _RADII]
        sizes = [(max(1, round(height / b)), max(1, round(width / b))) for b in blocks]
        self._fine = sizes[0]
        pairs = [self._colors[..., i:] * self._colors[..., i : i + 1] for i in range(3)]
        products: Array = np.concatenate(pairs, axis=2)  # (H, W, 6): rr rg rb gg gb bb
        mean, products = (_block_means(planes, self._fine) for planes in (self._colors, products))
        self._windows = [
            _color_windows(_block_means(mean, size), _block_means(products, size)) for size in sizes
        ]

    def fit(self, shares: Array) -> Array:
        """Fit the share of each region at each pixel to the colours.

        Parameters
        ----------
        shares : ndarray
            (K, H, W) float32 in [0, 1], K >= 2. Over all regions, background included, they sum to
            1.

        Returns
        -------
        ndarray
            (K, H, W) float32. Being linear in colour, they may lie a little outside of [0, 1];
            each is fitted by itself, so their sum is 1 only roughly.
        """
        size = self._colors.shape[:2]
        means = [self._region_means(share) for share in shares[1:]]
        # products with the share of the first region are what those with all others leave
        means.insert(0, self._region_means(np.ones(size, np.float32)) - sum(means))
        return np.stack([self._fit_one(*pair) for pair in zip(shares, means, strict=True)])

    def _region_means(self, share: Array) -> Array:
        """Block means of colour times share, and of share: (h, w, 4)."""
        return _block_means(np.dstack([self._colors * share[..., None], share]), self._fine)

    def _fit_one(self, share: Array, means: Array) -> Array:
        """Fit the share of one region, (H, W)."""
        size = share.shape
        line, weight = np.zeros((*size, 4), np.float32), np.full(size, _KEEP, np.float32)
        for windows in self._windows:
            lines, weights = _fit_lines(windows, _block_means(means, windows.size))
            line += _to_pixels(lines, size)
            weight += _to_pixels(weights, size)
        value = np.einsum("hwc,hwc->hw", line[..., :3], self._colors) + line[..., 3]
        return (value + _KEEP * share) / weight


def _block_means(planes: Array, size: tuple[int, int]) -> Array:
    """Means over blocks: (H, W, C) to (h, w, C)."""
    if planes.shape[:2] == size:
        return planes
    # OpenCV resizes up to four channels at once
    parts = np.array_split(planes, -(-planes.shape[2] // 4), axis=2)
    small = [
        cv2.resize(np.ascontiguousarray(part), size[::-1], interpolation=cv2.INTER_AREA)
        for part in parts
    ]
    return np.dstack(small)


def _to_pixels(blocks: Array, size: tuple[int, ...]) -> Array:
    """Blocks (h, w, C) spread over the pixels of a frame, linear between their centres."""
    return np.asarray(cv2.resize(blocks, size[::-1], interpolation=cv2.INTER_LINEAR))


def _window_means(planes: Array) -> Array:
    """Mean over the window around each block."""
    side = 2 * _BLOCKS + 1
    return np.asarray(cv2.blur(planes, (side, side), borderType=cv2.BORDER_REFLECT))


def _color_windows(mean: Array, products: Array) -> _Windows:
    """What windows know, from block means of colours (h, w, 3) and their products (h, w, 6)."""
    mean = _window_means(mean)
    covariance = np.empty((*mean.shape, 3), np.float32)
    products = np.dstack([_window_means(products[..., :3]), _window_means(products[..., 3:])])
    for plane, (i, j) in enumerate([(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]):
        value = products[..., plane] - mean[..., i] * mean[..., j]
        covariance[..., i, j] = covariance[..., j, i] = value
    return _Windows(mean, np.linalg.inv(covariance + _EPSILON * np.eye(3, dtype=np.float32)))


def _fit_lines(windows: _Windows, means: Array) -> tuple[Array, Array]:
    """Weighted linear functions (h, w, 4) of one region around each block, and weights (h, w)."""
    means = _window_means(means)
    share = means[..., 3]
    covariance = means[..., :3] - windows.mean * share[..., None]
    slope = np.einsum("hwij,hwj->hwi", windows.inverse, covariance)
    offset = share - np.einsum("hwi,hwi->hw", slope, windows.mean)
    # shares are 0 or 1, or nearly so: their variance is m (1 - m)
    variance = share * (1 - share) + _WHOLE
    explained = np.einsum("hwi,hwi->hw", slope, covariance) / variance
    weight = np.clip(explained, 0, 1) ** _POWER
    line = np.dstack([slope, offset]) * weight[..., None]
    return _window_means(line), _window_means(weight)
