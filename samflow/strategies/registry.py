"""The strategies and baselines by name: what each is called, needs, and is built by.

A new one is a module with a function `(name, parts) -> Strategy`, and a row here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from samflow.errors import SamflowError


@dataclass(frozen=True)
class StrategyEntry:
    """A row of the registry.

    Parameters
    ----------
    name : str
        In commands and run folders.
    title : str
        Over panels and in legends.
    builder : str
        "module:function" in `samflow.strategies`; the function takes the name and
        `samflow.strategies.build.Parts`.
    needs : tuple of str
        Models that it uses on every frame: "sam", "xmem". The first frame's masks are SAM's.
    baseline : bool
        What people do without a network, to compare with.
    default : bool
        One of the method's own, which `samflow run` takes by default.
    sharp : bool
        Its edges follow the frame's colours already.
    """

    name: str
    title: str
    builder: str
    needs: tuple[str, ...] = ()
    baseline: bool = False
    default: bool = False
    sharp: bool = False

    @property
    def can_be_sharpened(self) -> bool:
        """Whether edges are drawn by networks alone, on a grid coarser than the frame."""
        return bool(self.needs) and not self.sharp


_ENTRIES = (
    StrategyEntry("xmem", "XMem", "with_xmem:build_xmem", ("xmem",), default=True),
    StrategyEntry("sam", "SAM from frame to frame", "with_sam:build_sam", ("sam",), default=True),
    StrategyEntry(
        "refined",
        "SAM refining XMem (mask + box)",
        "with_sam:build_refined",
        ("sam", "xmem"),
        default=True,
    ),
    StrategyEntry(
        "refined-box",
        "SAM refining XMem (box only)",
        "with_sam:build_refined",
        ("sam", "xmem"),
        default=True,
    ),
    StrategyEntry(
        "anchored",
        "SAM and XMem anchored to colours",
        "anchored:build_anchored",
        ("sam", "xmem"),
        sharp=True,
    ),
    StrategyEntry("nearest-colour", "nearest colour", "by_color:build_color", baseline=True),
    StrategyEntry("threshold", "colour thresholds", "by_color:build_color", baseline=True),
    StrategyEntry("kmeans", "k-means of colours", "by_color:build_color", baseline=True),
    StrategyEntry("gmm", "Gaussian mixture of colours", "by_color:build_color", baseline=True),
    StrategyEntry(
        "grabcut", "GrabCut from frame to frame", "with_grabcut:build_grabcut", baseline=True
    ),
    StrategyEntry("flow", "optical flow", "with_flow:build_flow", baseline=True),
)
REGISTRY = {entry.name: entry for entry in _ENTRIES}
TITLES = {entry.name: entry.title for entry in _ENTRIES}
DEFAULT_NAMES = tuple(entry.name for entry in _ENTRIES if entry.default)
STRATEGY_NAMES = tuple(entry.name for entry in _ENTRIES if not entry.baseline)
BASELINE_NAMES = tuple(entry.name for entry in _ENTRIES if entry.baseline)


def models_needed(names: Iterable[str]) -> set[str]:
    """Models ("sam", "xmem") that any of the strategies uses on every frame."""
    return {model for name in names for model in REGISTRY[name].needs}


def check_strategy_names(names: Sequence[str]) -> None:
    """Refuse unknown or repeated strategies with a `SamflowError`."""
    known = ", ".join(REGISTRY)
    if not names:
        raise SamflowError(f"no strategy given: choose from {known}.")
    for name in names:
        if name not in REGISTRY:
            raise SamflowError(f"strategy {name!r} is unknown: choose from {known}.")
        if list(names).count(name) > 1:
            raise SamflowError(f"strategy {name!r} is given twice: give each once.")
