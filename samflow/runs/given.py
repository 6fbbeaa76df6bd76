"""The frames of a run whose label maps are given, and the stretches between them."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from samflow.files import sha256_of_file
from samflow.runs.record import Run
from samflow.strategies import Keeps


@dataclass(frozen=True)
class GivenFrame:
    """A frame whose label map the user gave: by the run's prompts, or by a correction.

    Parameters
    ----------
    frame : int
        Of the clip.
    key : str
        Hash of what is given.
    path : Path, optional
        The correction's label map; None for the prompts.
    """

    frame: int
    key: str
    path: Path | None = None


@dataclass(frozen=True)
class Pass:
    """The way from a given frame in one direction, as far as it is wanted.

    Parameters
    ----------
    origin : GivenFrame
    stop : int
        The first frame that is not wanted; before the origin in a pass backwards.
    known : tuple of GivenFrame
        The given frame that the pass leads to, if there is one.
    corrected : tuple of GivenFrame
        Every corrected frame of the run.
    """

    origin: GivenFrame
    stop: int
    known: tuple[GivenFrame, ...] = ()
    corrected: tuple[GivenFrame, ...] = ()

    @property
    def frames(self) -> range:
        """Frames of the clip in the order of the pass, the given one first."""
        return range(self.origin.frame, self.stop, 1 if self.stop > self.origin.frame else -1)

    def kept(self, keeps: Keeps) -> tuple[GivenFrame, ...]:
        """The given frames that a strategy keeps in mind on this way."""
        return {"none": (), "next": self.known, "corrections": self.corrected}[keeps]

    def key(self, strategy: str, keeps: Keeps) -> str:
        """Hash of what a strategy's results on this way depend on, but for the run's options.

        It does not depend on where the pass ends: a longer one holds the results of a shorter one.
        """
        kept = [(each.frame, each.key) for each in self.kept(keeps)]
        origin = (self.origin.frame, self.origin.key, self.frames.step)
        return _hash([strategy, origin, kept])


@dataclass(frozen=True)
class Stretch:
    """Frames between two given frames, or outside of the first or the last one.

    Parameters
    ----------
    frames : range
        Of the clip. The frame of the prompts, on which strategies give results of their own,
        belongs to the stretch after it.
    passes : tuple of Pass
        One or two: forwards from the given frame before, backwards from the one after.
    """

    frames: range
    passes: tuple[Pass, ...]

    @property
    def name(self) -> str:
        """First and last frame, as `run.json` names the stretch."""
        return f"{self.frames[0]}-{self.frames[-1]}"

    def key(self, strategy: str, keeps: Keeps) -> str:
        """Hash of what a strategy's results on these frames were made from."""
        return _hash([each.key(strategy, keeps) for each in self.passes])

    def share(self, frame: int) -> float:
        """How far a frame is on the way from the given frame before, 0, to the one after, 1."""
        before, after = (each.origin.frame for each in self.passes)
        return (frame - before) / (after - before)


def given_frames(run: Run, corrected: bool = True) -> list[GivenFrame]:
    """The given frames of a run in order: that of the prompts and, if wanted, the corrected ones.

    A correction on the prompts' frame takes their place.
    """
    record = run.record
    at = record.prompts.frame.index - record.video.first
    prompts = record.prompts.without_scale().model_dump()
    found = {at: GivenFrame(at, _hash(prompts))}
    corrections = run.correction_files if corrected else {}
    for frame, path in corrections.items():
        found[frame] = GivenFrame(frame, sha256_of_file(path), path)
    return [found[frame] for frame in sorted(found)]


def stretches_between(given: Sequence[GivenFrame], frames: int) -> list[Stretch]:
    """Cut a clip of some frames at its given frames.

    Examples
    --------
    >>> given = [GivenFrame(0, "prompts"), GivenFrame(4, "a", Path("4.png"))]
    >>> [(s.name, [p.frames for p in s.passes]) for s in stretches_between(given, 10)]
    [('0-3', [range(0, 4), range(4, 0, -1)]), ('5-9', [range(4, 10)])]
    """
    first, last = given[0], given[-1]
    corrected = tuple(each for each in given if each.path is not None)
    found = [Stretch(range(first.frame), (Pass(first, -1, (), corrected),))]
    for left, right in pairwise(given):
        forwards = Pass(left, right.frame, (right,), corrected)
        backwards = Pass(right, left.frame, (left,), corrected)
        found.append(Stretch(range(_after(left), right.frame), (forwards, backwards)))
    found.append(Stretch(range(_after(last), frames), (Pass(last, frames, (), corrected),)))
    return [stretch for stretch in found if len(stretch.frames)]


def _after(given: GivenFrame) -> int:
    return given.frame if given.path is None else given.frame + 1


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
