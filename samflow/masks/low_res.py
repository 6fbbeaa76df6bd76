"""From a binary mask to the low-resolution logits that SAM takes as a mask prompt."""

from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

from samflow.errors import SamflowError


def mask_to_low_res_logits(
    mask: np.ndarray,
    image_size: int = 1024,
    mask_size: int = 256,
    value: float = 18.0,
    coverage: float = 0.0,
    stretch: bool = False,
) -> np.ndarray:
    """Turn a binary mask into the low-resolution logits that SAM takes as a mask prompt.

    Parameters
    ----------
    mask : ndarray
        (H, W) bool, or numbers of which 0 is outside.
    image_size : int
        Side of the model's square input, px (`Sam.image_size`).
    mask_size : int
        Side of the model's low-resolution logits, cells (`Sam.mask_size`).
    value : float
        Foreground cells become `value`, all others, padding included, `-value`.
    coverage : float
        A cell is foreground when the share of it that the mask covers exceeds this, in [0, 1).
    stretch : bool
        The model stretches frames to its square instead of padding them, as SAM 2 does.

    Returns
    -------
    ndarray
        (1, mask_size, mask_size) float32.

    Notes
    -----
    The inverse of SAM's post-processing (`Sam.postprocess_masks`): the mask is scaled like the
    image, longest side to `image_size`, padded right and bottom to a square, and reduced to cells.
    A cell's share is the exact area of the mask inside it, so that a thread thinner than a cell is
    not lost. The decoder's own outputs lie within about +-18; given 0 and 1, SAM finds background
    everywhere.

    Examples
    --------
    >>> mask_to_low_res_logits(np.ones((2, 4), bool), image_size=8, mask_size=4)[0].tolist()[1:3]
    [[18.0, 18.0, 18.0, 18.0], [-18.0, -18.0, -18.0, -18.0]]
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise SamflowError(f"expected a mask (H, W), got shape {mask.shape}.")
    if not 0 <= coverage < 1:
        raise SamflowError(f"coverage is a share in [0, 1), got {coverage}.")
    scale = image_size / max(mask.shape)
    # rounded like segment_anything's ResizeLongestSide
    sides = [image_size if stretch else int(length * scale + 0.5) for length in mask.shape]
    down, across = (
        _overlap(length, side, image_size, mask_size)
        for length, side in zip(mask.shape, sides, strict=True)
    )
    rows = down @ (mask != 0).astype(np.float64)  # (mask_size, W)
    share = (across @ rows.T).T  # (mask_size, mask_size)
    # sums of exact shares may miss 0 or `coverage` by rounding
    foreground = share > coverage + 1e-9
    return np.where(foreground, value, -value).astype(np.float32)[None]


@lru_cache(maxsize=16)
def _overlap(length: int, resized: int, image_size: int, mask_size: int) -> csr_array:
    """Share of each cell that each pixel covers along one axis: (mask_size, length) float64.

    Sparse: a cell meets few pixels, or a pixel few cells.
    """
    cell = image_size / mask_size
    cells = np.arange(mask_size)[:, None] * cell
    pixels = np.arange(length)[None] * (resized / length)
    covered = np.minimum(cells + cell, pixels + resized / length) - np.maximum(cells, pixels)
    return csr_array(np.clip(covered, 0, None) / cell)
