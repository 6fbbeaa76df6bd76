"""From prompts to a label map, and from a label map to a better one."""

import numpy as np

from samflow.masks import (
    fill_holes,
    labels_to_boxes,
    labels_to_one_hot,
    logits_to_labels,
)
from samflow.prompts import Prompts
from samflow.sam import Segmenter
from samflow.strategies.base import Frame
from samflow.strategies.prompt_options import PromptOptions
from samflow.weights import waiting


def segment_first_frame(
    sam: Segmenter, frame: Frame, prompts: Prompts, options: PromptOptions | None = None
) -> np.ndarray:
    """Predict the user's regions on the frame that the prompts belong to.

    Parameters
    ----------
    sam : Segmenter
    frame : Frame
    prompts : Prompts
    options : PromptOptions, optional

    Returns
    -------
    ndarray
        (H, W) uint8 label map, background regions included.
    """
    options = options or PromptOptions()
    with waiting(f"SAM encodes frame {frame.index} on {sam.device.type}"):
        embedding = frame.embedding(sam)
    logits = sam.predict_regions(embedding, prompts, options.use_points)
    return _logits_to_labels(sam, logits, prompts.ids, options)


def refine_labels(
    sam: Segmenter,
    frame: Frame,
    labels: np.ndarray,
    use_masks: bool = True,
    options: PromptOptions | None = None,
) -> np.ndarray:
    """Predict every region of a label map again, prompted by its own box and mask.

    Parameters
    ----------
    sam : Segmenter
    frame : Frame
    labels : ndarray
        (H, W) uint8, background regions included. A label with no pixel gets no prompt and no mask.
    use_masks : bool
        Prompt with mask + box; otherwise with the box only.
    options : PromptOptions, optional

    Returns
    -------
    ndarray
        (H, W) uint8 label map.
    """
    options = options or PromptOptions()
    ids = [int(i) for i in np.unique(labels) if i != 0]
    if not ids:
        return np.zeros_like(labels)
    boxes = labels_to_boxes(labels, ids)
    mask_logits = None
    if use_masks:
        mask_logits = np.stack(
            [
                sam.mask_prompt(mask, options.mask_value, options.coverage)
                for mask in labels_to_one_hot(labels, ids)
            ]
        )  # (N, 1, mask_size, mask_size)
    logits = sam.predict(
        frame.embedding(sam), boxes=np.array([boxes[i] for i in ids]), mask_logits=mask_logits
    )
    return _logits_to_labels(sam, logits, ids, options)


def _logits_to_labels(
    sam: Segmenter, logits: np.ndarray, ids: list[int], options: PromptOptions
) -> np.ndarray:
    """Fill small holes of each region, then merge; `logits` (N, 1, H, W) are changed."""
    area = options.hole_area(logits.shape[-2:])
    filled = fill_holes(logits, sam.mask_threshold, area, in_place=True)
    return logits_to_labels(filled, sam.mask_threshold, ids=ids)
