"""Pure conversions between logits, label maps, boxes and mask prompts; sharpening by colours."""

from samflow.masks.color_evidence import ColorEvidence, told_apart
from samflow.masks.color_guide import ColorGuide
from samflow.masks.fields import first_field, is_woven
from samflow.masks.holes import fill_holes
from samflow.masks.joining import join_label_maps
from samflow.masks.labels import (
    labels_to_boxes,
    labels_to_one_hot,
    logits_to_labels,
    without_labels,
)
from samflow.masks.low_res import mask_to_low_res_logits
from samflow.masks.resizing import resize_labels
from samflow.masks.sharpening import sharpen_labels

__all__ = [
    "ColorEvidence",
    "ColorGuide",
    "fill_holes",
    "first_field",
    "is_woven",
    "join_label_maps",
    "labels_to_boxes",
    "labels_to_one_hot",
    "logits_to_labels",
    "mask_to_low_res_logits",
    "resize_labels",
    "sharpen_labels",
    "told_apart",
    "without_labels",
]
