"""What the user says about one frame: regions with boxes and points, as JSON."""

from samflow.prompts.drawn_prompts import (
    FrameReference,
    Prompts,
    Region,
    VideoReference,
    frame_sha256,
    region_color,
    ruler_to_scale,
)

__all__ = [
    "FrameReference",
    "Prompts",
    "Region",
    "VideoReference",
    "frame_sha256",
    "region_color",
    "ruler_to_scale",
]
