"""Segment dye in films of turbulent flow, compare the ways through the clip, measure the result.

The names below are loaded when they are first used, so that `import samflow` stays quick.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "errors": ("SamflowError",),
    "video": ("Video", "VideoWriter", "video_to_frames"),
    "acquire": ("cut", "download", "fetch"),
    "prompts": ("Prompts", "Region"),
    "masks": (
        "fill_holes",
        "labels_to_boxes",
        "labels_to_one_hot",
        "logits_to_labels",
        "mask_to_low_res_logits",
    ),
    "sam": ("Sam", "load_sam"),
    "xmem": ("Tracker", "XMem", "load_xmem"),
    "maskio": ("Track", "read_label_map", "write_label_map"),
    "overlay": ("contact_sheet", "overlay_labels", "show_video"),
    "results.metrics": ("boundary_measure", "region_similarity", "score_track", "summarise_scores"),
    "lab.synthetic": ("DyeClip",),
    "strategies": ("Frame", "RefinedStrategy", "SamStrategy", "XMemStrategy", "build_strategies"),
    "runs.record": ("Run",),
    "runs": ("RunOptions",),
    "widget": ("CompareWidget", "PromptWidget", "show_track"),
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'samflow' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"samflow.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(["__version__", *_MODULE_OF])
