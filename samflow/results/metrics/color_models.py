"""What a frame's colours say about a label map: how far masks follow from their own colours."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Lab = NDArray[np.float32]
Mask = NDArray[np.bool_]

# variance added to each channel, squares of a step of the 8-bit scale: noise, and a flat colour
_NOISE = 4.0
# pixels that a colour needs
_LEAST = 30
# a region is compared with its colours no further away than this share of the frame's height
_REACH = 1 / 45


@dataclass(frozen=True)
class ColorModels:
    """One Gaussian in CIE L*a*b* for each label of a label map.

    Attributes
    ----------
    labels : tuple of int
        Those with enough pixels.
    means : (K, 3) array of float64
        Mean colour of each.
    covariances : (K, 3, 3) array of float64
        Each with the noise of an image added.
    """

    labels: tuple[int, ...]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]

    @classmethod
    def learn(cls, labels: NDArray[np.integer], lab: Lab) -> "ColorModels":
        """Learn each label's colour from its pixels, without its rim where there is enough left.

        Parameters
        ----------
        labels : (H, W) integer array
        lab : (H, W, 3) float32
            The frame in L*a*b*.
        """
        found, means, covariances = [], [], []
        for label in np.unique(labels).tolist():
            mask = (labels == label).astype(np.uint8)
            core = cv2.erode(mask, np.ones((3, 3), np.uint8)) > 0
            colors = lab[core if core.sum() > 2 * _LEAST else mask > 0].astype(np.float64)
            if len(colors) >= _LEAST:
                found.append(label)
                means.append(colors.mean(axis=0))
                covariances.append(np.cov(colors.T) + _NOISE * np.eye(3))
        shape = (len(found), 3)
        return cls(tuple(found), np.reshape(means, shape), np.reshape(covariances, (*shape, 3)))

    def shares(self, lab: Lab) -> dict[int, NDArray[np.float32]]:
        """Probability of each label at each pixel by its colour alone, all equally likely before.

        Parameters
        ----------
        lab : (H, W, 3) float32

        Returns
        -------
        dict of int to (H, W) float32
            In [0, 1]; their sum is 1.
        """
        if not self.labels:
            return {}
        # the quadratic forms of all labels are one product with the monomials of a colour
        x = (lab - self.means.mean(axis=0).astype(np.float32)).reshape(-1, 3)
        squares = [x[:, i] * x[:, j] for i in range(3) for j in range(i, 3)]
        terms = np.stack([*squares, *x.T, np.ones(len(x), np.float32)])
        logs = self._coefficients() @ terms  # (K, 10) x (10, pixels)
        logs -= logs.max(axis=0)
        np.exp(logs, out=logs)
        logs /= logs.sum(axis=0)
        return dict(zip(self.labels, logs.reshape(-1, *lab.shape[:2]), strict=True))

    def _coefficients(self) -> NDArray[np.float32]:
        """Coefficients of each label's log density over the monomials: squares, colours, 1."""
        rows = []
        for mean, covariance in zip(
            self.means - self.means.mean(axis=0), self.covariances, strict=True
        ):
            inverse = np.linalg.inv(covariance)
            squares = [
                -(0.5 if i == j else 1) * inverse[i, j] for i in range(3) for j in range(i, 3)
            ]
            constant = -0.5 * (mean @ inverse @ mean + np.linalg.slogdet(covariance)[1])
            rows.append([*squares, *(inverse @ mean), constant])
        return np.array(rows, np.float32)


def color_fit(mask: Mask, share: NDArray[np.float32] | None) -> float:
    """Tell how far a region is what its colour says: overlap of the mask with a soft one.

    Parameters
    ----------
    mask : (H, W) array of bool
        The region.
    share : (H, W) float32 or None
        Its probability by colour, from `ColorModels.shares`; None when it has no colour.

    Returns
    -------
    float
        sum(m p) / sum(m + p - m p), a soft intersection over union, over the region and what is
        nearer than 1/45 of the frame's height: in [0, 1], 1 for colours that tell the region from
        everything near it, without a pixel on the wrong side; 0 without a colour. NaN without a
        region.
    """
    if not mask.any():
        return math.nan
    if share is None:
        return 0.0
    reach = max(1, round(_REACH * mask.shape[0]))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near = cv2.dilate(mask.astype(np.uint8), kernel) > 0
    inside, around = float(share[mask].sum()), float(share[near].sum())
    return inside / (float(mask.sum()) + around - inside)
