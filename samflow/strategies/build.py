"""Strategies by name, sharing one SAM and one of each tracker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module

from samflow.errors import SamflowError
from samflow.models import TrackingModel
from samflow.sam import Segmenter
from samflow.strategies.base import Strategy
from samflow.strategies.prompt_options import PromptOptions
from samflow.strategies.registry import FIT_STEPS, check_strategy_names, strategy_entry
from samflow.strategies.with_tracker import TrackerStrategy
from samflow.strategies.with_xmem import XMemStrategy
from samflow.xmem import XMem


@dataclass
class Parts:
    """What the strategies of one run are built from, and share.

    Parameters
    ----------
    given_sam : Segmenter or None
    network : XMem or None
    size : int or None
        XMem's working size: the shorter side of larger frames, px.
    options : PromptOptions
    trackers : mapping of str to TrackingModel
        Loaded models of `samflow.models` by name.
    fit_steps : int
        Of a strategy that is fitted to the clip.
    """

    given_sam: Segmenter | None
    network: XMem | None
    size: int | None
    options: PromptOptions
    trackers: Mapping[str, TrackingModel]
    fit_steps: int = FIT_STEPS
    _shared: dict[str, TrackerStrategy] = field(default_factory=dict)

    @property
    def sam(self) -> Segmenter:
        """The SAM that all share; a `SamflowError` without one."""
        if self.given_sam is None:
            raise SamflowError("a strategy that uses SAM needs one: give sam=load_sam(...).")
        return self.given_sam

    def tracker(self, name: str) -> TrackerStrategy:
        """The one tracker of a name that all share; a `SamflowError` without its network."""
        if name not in self._shared:
            self._shared[name] = self._xmem() if name == "xmem" else self._of_models(name)
        return self._shared[name]

    def _xmem(self) -> XMemStrategy:
        if self.network is None:
            raise SamflowError("a strategy that uses XMem needs one: give network=load_xmem(...).")
        return XMemStrategy(self.network, self.size)

    def _of_models(self, name: str) -> TrackerStrategy:
        (model,) = strategy_entry(name).needs
        if model not in self.trackers:
            raise SamflowError(
                f"strategy {name!r} needs a network: give trackers={{{model!r}: load_model(...)}}."
            )
        return TrackerStrategy(name, self.trackers[model].tracker, by_boxes=name != model)

    def source(self, name: str) -> TrackerStrategy:
        """The tracker that the strategy of a name looks at."""
        return self.tracker(strategy_entry(name).source or name)


def build_strategies(
    names: Sequence[str],
    sam: Segmenter | None = None,
    network: XMem | None = None,
    size: int | None = None,
    options: PromptOptions | None = None,
    trackers: Mapping[str, TrackingModel] | None = None,
    fit_steps: int = FIT_STEPS,
) -> dict[str, Strategy]:
    """Make strategies that share one SAM and one of each tracker.

    Parameters
    ----------
    names : sequence of str
        Of `samflow.strategies.REGISTRY`, or about a tracker of `samflow.models`; each once.
    sam : Segmenter, optional
        Needed by those whose row says so.
    network : XMem, optional
        Likewise.
    size : int, optional
        Working size of XMem and of what is fitted: the shorter side of larger frames, px.
    options : PromptOptions, optional
    trackers : mapping of str to TrackingModel, optional
        By name in `samflow.models`, as `samflow.models.load_model` gives them.
    fit_steps : int
        Of a strategy that is fitted to the clip.

    Returns
    -------
    dict of str to Strategy
        In the order of `names`.

    Raises
    ------
    SamflowError
        For an unknown or repeated name, none, or a model that is missing.
    """
    check_strategy_names(names)
    parts = Parts(sam, network, size, options or PromptOptions(), trackers or {}, fit_steps)
    strategies = {}
    for name in names:
        module, function = strategy_entry(name).builder.split(":")
        build = getattr(import_module(f"samflow.strategies.{module}"), function)
        strategies[name] = build(name, parts)
    return strategies
