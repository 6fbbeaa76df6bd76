"""Interlaced frames: two moments woven together, line by line."""

import numpy as np

# Share of the squared differences between every second line that those between neighbours make
# up: about 0.3 to 0.5 on frames of one moment, above 0.9 where two are woven; grain alone gives 1
_WOVEN = 0.7
# By how much that share is larger down the frame than across it, where grain is the same
_DOWN = 1.3


def is_woven(image: np.ndarray) -> bool:
    """Whether even and odd lines of a frame show two moments, so that what moves has combs.

    Parameters
    ----------
    image : ndarray
        (H, W, 3) uint8 RGB.

    Notes
    -----
    Things are smooth, so two neighbouring lines differ less than two lines that are two apart;
    where moments are woven together they differ more. Grain adds the same to both, which is why
    lines must stand out against columns.

    Examples
    --------
    >>> image = np.zeros((40, 60, 3), np.uint8)
    >>> image[:, 20:40] = 255
    >>> woven = image.copy()
    >>> woven[1::2] = np.roll(image, 8, axis=1)[1::2]
    >>> is_woven(image), is_woven(woven)
    (False, True)
    """
    pixels = image.astype(np.float32)
    lines, columns = _unevenness(pixels), _unevenness(pixels.transpose(1, 0, 2))
    return lines > _WOVEN and lines > _DOWN * columns


def first_field(image: np.ndarray) -> np.ndarray:
    """Give a frame of one moment: of woven ones the even lines, with the odd ones between them.

    Parameters
    ----------
    image : ndarray
        (H, W, 3) uint8 RGB.

    Returns
    -------
    ndarray
        (H, W, 3) uint8: the image itself unless it is woven (`is_woven`); else each odd line is the
        mean of the even lines beside it. Even lines are the first field where the top one is first,
        as on most interlaced films.
    """
    if not is_woven(image):
        return image
    above = image[:-1:2].astype(np.uint16)
    below = image[2::2]
    if len(below) < len(above):  # below the last line there is none
        below = np.concatenate([below, image[-2:-1]])
    single = image.copy()
    single[1::2] = (above + below + 1) // 2
    return single


def _unevenness(pixels: np.ndarray) -> float:
    """Squared differences between neighbouring lines over those between every second line."""
    near, far = np.diff(pixels, axis=0), pixels[2:] - pixels[:-2]
    return float((near**2).mean() / max(float((far**2).mean()), 1e-6)) if far.size else 0.0
