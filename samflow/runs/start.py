"""Check a run's input, load its models, and let it go."""

import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from samflow.device import resolve_device, resolve_precision
from samflow.errors import SamflowError
from samflow.models import split_source
from samflow.prompts import Prompts
from samflow.runs.corrections import add_prompts, check_prompts_given
from samflow.runs.locking import is_untouched, locked
from samflow.runs.record import ModelRecord, Run, RunRecord, VideoRecord, versions
from samflow.runs.run_options import RunOptions
from samflow.runs.runner import Runner
from samflow.runs.session import RunSession
from samflow.runs.sweep import Stopwatch, Sweep
from samflow.runs.workshop import (
    Models,
    NamedModel,
    bring_up_to_date,
    load_models,
    weights_of,
)
from samflow.strategies import check_strategy_names
from samflow.video import Video


def run(
    video_path: str | Path,
    prompts: Prompts | Sequence[Prompts],
    out: str | Path,
    options: RunOptions | None = None,
    resume: bool = False,
    session: RunSession | None = None,
) -> Run:
    """Run strategies side by side over a video and write the run folder.

    Parameters
    ----------
    video_path : str or Path
        A video file or a folder of images.
    prompts : Prompts or sequence of Prompts
        Drawn on a frame of the clip, by default its first one; the first of several names all
        regions, the others become corrections of their frames, see `correct`.
    out : str or Path
        The run folder to make, or to resume.
    options : RunOptions, optional
    resume : bool
        Continue an interrupted run in `out`, or add strategies to a finished one: those in
        `options` that it lacks.
    session : RunSession, optional
        What several runs of one process share: networks that are loaded already, and who is told
        of frames.

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
    Frames are streamed: memory does not depend on the clip's length. From the prompts' frame the
    strategies go forwards to the end of the clip, and backwards to its start where `options.start`
    is before that frame. In one direction each frame is decoded once, encoded by SAM once and
    tracked by each tracker once, where a strategy needs it. The masks of the prompts' frame are
    SAM's for every strategy, baselines included. Every `save_every` frames the strategies' states
    and a finished part of the comparison video are saved; a killed run goes on from there and ends
    with the same masks and video, byte for byte, where the networks compute with one thread: sums
    over several threads may round differently from run to run.

    `seconds` in `run.json` has the stages that strategies share: `decode`, `sam encode`, `first
    frame` (the masks from the prompts, and what strategies do and learn on that frame), `overlay`,
    `write`; and one for each strategy under its name, from the second frame on and without what is
    shared: `xmem` is also what the strategies that refine XMem wait for. `decode`, `overlay` and
    `write` go on beside the models, so the stages may add up to more than the run took.
    """
    options = options or RunOptions()
    precision = resolve_precision(options.precision, resolve_device(options.device))
    options = replace(options, precision=str(precision).removeprefix("torch."))
    folder = Path(out)
    check_strategy_names(options.strategies)
    check_run_folder(folder, resume)
    drawn = [prompts] if isinstance(prompts, Prompts) else list(prompts)
    _check_prompts(drawn, options)
    session = session or RunSession()
    with locked(folder) as session.hold:
        _go(Path(video_path), drawn, folder, options, session)
    return Run(folder)


def _go(
    video_path: Path,
    prompts: list[Prompts],
    folder: Path,
    options: RunOptions,
    session: RunSession,
) -> None:
    """Check the input, load what the strategies need, and do what the run lacks."""
    clip = _choose_clip(Video(video_path), prompts[0], options)
    models = load_models(options, session)
    record = _record(clip, video_path, prompts[0], options, models)
    for later in prompts[1:]:
        check_prompts_given(record, later, later.frame.index - clip.first)
    known = Run(folder).record if (folder / "run.json").is_file() else None
    if known is not None:
        _check_same_run(folder, known, record)
        _keep_scale(folder, known, record.prompts)
    if known is None or known.frames_done != len(clip) or not (folder / "comparison.mp4").is_file():
        _do_first_pass(folder, clip, record, options, models, session)
    grown = Run(folder)
    for later in prompts[1:]:
        add_prompts(grown, clip, later, Sweep({}, models.sam, later, options, Stopwatch()))
    if not grown.complete or list(options.strategies) != grown.strategies:
        grown.record.models |= record.models
        bring_up_to_date(grown, clip, options, models, session)
    shutil.rmtree(folder / ".state", ignore_errors=True)


def _do_first_pass(
    folder: Path,
    clip: Video,
    record: RunRecord,
    options: RunOptions,
    models: Models,
    session: RunSession,
) -> None:
    """Run forwards from the clip's first frame, or open a run that starts at another one."""
    prompts = record.prompts
    at = prompts.frame.index - clip.first
    if at == 0:
        strategies = models.strategies(options)
        Runner(folder, clip, record, strategies, options).go(models.sam, session)
        return
    prompts.check_frame(clip[at], options.accept_frame)
    record.save(folder)
    prompts.save(folder / "prompts.json")


def _check_same_run(folder: Path, known: RunRecord, wanted: RunRecord) -> None:
    """Refuse to go on with a run with other input; a finished one may get more strategies."""
    finished = known.frames_done == known.video.frames
    if finished and set(known.strategies) <= set(wanted.strategies):
        models = {name: model for name, model in wanted.models.items() if name in known.models}
        wanted = wanted.model_copy(update={"strategies": known.strategies, "models": models})
    difference = known.difference(wanted)
    if difference is not None:
        raise SamflowError(
            f"{folder} was made with other input ({difference}): resume it with the same "
            "input, or choose another folder."
        )


def _keep_scale(folder: Path, known: RunRecord, prompts: Prompts) -> None:
    """Take a scale of lengths in that was drawn after the run was made."""
    if prompts.mm_per_px is not None and known.prompts != prompts:
        known.prompts = prompts
        known.save(folder)
        prompts.save(folder / "prompts.json")


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


def _check_prompts(given: Sequence[Prompts], options: RunOptions) -> None:
    """Refuse prompts that make no result, before anything is loaded."""
    if not given:
        raise SamflowError("no prompts given: a run needs those of one frame at least.")
    for prompts in given:
        prompts.check_drawn(options.prompting.use_points)
    first = given[0]
    if len(first.background_ids) == len(first.ids):
        raise SamflowError(
            "all regions of the prompts are background, so every mask would be empty: draw the "
            "regions to segment, or set background to false."
        )
    frames = [prompts.frame.index for prompts in given]
    if repeated := [frame for frame in frames if frames.count(frame) > 1]:
        raise SamflowError(
            f"several prompts belong to frame {repeated[0]}: give one file of prompts for a frame."
        )


def _choose_clip(video: Video, prompts: Prompts, options: RunOptions) -> Video:
    """Part of the video to run over; the prompts' frame is in it."""
    prompts.check_size(video.size)
    index = prompts.frame.index
    if index >= len(video):
        raise SamflowError(
            f"the prompts belong to frame {index}, but {video.name} has {len(video)} frames: "
            "choose the right video."
        )
    own = float(video.timestamps[index])
    start = own if options.start is None else options.start
    end = math.inf if options.end is None else options.end
    if start >= end:
        raise SamflowError(
            f"the clip starts at {start:g} s, which is not before its end at {end:g} s: give a "
            f"later end ({video.name} lasts {video.timestamps[-1] + 1 / video.fps:.6g} s)."
        )
    clip = video.between(start, end)
    if index not in clip.indices:
        raise SamflowError(
            f"the prompts belong to frame {index} at {own:.3f} s, which is not in the clip from "
            f"frame {clip.first} to {clip.indices[-1]}: choose a clip around it, or draw prompts "
            "on a frame of the clip."
        )
    return clip


def _record(
    clip: Video,
    path: Path,
    prompts: Prompts,
    options: RunOptions,
    models: Models,
) -> RunRecord:
    known = {
        name: _model(model, weights_of(options, name)) for name, model in models.by_name.items()
    }
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
        models=known,
        strategies=list(options.strategies),
        options=options.recorded(),
    )


def _model(model: NamedModel, given: str) -> ModelRecord:
    """What a run remembers of a model; weights of one's own are found again by their path."""
    kind, source = split_source(given)
    own, prefix = Path(source), "" if kind is None else f"{kind}="
    there = own.is_dir() or (own.suffix != "" and own.is_file())
    named = model.name == prefix + own.absolute().name
    path = f"{prefix}{own.resolve()}" if there and named else None
    return ModelRecord(name=model.name, sha256=model.sha256, path=path)
