"""Pure conversions between logits, label maps, boxes and mask prompts."""

from samflow.masks.holes import fill_holes
from samflow.masks.labels import (
    labels_to_boxes,
    labels_to_one_hot,
    logits_to_labels,
    without_labels,
)
from samflow.masks.low_res import mask_to_low_res_logits
from samflow.masks.resizing import resize_labels

__all__ = [
    "fill_holes",
    "labels_to_boxes",
    "labels_to_one_hot",
    "logits_to_labels",
    "mask_to_low_res_logits",
    "resize_labels",
    "without_labels",
]
