"""A run under way: frames through the strategies, files out, saved points to go on from."""

import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from samflow.maskio import write_label_map
from samflow.runs.beside import Beside, one_ahead
from samflow.runs.clip_frames import frames_of
from samflow.runs.comparison_parts import ComparisonParts
from samflow.runs.record import RunRecord
from samflow.runs.resuming import load_point, remove_halves, save_point
from samflow.runs.run_options import RunOptions
from samflow.runs.session import RunSession
from samflow.runs.sweep import Stopwatch, Sweep
from samflow.sam import Segmenter
from samflow.strategies import Frame, Strategy, folder_name
from samflow.video import Video


class Runner:
    """One run forwards from its first frame: its folder, its strategies, and how far it is."""

    def __init__(
        self,
        folder: Path,
        clip: Video,
        record: RunRecord,
        strategies: dict[str, Strategy],
        options: RunOptions,
    ) -> None:
        self.folder = folder
        self.state_folder = folder / ".state"
        self.clip = clip
        self.record = record
        self.strategies = strategies
        self.options = options
        self.watch = Stopwatch()
        self.comparison = ComparisonParts(self.state_folder, clip, record, strategies, self.watch)

    def go(self, sam: Segmenter, session: RunSession) -> None:
        """Do all frames that are left, then join the comparison video."""
        sweep = Sweep(self.strategies, sam, self.record.prompts, self.options, self.watch)
        if (self.folder / "run.json").is_file():
            self._restore(sweep)
        total, every = len(self.clip), self.options.save_every
        done = self.record.frames_done
        frames = one_ahead(self._frames(done))
        with session.counting(total, "samflow run", done) as advance:
            for begin in range(done, total, every):
                with self.comparison.part(begin), Beside() as beside:
                    for frame in islice(frames, every):
                        results = (
                            self._first(sweep, frame) if frame.index == 0 else sweep.step(frame)
                        )
                        beside.do(self._write, frame, results)
                        advance(1)
                self._save(sweep, min(begin + every, total))
        self.comparison.join(every, self.folder / "comparison.mp4")
        self.record.seconds = self.watch.seconds
        self.record.save(self.folder)
        shutil.rmtree(self.state_folder)

    @property
    def _state_path(self) -> Path:
        return self.state_folder / "state.pt"

    def _frames(self, done: int) -> Iterator[Frame]:
        """The clip's frames from number `done` on."""
        return self.watch.each("decode", frames_of(self.clip, range(done, len(self.clip))))

    def _first(self, sweep: Sweep, frame: Frame) -> dict[str, np.ndarray]:
        """Results of the first frame; the folder becomes a run once the prompts did work."""
        self.record.prompts.check_frame(frame.image, self.options.accept_frame)
        results = sweep.start(frame)
        self.record.save(self.folder)
        self.record.prompts.save(self.folder / "prompts.json")
        return results

    def _write(self, frame: Frame, results: dict[str, np.ndarray]) -> None:
        """Write the results of a frame, and its place in the comparison video."""
        self.comparison.write(frame.image, results, frame.index)
        with self.watch("write"):
            for name, labels in results.items():
                write_label_map(
                    self.folder / "masks" / folder_name(name) / f"{frame.index:05d}.png", labels
                )

    def _save(self, sweep: Sweep, done: int) -> None:
        """Save all that an interrupted run needs to go on after `done` frames."""
        self.record.frames_done = done
        state = {
            "frames_done": done,
            "seconds": self.watch.seconds,
            "strategies": sweep.state_dict(),
        }
        with self.watch("write"):
            save_point(self._state_path, state)
        self.record.seconds = self.watch.seconds
        self.record.save(self.folder)

    def _restore(self, sweep: Sweep) -> None:
        """Go back to the latest saved point, and clear what was being written when it ended."""
        remove_halves(self.folder)
        state = load_point(self._state_path)
        if state is None:
            return
        sweep.load_state_dict(state["strategies"])
        self.record.frames_done = state["frames_done"]
        self.watch.seconds = state["seconds"]
