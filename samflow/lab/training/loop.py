"""The loop that trains both demo networks, and the command line that starts it."""

import argparse
import itertools
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from samflow.files import atomic_path
from samflow.lab.training import data_parallel

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Schedule:
    """How long to train and how fast to learn on the way.

    Parameters
    ----------
    steps : int
        Can be repeated exactly. No steps are a training that is over before it begins.
    minutes : float, optional
        This long instead.
    rate : float
        Highest learning rate.
    warm_up : int
        Steps of rising learning rate; it falls along a cosine afterwards.
    last_share : float
        Share of the highest rate that it falls to.
    averaging : float
        Decay of the exponential average of the weights, which is what is saved.
    largest_gradient : float
        Norm that gradients are clipped to.
    snapshot_every : int
        Steps between two snapshots.
    """

    steps: int
    minutes: float | None = None
    rate: float = 1e-3
    warm_up: int = 100
    last_share: float = 0.02
    averaging: float = 0.997
    largest_gradient: float = 1.0
    snapshot_every: int = 100

    def progress(self, step: int, seconds: float) -> float:
        """Tell the share of the training that is done, from 0; it is over at 1."""
        if self.minutes is not None:
            return seconds / (60 * self.minutes)
        return step / self.steps if self.steps else 1.0

    def rate_at(self, progress: float, step: int) -> float:
        """Learning rate: a linear warm-up under half a cosine.

        Examples
        --------
        >>> schedule = Schedule(4, rate=1.0, warm_up=2)
        >>> [round(schedule.rate_at(step / 4, step), 2) for step in range(5)]
        [0.5, 0.86, 0.51, 0.16, 0.02]
        """
        last, turn = self.last_share, math.cos(math.pi * min(1.0, progress))
        return self.rate * min((step + 1) / self.warm_up, last + (1 - last) * 0.5 * (1 + turn))


def train_network(
    network: nn.Module,
    groups: list[dict[str, Any]],
    schedule: Schedule,
    loss_of: Callable[[float], torch.Tensor],
    snapshot: Callable[[Any, int], None] | None = None,
) -> tuple[Any, list[float]]:
    """Train a network in this process and those beside it; return its average and each step's loss.

    Parameters
    ----------
    groups : list of dict
        Of parameters, as AdamW takes them, with `share`: of the schedule's learning rate.
    loss_of : callable
        Gives a step's loss, from the share of the training that is done.
    snapshot : callable, optional
        Called with the averaged network and the number of steps made, in the first process alone.
    """
    optimizer = torch.optim.AdamW(groups)
    averaging = get_ema_multi_avg_fn(schedule.averaging)
    average = AveragedModel(network, multi_avg_fn=averaging, use_buffers=True)
    losses: list[float] = []
    started = time.monotonic()
    for step in itertools.count():
        seconds = time.monotonic() - started
        progress = data_parallel.agree(schedule.progress(step, seconds))
        done = progress >= 1
        due = done or (step and step % schedule.snapshot_every == 0)
        if snapshot is not None and due and data_parallel.rank() == 0:
            snapshot(average.module, step)
        if done:
            break
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate_at(progress, step) * group["share"]
        loss = loss_of(progress)
        optimizer.zero_grad()
        loss.backward()
        data_parallel.average_gradients(network)
        nn.utils.clip_grad_norm_(network.parameters(), schedule.largest_gradient)
        optimizer.step()
        average.update_parameters(network)
        losses.append(loss.item())
        if step % 50 == 49:
            each = (time.monotonic() - started) / (step + 1)
            log.info("step %d loss %.4f, %.3f s/step", step + 1, np.mean(losses[-50:]), each)
    return average.module, losses


def save_weights(network: nn.Module, file: str | Path) -> None:
    """Write a network's entries as safetensors, floats as float16."""
    state = {
        key: (value.half() if value.is_floating_point() else value).detach().contiguous().clone()
        for key, value in network.state_dict().items()
    }
    with atomic_path(file) as part:
        save_file(state, part)


def training_parser(
    module: str, description: str | None, **defaults: Any
) -> argparse.ArgumentParser:
    """Command line that both trainings have, with its defaults."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--bank", type=Path, help="rendered clips")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--minutes", type=float, help="this long instead of --steps")
    parser.add_argument("--start", metavar="FILE", help="demo weights to continue from")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--evaluate", metavar="FILE", help="score FILE on held-out clips instead")
    parser.set_defaults(**defaults)
    return parser
