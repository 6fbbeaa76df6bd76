"""One-thread processes that train together: on few cores quicker than one process of many threads.

A thread that has to wait for a core holds up every operation of its process; processes wait for
each other once a step only.
"""

import logging
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import torch
import torch.distributed as dist
from torch import nn


def run_workers(target: Callable[..., Any], workers: int, *arguments: Any) -> None:
    """Run `target(*arguments)` in several processes that know of each other.

    Parameters
    ----------
    target : callable
        Of a module; it and its arguments are pickled.
    workers : int
        Number of processes; 1 runs it here.
    """
    if workers == 1:
        _prepare()
        target(*arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(
            _work, (workers, (Path(folder) / "meeting").as_uri(), target, arguments), nprocs=workers
        )


def _work(
    rank: int, workers: int, meeting: str, target: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    torch.set_num_threads(1)
    if sys.platform == "linux":  # all of them are on this machine; a host name may lead elsewhere
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    dist.init_process_group("gloo", meeting, rank=rank, world_size=workers)
    _prepare()
    target(*arguments)
    dist.destroy_process_group()


def _prepare() -> None:
    cv2.setNumThreads(1)
    level = logging.INFO if rank() == 0 else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(message)s")


def rank() -> int:
    """Number of this process, 0 for the first or only one."""
    return dist.get_rank() if dist.is_initialized() else 0


def workers() -> int:
    """Tell how many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def agree(value: float) -> float:
    """Give every process the value that the first one has."""
    if workers() == 1:
        return value
    shared = torch.tensor([value], dtype=torch.float64)
    dist.broadcast(shared, 0)
    return float(shared[0])


def average_gradients(network: nn.Module) -> None:
    """Replace each gradient by its mean over the processes."""
    if workers() == 1:
        return
    parameters = [p for p in network.parameters() if p.requires_grad]
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    parts = (flat / workers()).split([g.numel() for g in gradients])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.grad = part.view(parameter.shape)


def share_buffers(network: nn.Module) -> None:
    """Give every process the buffers of the first one."""
    if workers() > 1:
        for buffer in network.buffers():
            dist.broadcast(buffer, 0)
