from .anchored import AnchoredStrategy
from .base import Frame, Keeps, Strategy, with_sources
from .build import build_strategies
from .by_color import ColorStrategy
from .prompt_options import PromptOptions
from .prompting import refine_labels, segment_first_frame
from .registry import (
    BASELINE_NAMES,
    DEFAULT_NAMES,
    FIT_STEPS,
    FITTED_NAMES,
    REGISTRY,
    STRATEGY_NAMES,
    TITLES,
    StrategyEntry,
    check_strategy_names,
    folder_name,
    models_needed,
    strategy_entry,
)
from .with_flow import FlowStrategy
from .with_grabcut import GrabCutStrategy
from .with_sam import RefinedStrategy, SamStrategy
from .with_tracker import TrackerStrategy
from .with_unet import UNetStrategy
from .with_xmem import XMemStrategy

__all__ = [
    "BASELINE_NAMES",
    "DEFAULT_NAMES",
    "FITTED_NAMES",
    "FIT_STEPS",
    "REGISTRY",
    "STRATEGY_NAMES",
    "TITLES",
    "AnchoredStrategy",
    "ColorStrategy",
    "FlowStrategy",
    "Frame",
    "GrabCutStrategy",
    "Keeps",
    "PromptOptions",
    "RefinedStrategy",
    "SamStrategy",
    "Strategy",
    "StrategyEntry",
    "TrackerStrategy",
    "UNetStrategy",
    "XMemStrategy",
    "build_strategies",
    "check_strategy_names",
    "folder_name",
    "models_needed",
    "refine_labels",
    "segment_first_frame",
    "strategy_entry",
    "with_sources",
]
