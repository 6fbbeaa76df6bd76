"""The channel that the dyes run through: walls, ridges and bands of dye."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Channel:
    """Walls and the bands of dye, in shares of the picture's height.

    Parameters
    ----------
    top : float
        Height of the top wall, measured downwards from the picture's upper edge.
    bottom, ridge : float
        The bottom wall starts `bottom` above the lower edge; ridges stand `ridge` above that.
    wavelength, phase : float
        Length of one ridge, and where the first one starts (share of a wavelength).
    shape : str
        "sine", "triangle", "square" or "scallop".
    bands : tuple of float
        (upper dye from, to, lower dye from, to) in eta, the height at which fluid entered.
    """

    top: float
    bottom: float
    ridge: float
    wavelength: float
    phase: float
    shape: str
    bands: tuple[float, float, float, float]

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Channel":
        """Draw a channel; in two thirds of them the lower dye touches the bottom wall."""
        first = rng.uniform(0.08, 0.24)
        second = first + rng.uniform(0.2, 0.38)
        third = second + (0.0 if rng.random() < 0.5 else rng.uniform(0.03, 0.12))
        # 2: above every eta, so the fluid between the ridges is dyed as well
        last = 2.0 if rng.random() < 0.65 else rng.uniform(max(0.85, third + 0.15), 0.97)
        shape = str(rng.choice(["sine", "triangle", "square", "scallop"]))
        return cls(
            top=rng.uniform(0.02, 0.09),
            bottom=rng.uniform(0.05, 0.12),
            ridge=rng.uniform(0.02, 0.09),
            wavelength=rng.uniform(0.15, 0.6),
            phase=rng.random(),
            shape=shape,
            bands=(first, second, third, last),
        )

    def wall(self, x: np.ndarray) -> np.ndarray:
        """Height of the bottom wall's surface at `x`, downwards; all in picture heights."""
        cycle = (x / self.wavelength + self.phase) % 1.0
        profile = {
            "sine": 0.5 - 0.5 * np.cos(2 * np.pi * cycle),
            "triangle": 1.0 - np.abs(2.0 * cycle - 1.0),
            "square": (cycle < 0.5).astype(float),
            "scallop": np.sin(np.pi * cycle),
        }[self.shape]
        return 1.0 - self.bottom - self.ridge * profile
