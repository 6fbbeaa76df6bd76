"""Strategies side by side over a video: stream, write, resume."""

import math
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from samflow.errors import SamflowError
from samflow.files import atomic_path
from samflow.maskio import write_label_map
from samflow.masks import without_labels
from samflow.overlay import Comparison
from samflow.prompts import Prompts
from samflow.record import ModelRecord, Run, RunRecord, VideoRecord, versions
from samflow.sam import Sam, load_sam
from samflow.strategies import (
    STRATEGY_NAMES,
    STRATEGY_TITLES,
    Frame,
    PromptOptions,
    Strategy,
    build_strategies,
    check_strategy_names,
    needs_xmem,
    segment_first_frame,
)
from samflow.video import Video, VideoWriter, concatenate_videos
from samflow.xmem import load_xmem

# Share of the frame's area up to which holes are filled by default: specks, not swirls' gaps
SMALL_HOLE = 5e-4


@dataclass(frozen=True)
class RunOptions:
    """What a run does beside its video and prompts.

    Parameters
    ----------
    strategies : sequence of str
        Of `samflow.strategies.STRATEGY_NAMES`.
    sam, xmem : str
        Registry name or file of the weights.
    device : str
        "auto", "cpu", "cuda", "mps".
    start, end : float, optional
        Part of the video, in seconds. By default it starts at the prompts' frame.
    use_points : bool
        Prompt the first frame with points beside boxes.
    accept_frame : bool
        Go on when the first frame's pixels differ from those the prompts were drawn on.
    size : int
        XMem's working size: the shorter side of larger frames inside XMem, px.
    max_hole_area : int, optional
        Largest hole that is filled in a region, px; by default 0.05 % of the frame.
    mask_value, coverage : float
        Mask prompts, see `samflow.masks.mask_to_low_res_logits`.
    save_every : int
        Frames between two points from which a killed run can go on.
    """

    strategies: Sequence[str] = STRATEGY_NAMES
    sam: str = "vit_h"
    xmem: str = "XMem"
    device: str = "auto"
    start: float | None = None
    end: float | None = None
    use_points: bool = False
    accept_frame: bool = False
    size: int = 480
    max_hole_area: int | None = None
    mask_value: float = 18.0
    coverage: float = 0.0
    save_every: int = 50

    def recorded(self) -> dict[str, Any]:
        """The options that results depend on, beside those recorded elsewhere."""
        elsewhere = {"strategies", "sam", "xmem", "start", "end", "accept_frame"}
        return {key: value for key, value in asdict(self).items() if key not in elsewhere}


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


def run(
    video_path: str | Path,
    prompts: Prompts,
    out: str | Path,
    options: RunOptions | None = None,
    resume: bool = False,
) -> Run:
    """Run strategies side by side over a video and write the run folder.

    Parameters
    ----------
    video_path : str or Path
        A video file or a folder of images.
    prompts : Prompts
        Drawn on the clip's first frame.
    out : str or Path
        The run folder to make, or to go on with.
    options : RunOptions, optional
    resume : bool
        Go on with an interrupted run in `out`.

    Returns
    -------
    Run
        Complete: label maps, `comparison.mp4`, `run.json`, `prompts.json`.

    Raises
    ------
    SamflowError
        For input that can't be used, or an `out` that can't be written or gone on with.

    Notes
    -----
    Frames are streamed: memory does not depend on the clip's length. Each is decoded once, encoded
    by SAM once and tracked by XMem once. Every `save_every` frames the strategies' states and a
    finished part of the comparison video are saved; a killed run goes on from there and ends with
    the same masks and video, byte for byte.
    """
    options = options or RunOptions()
    folder = Path(out)
    check_strategy_names(options.strategies)
    check_run_folder(folder, resume)
    clip = _choose_clip(Video(video_path), prompts, options)
    sam = load_sam(options.sam, options.device)
    needed = needs_xmem(options.strategies)
    network = load_xmem(options.xmem, options.device) if needed else None
    shorter = min(clip.size)
    prompt_options = PromptOptions(options.mask_value, options.coverage, _hole_area(options, clip))
    strategies = build_strategies(
        options.strategies,
        sam,
        network,
        size=options.size if shorter > options.size else None,
        options=prompt_options,
    )
    record = _record(clip, Path(video_path), prompts, options, sam, network)
    _Runner(folder, clip, record, strategies, options, prompt_options).go(sam, resume)
    return Run(folder)


def _hole_area(options: RunOptions, clip: Video) -> int:
    if options.max_hole_area is not None:
        return options.max_hole_area
    return round(SMALL_HOLE * clip.size[0] * clip.size[1])


def check_run_folder(folder: Path, resume: bool) -> None:
    """Refuse a folder that a run can't be written to, or gone on with, with a `SamflowError`."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / "run.json").is_file():
        raise SamflowError(f"{folder} exists and is not a run: choose another folder with --out.")
    if not resume:
        raise SamflowError(
            f"{folder} already holds a run: go on with --resume, or choose another folder."
        )


def _choose_clip(video: Video, prompts: Prompts, options: RunOptions) -> Video:
    """Part of the video to run over; its first frame is the prompts' frame."""
    index = prompts.frame.index
    if options.start is None:
        if index >= len(video):
            raise SamflowError(
                f"the prompts belong to frame {index}, but {video.name} has {len(video)} frames: "
                "choose the right video."
            )
        start = float(video.timestamps[index])
    else:
        start = options.start
    clip = video.between(start, math.inf if options.end is None else options.end)
    if clip.first != index:
        raise SamflowError(
            f"the prompts belong to frame {index}, the clip starts at frame {clip.first}: start it "
            f"at {video.timestamps[min(index, len(video) - 1)]:.3f} s, or draw prompts on frame "
            f"{clip.first}."
        )
    return clip


def _record(
    clip: Video,
    path: Path,
    prompts: Prompts,
    options: RunOptions,
    sam: Sam,
    network: Any,
) -> RunRecord:
    models = {"sam": ModelRecord(name=sam.name, sha256=sam.sha256)}
    if network is not None:
        models["xmem"] = ModelRecord(name=network.name, sha256=network.sha256)
    video = VideoRecord(
        name=clip.name,
        path=str(path.resolve()),
        sha256=clip.sha256,
        fps=clip.fps,
        width=clip.size[1],
        height=clip.size[0],
        first=clip.first,
        frames=len(clip),
        damage=clip.damage,
    )
    return RunRecord(
        versions=versions(),
        video=video,
        prompts=prompts,
        models=models,
        strategies=list(options.strategies),
        options=options.recorded(),
    )


class _Runner:
    """One run under way: its folder, its strategies, and how far it is."""

    def __init__(
        self,
        folder: Path,
        clip: Video,
        record: RunRecord,
        strategies: dict[str, Strategy],
        options: RunOptions,
        prompt_options: PromptOptions,
    ) -> None:
        self.folder = folder
        self.state_folder = folder / ".state"
        self.clip = clip
        self.record = record
        self.strategies = strategies
        self.options = options
        self.prompt_options = prompt_options
        self.watch = Stopwatch()
        titles = [STRATEGY_TITLES[name] for name in strategies]
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
                time = float(self.clip.timestamps[frame.index] - self.clip.timestamps[0])
                with self.watch("overlay"):
                    panels = {STRATEGY_TITLES[name]: labels for name, labels in results.items()}
                    picture = self.comparison.frame(frame.image, panels, time, frame.index)
                with self.watch("write"):
                    for name, labels in results.items():
                        path = self.folder / "masks" / name / f"{frame.index:05d}.png"
                        write_label_map(path, labels)
                    if writer is None:
                        writer = stack.enter_context(
                            VideoWriter(self._part(begin), picture.shape[:2], self.clip.fps)
                        )
                    writer.write(picture, time)
                bar.update()

    def _segment(self, sam: Sam, frame: Frame) -> dict[str, np.ndarray]:
        """Every strategy's result for the next frame, without background regions."""
        prompts = self.record.prompts
        if frame.index == 0 or set(self.strategies) != {"xmem"}:
            with self.watch("sam encode"):
                frame.embedding(sam)
        first = None
        if frame.index == 0:
            with self.watch("sam decode"):
                first = segment_first_frame(
                    sam, frame, prompts, self.options.use_points, self.prompt_options
                )
        # strategies that refine XMem find its result ready, so that times are told apart
        for owner in self._state_owners():
            if owner.name == "xmem":
                with self.watch("xmem"):
                    _advance(owner, frame, first)
        results = {}
        for name, strategy in self.strategies.items():
            with self.watch("xmem" if name == "xmem" else "sam decode"):
                labels = _advance(strategy, frame, first)
            results[name] = without_labels(labels, prompts.background_ids)
        return results

    def _state_owners(self) -> list[Strategy]:
        """The strategies that have a state: those that share XMem count once."""
        owners = {id(o): o for o in (getattr(s, "source", s) for s in self.strategies.values())}
        return list(owners.values())

    def _save(self, done: int) -> None:
        """Save all that an interrupted run needs to go on after `done` frames."""
        self.record.frames_done = done
        state = {
            "frames_done": done,
            "seconds": self.watch.seconds,
            "strategies": {owner.name: owner.state_dict() for owner in self._state_owners()},
        }
        with self.watch("write"), atomic_path(self.state_folder / "state.pt") as part:
            torch.save(state, part)
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
        for stray in self.folder.rglob(".*"):
            if stray.is_file():
                stray.unlink()
        path = self.state_folder / "state.pt"
        if not path.is_file():
            return
        state = torch.load(path, weights_only=True)
        for owner in self._state_owners():
            owner.load_state_dict(state["strategies"][owner.name])
        self.record.frames_done = state["frames_done"]
        self.watch.seconds = state["seconds"]


def _advance(strategy: Strategy, frame: Frame, first: np.ndarray | None) -> np.ndarray:
    """Start the strategy with the first label map, or step it when there is none."""
    return strategy.step(frame) if first is None else strategy.start(frame, first)
