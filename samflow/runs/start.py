"""Check a run's input, load its models, and let it go."""

import math
from pathlib import Path

from samflow.errors import SamflowError
from samflow.prompts import Prompts
from samflow.runs.record import ModelRecord, Run, RunRecord, VideoRecord, versions
from samflow.runs.resuming import is_untouched, locked
from samflow.runs.run_options import RunOptions
from samflow.runs.runner import Runner
from samflow.sam import Sam, load_sam
from samflow.strategies import build_strategies, check_strategy_names, models_needed
from samflow.video import Video
from samflow.xmem import XMem, load_xmem


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
        The run folder to make, or to resume.
    options : RunOptions, optional
    resume : bool
        Continue an interrupted run in `out`.

    Returns
    -------
    Run
        Complete: label maps, `comparison.mp4`, `run.json`, `prompts.json`.

    Raises
    ------
    SamflowError
        For input that can't be used, or an `out` that can't be written or resumed.

    Notes
    -----
    Frames are streamed: memory does not depend on the clip's length. Each is decoded once, encoded
    by SAM once and tracked by XMem once, where a strategy needs it. The first frame's masks are
    SAM's for every strategy, baselines included. Every `save_every` frames the strategies' states
    and a finished part of the comparison video are saved; a killed run goes on from there and ends
    with the same masks and video, byte for byte, where the networks compute with one thread: sums
    over several threads may round differently from run to run.

    `seconds` in `run.json` has the stages that strategies share: `decode`, `sam encode`, `first
    frame` (the masks from the prompts, and what strategies do and learn on that frame), `overlay`,
    `write`; and one for each strategy under its name, from the second frame on and without what is
    shared: `xmem` is also what the strategies that refine XMem wait for.
    """
    options = options or RunOptions()
    folder = Path(out)
    check_strategy_names(options.strategies)
    check_run_folder(folder, resume)
    with locked(folder):
        _go(video_path, prompts, folder, options, resume)
    return Run(folder)


def _go(
    video_path: str | Path, prompts: Prompts, folder: Path, options: RunOptions, resume: bool
) -> None:
    """Check the input, load what the strategies need, and do the frames."""
    clip = _choose_clip(Video(video_path), prompts, options)
    sam = load_sam(options.sam, options.device)
    needed = "xmem" in models_needed(options.strategies)
    network = load_xmem(options.xmem, options.device) if needed else None
    strategies = build_strategies(options.strategies, sam, network, options.size, options.prompting)
    record = _record(clip, Path(video_path), prompts, options, sam, network)
    Runner(folder, clip, record, strategies, options).go(sam, resume)


def check_run_folder(folder: Path, resume: bool) -> None:
    """Refuse a folder that can hold no run, or none to resume, with a `SamflowError`."""
    if is_untouched(folder):
        return
    if not (folder / "run.json").is_file():
        raise SamflowError(f"{folder} exists and is not a run: choose another folder with --out.")
    if not resume:
        raise SamflowError(
            f"{folder} already holds a run: continue it with --resume, or choose another folder."
        )


def _choose_clip(video: Video, prompts: Prompts, options: RunOptions) -> Video:
    """Part of the video to run over; its first frame is the prompts' frame."""
    prompts.check_size(video.size)
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
    network: XMem | None,
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
