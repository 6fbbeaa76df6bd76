"""Seeded dye clips with exact truth: a film of two dyes in a turbulent channel.

`flow` carries the dye, `scene` adds what else happens in front of the camera, `look` makes pictures
of it, `dye_clip` joins all frame by frame, `old_transfer` does to it what a transfer to video does.
"""

from samflow.lab.synthetic.dye_clip import (
    HELD_OUT_SEEDS,
    TRAINING_SEEDS,
    VALIDATION_SEEDS,
    DyeClip,
    background_points,
)
from samflow.lab.synthetic.flow import DyeSimulation
from samflow.lab.synthetic.look import Look, Painter
from samflow.lab.synthetic.old_transfer import Transfer, TransferredClip
from samflow.lab.synthetic.scene import Scene

__all__ = [
    "HELD_OUT_SEEDS",
    "TRAINING_SEEDS",
    "VALIDATION_SEEDS",
    "DyeClip",
    "DyeSimulation",
    "Look",
    "Painter",
    "Scene",
    "Transfer",
    "TransferredClip",
    "background_points",
]
