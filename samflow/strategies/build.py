"""Strategies by name, sharing one SAM and one XMem."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module

from samflow.errors import SamflowError
from samflow.sam import Sam
from samflow.strategies.base import Strategy
from samflow.strategies.prompt_options import PromptOptions
from samflow.strategies.registry import REGISTRY, check_strategy_names
from samflow.strategies.with_xmem import XMemStrategy
from samflow.xmem import XMem


@dataclass
class Parts:
    """What the strategies of one run are built from, and share.

    Parameters
    ----------
    given_sam : Sam or None
    network : XMem or None
    size : int or None
        XMem's working size: the shorter side of larger frames, px.
    options : PromptOptions
    """

    given_sam: Sam | None
    network: XMem | None
    size: int | None
    options: PromptOptions

    @property
    def sam(self) -> Sam:
        """The SAM that all share; a `SamflowError` without one."""
        if self.given_sam is None:
            raise SamflowError("a strategy that uses SAM needs one: give sam=load_sam(...).")
        return self.given_sam

    @cached_property
    def xmem(self) -> XMemStrategy:
        """The one XMem that all share; a `SamflowError` without a network."""
        if self.network is None:
            raise SamflowError("a strategy that uses XMem needs one: give network=load_xmem(...).")
        return XMemStrategy(self.network, self.size)


def build_strategies(
    names: Sequence[str],
    sam: Sam | None = None,
    network: XMem | None = None,
    size: int | None = None,
    options: PromptOptions | None = None,
) -> dict[str, Strategy]:
    """Make strategies that share one SAM and one XMem.

    Parameters
    ----------
    names : sequence of str
        Of `samflow.strategies.REGISTRY`, each once.
    sam : Sam, optional
        Needed by those whose row says so.
    network : XMem, optional
        Likewise.
    size : int, optional
        XMem's working size: the shorter side of larger frames, px.
    options : PromptOptions, optional

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
    parts = Parts(sam, network, size, options or PromptOptions())
    strategies = {}
    for name in names:
        module, function = REGISTRY[name].builder.split(":")
        build = getattr(import_module(f"samflow.strategies.{module}"), function)
        strategies[name] = build(name, parts)
    return strategies
