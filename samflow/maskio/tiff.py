"""A label map from a TIFF, as Fiji, napari and the export of this package write it."""

from pathlib import Path

import numpy as np
import tifffile

from samflow.errors import SamflowError
from samflow.maskio.png import check_labels

_REMEDY = "Save it as one grey or palette page of integers, one value per region: 1, 2, ..., 254."


def read_label_tiff(path: str | Path, size: tuple[int, int], page: int = 0) -> np.ndarray:
    """Read a label map from a TIFF of integers.

    Parameters
    ----------
    path : str or Path
        One page (H, W), or a stack of several.
    size : (H, W)
        The size that it must have.
    page : int
        Which page of a stack; a file with one page has that one.

    Returns
    -------
    (H, W) uint8
        0 is background.

    Raises
    ------
    SamflowError
        For a missing or damaged file, another size, a stack without that page, and pixel values
        that are not labels: RGB, fractions, 0/255, antialiased edges, above 254.
    """
    path = Path(path)
    try:
        with tifffile.TiffFile(path) as file:
            pages = len(file.pages)
            if pages > 1 and page >= pages:
                raise SamflowError(f"{path} has {pages} pages, none for frame {page}.")
            labels = np.asarray(file.pages[page if pages > 1 else 0].asarray())
    except FileNotFoundError:
        raise SamflowError(f"{path} can't be read: no such file. Check the path.") from None
    except (OSError, ValueError, IndexError, tifffile.TiffFileError) as error:
        raise SamflowError(f"{path} is not a TIFF that can be read ({error}). {_REMEDY}") from error
    if labels.ndim != 2 or labels.dtype.kind not in "iu":
        raise SamflowError(
            f"{path} holds {labels.shape} of {labels.dtype}, so its pixel values are not labels. "
            f"{_REMEDY}"
        )
    if labels.shape != tuple(size):
        raise SamflowError(
            f"{path} is {labels.shape[1]}x{labels.shape[0]} pixels, expected {size[1]}x{size[0]}: "
            "a label map has the size of its frames."
        )
    if labels.min() < 0 or labels.max() > 255:
        raise SamflowError(
            f"{path} holds values from {labels.min()} to {labels.max()}, expected labels from 0 to "
            f"254. {_REMEDY}"
        )
    labels = labels.astype(np.uint8)
    check_labels(path, labels)
    return labels
