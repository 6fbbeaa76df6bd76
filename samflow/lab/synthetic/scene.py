"""What else happens in front of the camera of a dye clip, besides the flow.

Unlike a look, which changes only pictures, a scene changes the truth as well.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from samflow.errors import SamflowError
from samflow.lab.synthetic.flow import REFERENCE_HEIGHT

# Mean and standard deviation of the concentration that enters, see `DyeSimulation`
_CONCENTRATION = NormalDist(0.5, 0.22)
# Random streams of a clip's seed, apart from those of flow and look
_STREAMS = {"bubbles": 11, "shake": 12}


@dataclass(frozen=True)
class Scene:
    """What else happens in front of the camera.

    Parameters
    ----------
    bubbles : int
        How many bubbles drift through the picture; they hide the flow, so they are background.
    gaps : float
        Share of the dye that enters as small clear gaps, in [0, 1). They are carried along, and
        are background.
    steps : int, optional
        Simulation steps between two frames; by default 1 to 3, drawn from the clip's seed.
    shake : float
        R.m.s. shift of the camera along x and along y, px of a 270 px picture. Shifts are whole
        pixels, for picture and truth alike; the edge is continued outwards.

    Raises
    ------
    SamflowError
        For a share outside of [0, 1), or a negative number.
    """

    bubbles: int = 0
    gaps: float = 0.0
    steps: int | None = None
    shake: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.gaps < 1 or min(self.bubbles, self.shake, self.steps or 0) < 0:
            raise SamflowError(
                f"expected gaps in [0, 1) and bubbles, steps and shake from 0 on, got {self}."
            )

    def dyed(self, concentration: np.ndarray) -> np.ndarray:
        """Where there is no gap: (H, W) bool, from a concentration (H, W) in about [0, 1]."""
        if self.gaps <= 0:
            return np.ones(concentration.shape, bool)
        return concentration > _CONCENTRATION.inv_cdf(self.gaps)

    def circles(self, size: tuple[int, int], seed: int, index: int) -> np.ndarray:
        """Bubbles on frame `index` of a clip: (N, 3) float, x, y of the centre and radius, px.

        Everything follows from the clip's seed and the frame's number.
        """
        height, width = size
        rng = np.random.default_rng([seed, _STREAMS["bubbles"]])
        # picture heights, and heights per frame
        low = [0.0, 0.15, 0.045, 0.004, -0.0015, 0.0]
        high = [1.0, 0.80, 0.085, 0.012, 0.0005, 2 * np.pi]
        x, y, radius, speed, rise, phase = rng.uniform(low, high, (self.bubbles, 6)).T
        across = width / height + 2 * radius
        x = (x * across + speed * index) % across - radius
        y = y + rise * index + 0.01 * np.sin(0.2 * index + phase)
        return np.stack([x, y, radius], axis=1) * height

    def shift(self, size: tuple[int, int], seed: int, index: int) -> tuple[int, int]:
        """How far the picture is shifted down and to the right on a frame, px."""
        if self.shake <= 0:
            return 0, 0
        rng = np.random.default_rng([seed, _STREAMS["shake"]])
        rate, phase = rng.uniform([[[0.2]], [[0.0]]], [[[1.6]], [[2 * np.pi]]], (2, 2, 3))
        # three sines of amplitude a have an r.m.s. value of a sqrt(3 / 2)
        waves = np.sin(rate * index + phase).sum(axis=1) * np.sqrt(2 / 3)
        down, right = np.rint(waves * self.shake * size[0] / REFERENCE_HEIGHT)
        return int(down), int(right)


def in_circles(circles: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pixels of a picture (H, W) whose centre lies in any of the circles (N, 3): bool."""
    inside = np.zeros(size, bool)
    for circle in circles:
        inside |= circle_distance(circle, size) < 1
    return inside


def circle_distance(circle: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Distance of each pixel from a circle's centre, in radii: (H, W) float32."""
    x, y, radius = circle
    down = (np.arange(size[0])[:, None] - y) / radius
    across = (np.arange(size[1])[None, :] - x) / radius
    return np.hypot(down, across).astype(np.float32)


def shifted(array: np.ndarray, shift: tuple[int, int]) -> np.ndarray:
    """Shift rows down and columns to the right by whole pixels, the edge continued.

    Examples
    --------
    >>> shifted(np.array([[1, 2, 3]]), (0, 1))
    array([[1, 1, 2]])
    """
    if shift == (0, 0):
        return array
    rows, columns = (
        np.clip(np.arange(length) - move, 0, length - 1)
        for length, move in zip(array.shape, shift, strict=False)
    )
    return array[np.ix_(rows, columns)]
