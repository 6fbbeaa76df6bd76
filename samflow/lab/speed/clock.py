"""Time ways of doing the same work in turn, so that what else the machine does hits all alike."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch


def time_in_turn(
    ways: Mapping[str, Callable[[], Any]], repeats: int, device: torch.device | None = None
) -> dict[str, float]:
    """Shortest time of each way, after one round that is not counted.

    Parameters
    ----------
    ways : mapping of name to callable
        Called without arguments, one after the other, `repeats` rounds.
    repeats : int
        At least 1.
    device : torch.device, optional
        Waited for at the end of each call, when it works by itself.

    Returns
    -------
    dict of str to float
        Seconds. The shortest of several is the one that other work disturbed least.
    """
    best = dict.fromkeys(ways, float("inf"))
    for round_ in range(repeats + 1):
        for name, way in ways.items():
            begin = time.perf_counter()
            way()
            if device is not None and device.type == "cuda":
                torch.cuda.synchronize(device)
            spent = time.perf_counter() - begin
            if round_:
                best[name] = min(best[name], spent)
    return best
