"""Strategies and baselines by name, sharing one SAM and one XMem."""

from collections.abc import Iterable, Sequence

from samflow.errors import SamflowError
from samflow.sam import Sam
from samflow.strategies.base import TITLES, Strategy
from samflow.strategies.by_color import COLOR_METHODS, ColorStrategy
from samflow.strategies.prompting import PromptOptions
from samflow.strategies.with_flow import FlowStrategy
from samflow.strategies.with_grabcut import GrabCutStrategy
from samflow.strategies.with_sam import RefinedStrategy, SamStrategy
from samflow.strategies.with_xmem import XMemStrategy
from samflow.xmem import XMem


def build_strategies(
    names: Sequence[str],
    sam: Sam,
    network: XMem | None = None,
    size: int | None = None,
    options: PromptOptions | None = None,
) -> dict[str, Strategy]:
    """Make strategies that share one SAM and one XMem.

    Parameters
    ----------
    names : sequence of str
        Of `STRATEGY_NAMES` and `BASELINE_NAMES`, each once.
    sam : Sam
    network : XMem, optional
        Needed by `xmem`, `refined` and `refined-box`.
    size : int, optional
        XMem's working size, px.
    options : PromptOptions, optional

    Returns
    -------
    dict of str to Strategy
        In the order of `names`.

    Raises
    ------
    SamflowError
        For an unknown or repeated name, or none.
    """
    check_strategy_names(names)
    tracked: XMemStrategy | None = None
    if needs_xmem(names):
        if network is None:
            raise SamflowError(f"the strategies {', '.join(names)} need an XMem network.")
        tracked = XMemStrategy(network, size)
    return {name: _build(name, sam, tracked, options) for name in names}


def _build(
    name: str, sam: Sam, tracked: XMemStrategy | None, options: PromptOptions | None
) -> Strategy:
    if name in COLOR_METHODS:
        return ColorStrategy(name)
    if name == "grabcut":
        return GrabCutStrategy()
    if name == "flow":
        return FlowStrategy()
    if name == "sam":
        return SamStrategy(sam, options)
    assert tracked is not None, "build_strategies makes it for every name that is left"
    return tracked if name == "xmem" else RefinedStrategy(sam, tracked, name == "refined", options)


def needs_xmem(names: Iterable[str]) -> bool:
    """Whether any of the strategies uses XMem."""
    return not {"xmem", "refined", "refined-box"}.isdisjoint(names)


def needs_sam(names: Iterable[str]) -> bool:
    """Whether any of the strategies uses SAM on every frame; the first one is always SAM's."""
    return not {"sam", "refined", "refined-box"}.isdisjoint(names)


def check_strategy_names(names: Sequence[str]) -> None:
    """Refuse unknown or repeated strategies with a `SamflowError`."""
    known = ", ".join(TITLES)
    if not names:
        raise SamflowError(f"no strategy given: choose from {known}.")
    for name in names:
        if name not in TITLES:
            raise SamflowError(f"strategy {name!r} is unknown: choose from {known}.")
        if list(names).count(name) > 1:
            raise SamflowError(f"strategy {name!r} is given twice: give each once.")
