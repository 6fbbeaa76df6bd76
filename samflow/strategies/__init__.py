"""The ways through a clip: XMem, SAM from frame to frame, SAM refining XMem; and baselines.

A strategy turns frames into label maps one at a time. Its label maps keep the background regions,
because propagation needs them; `samflow.masks.without_labels` drops them from results.

The baselines are what people do without a network: colours (`by_color`), GrabCut, optical flow.
Like the others they begin with the first frame's label map.
"""

from samflow.strategies.base import (
    BASELINE_NAMES,
    STRATEGY_NAMES,
    TITLES,
    Frame,
    Strategy,
)
from samflow.strategies.build import (
    build_strategies,
    check_strategy_names,
    needs_sam,
    needs_xmem,
)
from samflow.strategies.by_color import ColorStrategy
from samflow.strategies.prompting import PromptOptions, refine_labels, segment_first_frame
from samflow.strategies.with_flow import FlowStrategy
from samflow.strategies.with_grabcut import GrabCutStrategy
from samflow.strategies.with_sam import RefinedStrategy, SamStrategy
from samflow.strategies.with_xmem import XMemStrategy

__all__ = [
    "BASELINE_NAMES",
    "STRATEGY_NAMES",
    "TITLES",
    "ColorStrategy",
    "FlowStrategy",
    "Frame",
    "GrabCutStrategy",
    "PromptOptions",
    "RefinedStrategy",
    "SamStrategy",
    "Strategy",
    "XMemStrategy",
    "build_strategies",
    "check_strategy_names",
    "needs_sam",
    "needs_xmem",
    "refine_labels",
    "segment_first_frame",
]
