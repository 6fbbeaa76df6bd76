"""SAM: frame to embedding, prompts to logits.

The networks are the official modules of the `segment_anything` package (Kirillov et al., "Segment
Anything", ICCV 2023, arXiv 2304.02643). A checkpoint's architecture is read off its tensors, so
the official ViT-B, ViT-L and ViT-H files, the small demo weights and anyone's own size load alike.
"""

from samflow.sam.architecture import SamArchitecture, architecture_from_state_dict, build_sam
from samflow.sam.predictor import Embedding, Sam, load_sam
from samflow.sam.segmenter import Segmenter

__all__ = [
    "Embedding",
    "Sam",
    "SamArchitecture",
    "Segmenter",
    "architecture_from_state_dict",
    "build_sam",
    "load_sam",
]
