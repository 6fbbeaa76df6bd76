"""How long to train, and how fast to learn on the way."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """How long to train: a number of steps, which can be repeated exactly, or minutes.

    No steps are a training that is over before it begins: weights are only resampled.
    """

    steps: int
    minutes: float | None = None

    def progress(self, step: int, seconds: float) -> float:
        """Tell the share of the training that is done, from 0; it is over at 1."""
        if self.minutes is not None:
            return seconds / (60 * self.minutes)
        return step / self.steps if self.steps else 1.0


def learning_rate_share(progress: float, step: int, warm_up: int, last: float = 0.02) -> float:
    """Tell the share of the highest learning rate: a linear warm-up under half a cosine.

    Parameters
    ----------
    progress : float
        Share of the training that is done, in [0, 1].
    step : int
        Steps made.
    warm_up : int
        Steps of the warm-up.
    last : float
        Where the cosine ends.

    Returns
    -------
    float

    Examples
    --------
    >>> [round(learning_rate_share(s / 4, s, warm_up=2), 2) for s in range(5)]
    [0.5, 0.86, 0.51, 0.16, 0.02]
    """
    falling = last + (1 - last) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return min((step + 1) / warm_up, falling)
