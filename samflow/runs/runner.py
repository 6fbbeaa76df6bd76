"""A run under way: frames through the strategies, files out, saved points to go on from."""

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from samflow.errors import SamflowError
from samflow.maskio import write_label_map
from samflow.masks import sharpen_labels, without_labels
from samflow.overlay import Comparison
from samflow.runs.record import Run, RunRecord
from samflow.runs.resuming import load_point, remove_halves, save_point
from samflow.runs.run_options import RunOptions
from samflow.sam import Sam
from samflow.strategies import (
    REGISTRY,
    TITLES,
    Frame,
    Strategy,
    models_needed,
    segment_first_frame,
    with_sources,
)
from samflow.video import Video, VideoWriter, concatenate_videos


@dataclass
class Stopwatch:
    """Seconds spent in each stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Add the time of the block to a stage."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begin
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent


class Runner:
    """One run under way: its folder, its strategies, and how far it is."""

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
        # strategies that refine another one find its result ready, so that times are told apart
        self.stepped = with_sources(strategies.values())
        self.watch = Stopwatch()
        titles = [TITLES[name] for name in strategies]
        self.comparison = Comparison(clip.size, titles, record.prompts.regions)

    def go(self, sam: Sam, resume: bool) -> None:
        """Do all frames that are left, then join the comparison video."""
        if resume and (self.folder / "run.json").is_file():
            self._check_same_run()
            if Run(self.folder).complete:
                shutil.rmtree(self.state_folder, ignore_errors=True)
                return
            self._restore()
        total, every = len(self.clip), self.options.save_every
        done = self.record.frames_done
        frames = self._frames(done)
        with tqdm(total=total, initial=done, unit="frame", desc="samflow run") as bar:
            for begin in range(done, total, every):
                self._do_part(sam, islice(frames, every), begin, bar)
                self._save(min(begin + every, total))
        with self.watch("write"):
            parts = [self._part(begin) for begin in range(0, total, every)]
            concatenate_videos(parts, self.folder / "comparison.mp4")
        self.record.seconds = self.watch.seconds
        self.record.save(self.folder)
        shutil.rmtree(self.state_folder)

    @property
    def _state_path(self) -> Path:
        return self.state_folder / "state.pt"

    def _part(self, begin: int) -> Path:
        return self.state_folder / f"comparison-{begin:06d}.mp4"

    def _frames(self, done: int) -> Iterator[Frame]:
        """The clip's frames from number `done` on; the folder is opened with the first one."""
        if done == len(self.clip):
            return
        images = iter(self.clip[done:])
        for index in range(done, len(self.clip)):
            with self.watch("decode"):
                image = next(images)
            if index == 0:
                self.record.prompts.check_frame(image, self.options.accept_frame)
                self.record.save(self.folder)
                self.record.prompts.save(self.folder / "prompts.json")
            yield Frame(image, index)

    def _do_part(self, sam: Sam, frames: Iterator[Frame], begin: int, bar: tqdm) -> None:
        """Frames from `begin` on, and their part of the comparison video."""
        with ExitStack() as stack:
            writer: VideoWriter | None = None
            for frame in frames:
                results = self._segment(sam, frame)
                seconds = float(self.clip.timestamps[frame.index] - self.clip.timestamps[0])
                with self.watch("overlay"):
                    panels = {TITLES[name]: labels for name, labels in results.items()}
                    picture = self.comparison.frame(frame.image, panels, seconds, frame.index)
                with self.watch("write"):
                    for name, labels in results.items():
                        path = self.folder / "masks" / name / f"{frame.index:05d}.png"
                        write_label_map(path, labels)
                    if writer is None:
                        writer = stack.enter_context(
                            VideoWriter(self._part(begin), picture.shape[:2], self.clip.fps)
                        )
                    writer.write(picture, seconds)
                bar.update()

    def _segment(self, sam: Sam, frame: Frame) -> dict[str, np.ndarray]:
        """Every strategy's result for the next frame, without background regions."""
        prompts = self.record.prompts
        if frame.index == 0 or "sam" in models_needed(self.strategies):
            with self.watch("sam encode"):
                frame.embedding(sam)
        first = None
        if frame.index == 0:
            with self.watch("first frame"):
                first = segment_first_frame(sam, frame, prompts, self.options.prompting)
        results = {}
        for strategy in self.stepped:
            with self.watch(strategy.name if first is None else "first frame"):
                if first is None:
                    results[strategy.name] = strategy.step(frame)
                else:
                    results[strategy.name] = strategy.start(frame, first)
        if self.options.sharpen:
            self._sharpen(frame, results)
        background = prompts.background_ids
        return {name: without_labels(results[name], background) for name in self.strategies}

    def _sharpen(self, frame: Frame, results: dict[str, np.ndarray]) -> None:
        """Sharpen what is shown and written; the strategies go on from their own label maps."""
        with self.watch("sharpen"):
            for name in self.strategies:
                if REGISTRY[name].can_be_sharpened:
                    labels = results[name]
                    results[name] = sharpen_labels(labels, frame.image, frame.color_guide)

    def _save(self, done: int) -> None:
        """Save all that an interrupted run needs to go on after `done` frames."""
        self.record.frames_done = done
        state = {
            "frames_done": done,
            "seconds": self.watch.seconds,
            "strategies": {each.name: each.state_dict() for each in self.stepped},
        }
        with self.watch("write"):
            save_point(self._state_path, state)
        self.record.seconds = self.watch.seconds
        self.record.save(self.folder)

    def _check_same_run(self) -> None:
        difference = Run(self.folder).record.difference(self.record)
        if difference is not None:
            raise SamflowError(
                f"{self.folder} was made with other input ({difference}): resume it with the same "
                "input, or choose another folder."
            )

    def _restore(self) -> None:
        """Go back to the latest saved point, and clear what was being written when it ended."""
        remove_halves(self.folder)
        state = load_point(self._state_path)
        if state is None:
            return
        for each in self.stepped:
            each.load_state_dict(state["strategies"][each.name])
        self.record.frames_done = state["frames_done"]
        self.watch.seconds = state["seconds"]
