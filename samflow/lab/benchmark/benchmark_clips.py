"""The clips of the dye benchmark: those that colour solves, harder ones, old films' copies."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from samflow.errors import SamflowError
from samflow.lab.synthetic import (
    HELD_OUT_SEEDS,
    DyeClip,
    Look,
    Scene,
    Transfer,
    TransferredClip,
)

_GREY_WALL = (0.36, 0.37, 0.36)
# blue above red in clear light, above a grey wall: each clip departs from it in one way
_GENTLE = replace(Look.demo(), wall=_GREY_WALL)


@dataclass(frozen=True)
class BenchmarkClip:
    """One clip of the benchmark: its name, what is hard about it, and how it is made.

    The seed is one of `samflow.lab.synthetic.HELD_OUT_SEEDS`, which no training uses.
    A transfer is what was done to the film on its way to the file.
    """

    name: str
    difficulty: str
    seed: int
    look: Look
    scene: Scene = field(default_factory=Scene)
    transfer: Transfer | None = None

    def clip(self, frames: int, size: tuple[int, int] = (270, 480)) -> DyeClip | TransferredClip:
        """The film and its truth: `frames` frames of size (H, W), bars included."""
        look, scene = self.look, self.scene
        if self.transfer is None:
            return DyeClip(self.seed, size, frames, look=look, scene=scene)
        return TransferredClip(self.transfer, self.seed, size, frames, look=look, scene=scene)


# Twelve roughly by how far colour gets: `nearest-colour` that has seen the true first frame reaches
# J 0.93 on the first and 0.56 on the twelfth, means over 60 frames. Then three old films' copies.
CLIPS = (
    BenchmarkClip("gentle", "clear colours in even light", HELD_OUT_SEEDS[0], _GENTLE),
    BenchmarkClip(
        "fast",
        "fluid moves some 20 px between frames",
        HELD_OUT_SEEDS[4],
        _GENTLE,
        Scene(steps=7),
    ),
    BenchmarkClip(
        "shake",
        "a shaken camera",
        HELD_OUT_SEEDS[3],
        _GENTLE,
        Scene(shake=5.0),
    ),
    BenchmarkClip(
        "glare",
        "a white reflection on the dye",
        HELD_OUT_SEEDS[1],
        replace(_GENTLE, glare=0.7),
    ),
    BenchmarkClip(
        "scratches",
        "old film: interlaced, scratched",
        HELD_OUT_SEEDS[2],
        replace(_GENTLE, interlace=True, scratches=7, dust=8.0, grain=0.06, flicker=0.04, blur=1.2),
    ),
    BenchmarkClip(
        "holes",
        "small clear gaps in the dye",
        HELD_OUT_SEEDS[5],
        _GENTLE,
        Scene(gaps=0.12),
    ),
    BenchmarkClip(
        "bubbles",
        "bubbles in the upper dye's colour",
        HELD_OUT_SEEDS[6],
        _GENTLE,
        Scene(bubbles=9),
    ),
    BenchmarkClip(
        "hues",
        "two dyes of nearly one hue, streaky",
        HELD_OUT_SEEDS[10],
        replace(
            _GENTLE,
            dye1=(0.54, 0.16, 0.42),
            dye2=(0.62, 0.16, 0.34),
            streaks=0.9,
            grain=0.03,
        ),
    ),
    BenchmarkClip(
        "wall",
        "the bottom wall in the lower dye's colour",
        HELD_OUT_SEEDS[7],
        replace(_GENTLE, wall=(0.715, 0.235, 0.235)),
    ),
    BenchmarkClip(
        "light",
        "drifting, uneven light on muted colours",
        HELD_OUT_SEEDS[9],
        replace(
            _GENTLE,
            dye1=(0.10, 0.30, 0.42),
            dye2=(0.36, 0.48, 0.30),
            drift=0.35,
            swing=0.6,
            flicker=0.03,
            gradient=(0.35, 0.3),
            vignette=0.4,
        ),
    ),
    BenchmarkClip(
        "fading",
        "dye that fades along the channel",
        HELD_OUT_SEEDS[8],
        replace(_GENTLE, fade=0.9, streaks=0.7),
    ),
    BenchmarkClip(
        "all",
        "all of it together",
        HELD_OUT_SEEDS[11],
        replace(
            _GENTLE,
            dye1=(0.40, 0.17, 0.52),
            dye2=(0.64, 0.15, 0.30),
            wall=(0.60, 0.17, 0.27),
            fade=0.5,
            streaks=0.7,
            glare=0.35,
            drift=0.2,
            swing=0.3,
            flicker=0.03,
            interlace=True,
            scratches=3,
            dust=4.0,
            grain=0.04,
            blur=1.0,
        ),
        Scene(bubbles=4, gaps=0.05, steps=3, shake=3.0),
    ),
    BenchmarkClip(
        "telecine",
        "24 film frames/s woven to 29.97, interlaced",
        HELD_OUT_SEEDS[12],
        _GENTLE,
        transfer=Transfer(),
    ),
    BenchmarkClip(
        "bars",
        "4:3 between black bars, MPEG-2 at a low rate",
        HELD_OUT_SEEDS[13],
        _GENTLE,
        transfer=Transfer(telecine=False, bars=1 / 8, kbit_per_s=250),
    ),
    BenchmarkClip(
        "transfer",
        "an old film's copy: both, dust, unsteady light, lost frames",
        HELD_OUT_SEEDS[14],
        replace(_GENTLE, dust=8.0, scratches=3, flicker=0.04, swing=0.3, grain=0.05, blur=1.2),
        transfer=Transfer(bars=1 / 8, kbit_per_s=400, dropped=(17, 40)),
    ),
)


def choose_clips(names: Sequence[str] | None = None) -> tuple[BenchmarkClip, ...]:
    """Clips of the benchmark by name, in the benchmark's order; all of them by default.

    Raises
    ------
    SamflowError
        For a name that is not in the benchmark, or none.

    Examples
    --------
    >>> [clip.name for clip in choose_clips(["wall", "gentle"])]
    ['gentle', 'wall']
    """
    if names is None:
        return CLIPS
    known = [clip.name for clip in CLIPS]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        given = f"clip {unknown[0]!r} is unknown" if unknown else "no clip given"
        raise SamflowError(f"{given}: choose from {', '.join(known)}.")
    return tuple(clip for clip in CLIPS if clip.name in names)
