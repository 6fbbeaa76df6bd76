"""The ways through a clip: XMem, SAM from frame to frame, SAM refining XMem.

A strategy turns frames into label maps one at a time. Its label maps keep the background regions,
because propagation needs them; `samflow.masks.without_labels` drops them from results.
"""

from samflow.strategies.base import STRATEGY_NAMES, STRATEGY_TITLES, Frame, Strategy
from samflow.strategies.build import build_strategies, check_strategy_names, needs_xmem
from samflow.strategies.prompting import PromptOptions, refine_labels, segment_first_frame
from samflow.strategies.with_sam import RefinedStrategy, SamStrategy
from samflow.strategies.with_xmem import XMemStrategy

__all__ = [
    "STRATEGY_NAMES",
    "STRATEGY_TITLES",
    "Frame",
    "PromptOptions",
    "RefinedStrategy",
    "SamStrategy",
    "Strategy",
    "XMemStrategy",
    "build_strategies",
    "check_strategy_names",
    "needs_xmem",
    "refine_labels",
    "segment_first_frame",
]
