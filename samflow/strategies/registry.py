"""The strategies and baselines by name: what each is called, needs, and is built by.

A new one is a module with a function `(name, parts) -> Strategy`, and a row here. The trackers of
`samflow.models` are strategies as well, and the strategies that look at XMem can look at each of
them: `sam2`, `sam2-box` (prompted with boxes), `refined:sam2`, `anchored:sam2-box`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from samflow.errors import SamflowError, did_you_mean
from samflow.models import MODELS


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
        Models that it uses on every frame: "sam", "xmem", or of `samflow.models`. The first
        frame's masks are SAM's.
    source : str, optional
        The strategy that it looks at: the tracker whose masks it refines.
    baseline : bool
        What people do without a network, to compare with.
    default : bool
        One of the method's own, which `samflow run` takes by default.
    sharp : bool
        Its edges follow the frame's colours already.
    fitted : bool
        Its network is fitted to the clip before the first result, which takes a while.
    """

    name: str
    title: str
    builder: str
    needs: tuple[str, ...] = ()
    source: str | None = None
    baseline: bool = False
    default: bool = False
    sharp: bool = False
    fitted: bool = False

    @property
    def can_be_sharpened(self) -> bool:
        """Whether edges are drawn by networks alone, on a grid coarser than the frame."""
        return bool(self.needs) and not self.sharp


_ENTRIES = (
    StrategyEntry("xmem", "XMem", "with_tracker:build_tracked", ("xmem",), default=True),
    StrategyEntry("sam", "SAM from frame to frame", "with_sam:build_sam", ("sam",), default=True),
    StrategyEntry(
        "refined",
        "SAM refining XMem (mask + box)",
        "with_sam:build_refined",
        ("sam", "xmem"),
        source="xmem",
        default=True,
    ),
    StrategyEntry(
        "refined-box",
        "SAM refining XMem (box only)",
        "with_sam:build_refined",
        ("sam", "xmem"),
        source="xmem",
        default=True,
    ),
    StrategyEntry(
        "anchored",
        "SAM and XMem anchored to colours",
        "anchored:build_anchored",
        ("sam", "xmem"),
        source="xmem",
        sharp=True,
    ),
    StrategyEntry("unet", "U-Net fitted to the clip", "with_unet:build_unet", fitted=True),
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
# Of a fit, when nothing else is asked for
FIT_STEPS = 400
_BOX = "-box"
DEFAULT_NAMES = tuple(entry.name for entry in _ENTRIES if entry.default)
FITTED_NAMES = tuple(entry.name for entry in _ENTRIES if entry.fitted)
STRATEGY_NAMES = tuple(e.name for e in _ENTRIES if not (e.baseline or e.fitted))
BASELINE_NAMES = tuple(entry.name for entry in _ENTRIES if entry.baseline)


def strategy_entry(name: str) -> StrategyEntry:
    """A strategy's row: of `REGISTRY`, or one about a tracker of `samflow.models`.

    Parameters
    ----------
    name : str
        Such as "refined", "sam2", "sam2-box", "refined:sam2".

    Returns
    -------
    StrategyEntry

    Raises
    ------
    SamflowError
        For an unknown name.

    Examples
    --------
    >>> strategy_entry("refined:sam2").title
    'SAM refining SAM 2 (mask + box)'
    """
    if name in REGISTRY:
        return REGISTRY[name]
    way, _, tracker = name.rpartition(":")
    entry = _tracker_entry(tracker)
    if entry is not None and tracker == name:
        return entry
    over = REGISTRY.get(way)
    if entry is None or over is None or over.source is None:
        hint = did_you_mean(name, _valid_names())
        raise SamflowError(f"strategy {name!r} is unknown: choose from {_known()}.{hint}")
    title = over.title.replace(REGISTRY[over.source].title, entry.title)
    needs = ("sam", *entry.needs)
    return replace(over, name=name, title=title, needs=needs, source=tracker, default=False)


def _tracker_entry(name: str) -> StrategyEntry | None:
    """The row of a tracker of `samflow.models`, by its name, or with "-box" after it."""
    model = MODELS.get(name)
    if model is not None:
        return StrategyEntry(name, model.title, "with_tracker:build_tracked", (name,))
    model = MODELS.get(name.removesuffix(_BOX))
    if model is None or not model.boxes:
        return None
    title = f"{model.title} (from boxes)"
    return StrategyEntry(name, title, "with_tracker:build_tracked", (model.name,))


def _trackers() -> list[str]:
    return [*MODELS, *(name + _BOX for name, model in MODELS.items() if model.boxes)]


def _over_trackers() -> list[str]:
    """Names of the strategies that can look at another tracker than XMem."""
    return [name for name, entry in REGISTRY.items() if entry.source]


def _valid_names() -> list[str]:
    over = [f"{name}:{tracker}" for name in _over_trackers() for tracker in _trackers()]
    return [*REGISTRY, *_trackers(), *over]


def _known() -> str:
    over = ", ".join(f"{name}:TRACKER" for name in _over_trackers())
    return f"{', '.join(REGISTRY)}, the trackers {', '.join(_trackers())}, {over}"


def folder_name(strategy: str) -> str:
    """What a strategy's folders are called: a colon is not allowed in names on every disk.

    Examples
    --------
    >>> folder_name("refined:sam2")
    'refined-sam2'
    """
    return strategy.replace(":", "-")


def models_needed(names: Iterable[str]) -> set[str]:
    """Models ("sam", "xmem", "sam2") that any of the strategies uses on every frame."""
    return {model for name in names for model in strategy_entry(name).needs}


def check_strategy_names(names: Sequence[str]) -> None:
    """Refuse unknown or repeated strategies with a `SamflowError`."""
    if not names:
        raise SamflowError(f"no strategy given: choose from {_known()}.")
    for name in names:
        strategy_entry(name)
        if list(names).count(name) > 1:
            raise SamflowError(f"strategy {name!r} is given twice: give each once.")
