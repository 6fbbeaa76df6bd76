"""Seeded dye clips with exact truth: a film of two dyes in a turbulent channel.

`flow` carries the dye, `scene` adds what else happens in front of the camera, `look` makes pictures
of it, `clip` joins all frame by frame.
"""

from samflow.synthetic.clip import (
    HELD_OUT_SEEDS,
    TRAINING_SEEDS,
    VALIDATION_SEEDS,
    DyeClip,
    background_points,
)
from samflow.synthetic.flow import DyeSimulation
from samflow.synthetic.look import Look, Painter
from samflow.synthetic.scene import Scene

__all__ = [
    "HELD_OUT_SEEDS",
    "TRAINING_SEEDS",
    "VALIDATION_SEEDS",
    "DyeClip",
    "DyeSimulation",
    "Look",
    "Painter",
    "Scene",
    "background_points",
]
