"""How likely each label is by a pixel's colour, as the whole frame has it."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from samflow.masks.fields import first_field

# Bins of each axis of CIELAB, and how far neighbouring bins are mixed, in bins
_BINS, _SMOOTHING = 32, 1.0
# Range of L*, a*, b* that the bins cover
_LOW, _HIGH = np.array([0, -64, -64], np.float32), np.array([100, 64, 64], np.float32)
# Kernel of the median that takes grain off, px
_MEDIAN = 3
# Pixels that each label has in every bin beforehand, so that rare colours say little
_PRIOR = 0.1
# A colour never makes a label less likely than this
_DOUBT = 0.02


class ColorEvidence:
    """How often the regions of a label map have each colour.

    Parameters
    ----------
    image : ndarray
        (H, W, 3) uint8 RGB.

    Notes
    -----
    Histograms in CIELAB with 32 bins along each axis, smoothed by a Gaussian of one bin, after a
    median over 3 x 3 px that takes grain off; of an interlaced frame the colours of one moment.
    All labels weigh the same, however large they are.
    About 30 ms for 480x270 px and four labels on one core.
    """

    def __init__(self, image: np.ndarray) -> None:
        calm = cv2.medianBlur(first_field(image), _MEDIAN).astype(np.float32) / 255
        lab = cv2.cvtColor(calm, cv2.COLOR_RGB2LAB)
        scaled = (lab - _LOW) / (_HIGH - _LOW) * _BINS
        bins = np.clip(scaled, 0, _BINS - 1).astype(np.int32)
        self._bins = (bins[..., 0] * _BINS + bins[..., 1]) * _BINS + bins[..., 2]  # (H, W)

    def learn(self, labels: np.ndarray, ids: np.ndarray) -> NDArray[np.float32]:
        """Histograms (K, bins) of the pixels of each label, each of which sums to 1."""
        counts = [np.bincount(self._bins[labels == i], minlength=_BINS**3) for i in ids]
        cubes = np.stack(counts).astype(np.float32).reshape(-1, _BINS, _BINS, _BINS)
        smooth = gaussian_filter(cubes, (0, *[_SMOOTHING] * 3)).reshape(len(ids), -1)
        return np.asarray(smooth / (smooth.sum(axis=1, keepdims=True) + 1), np.float32)

    def log_likelihoods(self, histograms: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-probability of each label by colour alone, (K, H, W)."""
        counts = histograms * (self._bins.size / len(histograms)) + _PRIOR
        shares = counts / counts.sum(axis=0)
        return np.log(shares + _DOUBT).astype(np.float32)[:, self._bins]


def told_apart(histograms: NDArray[np.float32]) -> NDArray[np.float32]:
    """How well colours tell each label from each other one, (K, K) in [0, 1].

    Parameters
    ----------
    histograms : ndarray
        (K, bins), see `ColorEvidence.learn`.

    Returns
    -------
    ndarray
        (1 - o)^2, with o the histograms' overlap, the sum of the lesser of the two over all bins:
        about 1 for other colours, 0 for the same.

    Examples
    --------
    >>> told_apart(np.array([[1, 0, 0], [0, 0.5, 0.5], [0, 0.5, 0.5]], np.float32)).tolist()
    [[0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    """
    overlap = [[np.minimum(a, b).sum() for b in histograms] for a in histograms]
    return np.asarray((1 - np.clip(overlap, 0, 1)) ** 2, np.float32)
