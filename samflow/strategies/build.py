"""Strategies by name, sharing one SAM and one XMem."""

from collections.abc import Sequence

from samflow.errors import SamflowError
from samflow.sam import Sam
from samflow.strategies.base import STRATEGY_NAMES, Strategy
from samflow.strategies.prompting import PromptOptions
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
        Of `STRATEGY_NAMES`, each once.
    sam : Sam
    network : XMem, optional
        Needed by all but `sam`.
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
    strategies: dict[str, Strategy] = {}
    for name in names:
        if name == "sam":
            strategies[name] = SamStrategy(sam, options)
        elif name == "xmem" and tracked is not None:
            strategies[name] = tracked
        elif tracked is not None:
            strategies[name] = RefinedStrategy(sam, tracked, name == "refined", options)
    return strategies


def needs_xmem(names: Sequence[str]) -> bool:
    """Whether any of the strategies uses XMem."""
    return any(name != "sam" for name in names)


def check_strategy_names(names: Sequence[str]) -> None:
    """Refuse unknown or repeated strategies with a `SamflowError`."""
    known = ", ".join(STRATEGY_NAMES)
    if not names:
        raise SamflowError(f"no strategy given: choose from {known}.")
    for name in names:
        if name not in STRATEGY_NAMES:
            raise SamflowError(f"strategy {name!r} is unknown: choose from {known}.")
        if list(names).count(name) > 1:
            raise SamflowError(f"strategy {name!r} is given twice: give each once.")
