from .acquire import cut, download, fetch
from .errors import SamflowError
from .lab.synthetic import DyeClip
from .maskio import Track, read_label_map, write_label_map
from .masks import (
    fill_holes,
    labels_to_boxes,
    labels_to_one_hot,
    logits_to_labels,
    mask_to_low_res_logits,
    sharpen_labels,
)
from .overlay import contact_sheet, overlay_labels, show_video
from .prompts import Prompts, Region
from .results.exports import export
from .results.metrics import boundary_measure, region_similarity, score_track, summarise_scores
from .results.run_measures import measure
from .results.scoring import score
from .results.side_by_side import compare
from .results.suggesting import suggest
from .runs import Places, Run, RunOptions, correct, run, segment
from .sam import Sam, load_sam
from .strategies import (
    Frame,
    PromptOptions,
    RefinedStrategy,
    SamStrategy,
    XMemStrategy,
    build_strategies,
)
from .video import Video, VideoWriter, video_to_frames
from .widget import CompareWidget, MendWidget, PromptWidget, show_track
from .xmem import Tracker, XMem, load_xmem

__version__: str
__all__ = [
    "CompareWidget",
    "DyeClip",
    "Frame",
    "MendWidget",
    "Places",
    "PromptOptions",
    "PromptWidget",
    "Prompts",
    "RefinedStrategy",
    "Region",
    "Run",
    "RunOptions",
    "Sam",
    "SamStrategy",
    "SamflowError",
    "Track",
    "Tracker",
    "Video",
    "VideoWriter",
    "XMem",
    "XMemStrategy",
    "boundary_measure",
    "build_strategies",
    "compare",
    "contact_sheet",
    "correct",
    "cut",
    "download",
    "export",
    "fetch",
    "fill_holes",
    "labels_to_boxes",
    "labels_to_one_hot",
    "load_sam",
    "load_xmem",
    "logits_to_labels",
    "mask_to_low_res_logits",
    "measure",
    "overlay_labels",
    "read_label_map",
    "region_similarity",
    "run",
    "score",
    "score_track",
    "segment",
    "sharpen_labels",
    "show_track",
    "show_video",
    "suggest",
    "summarise_scores",
    "video_to_frames",
    "write_label_map",
]
