"""The results of passes from given frames, kept in the run's folder."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from samflow.maskio import read_label_map, write_label_map
from samflow.runs.clip_frames import frame_at, frames_of
from samflow.runs.given import GivenFrame, Pass
from samflow.runs.resuming import load_point, save_point
from samflow.runs.sweep import Sweep
from samflow.strategies import Frame, Keeps, folder_name
from samflow.video import Video


class PassStore:
    """Label maps by strategy and pass: `.passes/<strategy>/<key>/00041.png`.

    What corrections replace is kept, so that taking one back restores the same bytes.

    Parameters
    ----------
    folder : Path
        Of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / ".passes"

    def path(self, key: str, strategy: str, frame: int) -> Path:
        """File of a frame's label map."""
        return self.folder / folder_name(strategy) / key[:16] / f"{frame:05d}.png"

    def holds(self, key: str, strategy: str, frames: Sequence[int]) -> bool:
        """Whether there is a label map for each of the frames."""
        return all(self.path(key, strategy, frame).is_file() for frame in frames)

    def adopt(self, key: str, strategy: str, masks: Path, frames: range) -> None:
        """Take a plain run's masks, which are one whole pass, in."""
        if self.holds(key, strategy, frames):
            return
        for frame in frames:
            path = self.path(key, strategy, frame)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(masks / f"{frame:05d}.png", path)


class PassMaker:
    """Makes passes over a clip; goes on with one that was interrupted.

    Parameters
    ----------
    clip : Video
    store : PassStore
    states : Path
        Folder for saved points.
    every : int
        Frames between two of them.
    """

    def __init__(self, clip: Video, store: PassStore, states: Path, every: int) -> None:
        self.clip, self.store, self.states, self.every = clip, store, states, every

    def make(self, wanted: Pass, sweep: Sweep, advance: Callable[[int], None]) -> None:
        """Write the results of a sweep's strategies for every frame of a pass.

        `advance` is called with the number of frames that are done besides.
        """
        keys = {name: wanted.key(name, each.keeps) for name, each in sweep.strategies.items()}
        point = self.states / f"pass-{'-'.join(key[:8] for key in keys.values())}.pt"
        done = self._restore(point, sweep)
        if done:
            advance(done)
        given = read_given(wanted.origin)
        lost = given is not None and not given.any()  # no region there: none to carry on
        for frame in sweep.watch.each("decode", frames_of(self.clip, wanted.frames[done:])):
            if lost:
                assert given is not None
                results = dict.fromkeys(keys, np.zeros_like(given))
            elif frame.index == wanted.origin.frame:
                results = sweep.start(frame, given, self._kept(wanted, sweep))
            else:
                results = sweep.step(frame)
            with sweep.watch("write"):
                for name, labels in results.items():
                    write_label_map(self.store.path(keys[name], name, frame.index), labels)
            done += 1
            if done % self.every == 0 and not lost:
                save_point(point, {"done": done, "strategies": sweep.state_dict()})
            advance(1)
        point.unlink(missing_ok=True)

    def _restore(self, point: Path, sweep: Sweep) -> int:
        """Go back to a pass's saved point; how many frames are done there."""
        state = load_point(point)
        if state is None:
            return 0
        sweep.load_state_dict(state["strategies"])
        return int(state["done"])

    def _kept(self, wanted: Pass, sweep: Sweep) -> dict[Keeps, list[tuple[Frame, np.ndarray]]]:
        """The other given frames that strategies keep in mind, by `Strategy.keeps`."""
        return {
            keeps: [self._given(each, sweep) for each in wanted.kept(keeps)]
            for keeps in {each.keeps for each in sweep.stepped}
        }

    def _given(self, given: GivenFrame, sweep: Sweep) -> tuple[Frame, np.ndarray]:
        """A given frame and its label map."""
        frame = frame_at(self.clip, given.frame)
        labels = read_given(given)
        return frame, sweep.from_prompts(frame) if labels is None else labels


def read_given(given: GivenFrame) -> np.ndarray | None:
    """A correction's label map, background regions included; None for the prompts."""
    return None if given.path is None else read_label_map(given.path)
