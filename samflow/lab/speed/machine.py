"""What the machine can do: its name, and the matrix products it does in a second."""

import platform
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from samflow.lab.speed.clock import time_in_turn

# sides of the square matrices whose product is timed: large enough to fill cores and caches
_SIDE = {"cpu": 2048, "cuda": 8192, "mps": 4096}


def describe(device: torch.device) -> dict[str, str]:
    """Name the processor, its threads, the system and torch."""
    name = platform.processor() or platform.machine()
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    elif hasattr(torch.cpu, "get_capabilities"):
        name = str(torch.cpu.get_capabilities().get("cpu_name", name))
    return {
        "processor": name,
        "device": str(device),
        "threads": str(torch.get_num_threads()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def matrix_peak(device: torch.device, precision: torch.dtype, repeats: int = 5) -> float:
    """Operations per second of a large matrix product, 2 n^3 for matrices of side n."""
    side = _SIDE[device.type]
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(side, side, generator=generator).to(device, precision) for _ in range(2))
    seconds = time_in_turn({"product": lambda: a @ b}, repeats, device)["product"]
    return 2 * side**3 / seconds


def count_operations(way: Callable[[], Any]) -> float:
    """Operations of all products and convolutions that a call does, two for multiply and add."""
    with FlopCounterMode(display=False) as counter:
        way()
    return float(counter.get_total_flops())
