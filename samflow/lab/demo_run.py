"""The bundled example: a synthetic dye clip through all strategies, offline, with scores."""

from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from samflow.errors import SamflowError
from samflow.files import replace_folder
from samflow.lab.synthetic import DyeClip, TransferredClip
from samflow.maskio import Track, write_label_map
from samflow.prompts import Prompts, VideoReference, frame_sha256
from samflow.results.scoring import score
from samflow.results.side_by_side import run_sheet
from samflow.runs import Run, RunOptions, check_run_folder, run
from samflow.strategies import STRATEGY_NAMES, check_strategy_names
from samflow.video import Video

DEMO_SEED = 3
# one baseline besides the strategies
DEMO_STRATEGIES = (*STRATEGY_NAMES, "nearest-colour")


def write_dye_clip(folder: Path, clip: DyeClip | TransferredClip) -> Prompts:
    """Write a synthetic clip: the film, its true label maps in `truth/`, and `prompts.json`.

    Parameters
    ----------
    folder : Path
        Appears complete or not at all.
    clip : DyeClip or TransferredClip
        Its `file_name` is the film's: `clip.mp4`, or `clip.mpg` after a transfer.

    Returns
    -------
    Prompts
        Boxes and background points for frame 0, bound to the written video.
    """
    with replace_folder(folder) as part:
        video_path = part / clip.file_name
        truth = tqdm(clip.write(video_path), total=clip.frames, unit="frame", desc="dye clip")
        for index, labels in enumerate(truth):
            write_label_map(part / "truth" / f"{index:05d}.png", labels)
        video = Video(video_path)
        drawn = clip.prompts()
        prompts = drawn.model_copy(
            update={
                "video": VideoReference(name=video_path.name, sha256=video.sha256),
                "frame": drawn.frame.model_copy(update={"sha256": frame_sha256(video[0])}),
            }
        )
        prompts.save(part / "prompts.json")
    return prompts


def demo(
    out: str | Path,
    frames: int = 60,
    seed: int = DEMO_SEED,
    strategies: tuple[str, ...] = DEMO_STRATEGIES,
) -> tuple[Run, pd.DataFrame]:
    """Make a dye clip, run strategies over it with the demo weights, score them.

    Parameters
    ----------
    out : str or Path
        The run folder; the clip lies beside it in `<out>_clip`.
    frames : int
        Length of the clip of 480x270 px.
    seed : int
        Of the synthetic flow.
    strategies : tuple of str
        By default all that use networks, and the nearest colour as a baseline.

    Returns
    -------
    Run, pandas.DataFrame
        The run, and what `samflow.results.scoring.score` returns.

    Raises
    ------
    SamflowError
        When `out` holds something else.
    """
    folder = Path(out)
    clip_folder = folder.with_name(folder.name + "_clip")
    check_strategy_names(strategies)
    check_run_folder(folder, resume=True)
    if folder.exists() and not clip_folder.exists():
        raise SamflowError(f"{folder} holds a run that is no demo: choose another --out.")
    if clip_folder.exists() and not (clip_folder / "truth").is_dir():
        raise SamflowError(f"{clip_folder} exists and is no dye clip: choose another --out.")
    prompts = write_dye_clip(clip_folder, DyeClip(seed, frames=frames))
    options = RunOptions(strategies=strategies, sam="demo", xmem="demo", device="auto")
    finished = run(clip_folder / "clip.mp4", prompts, folder, options, resume=folder.exists())
    summary = score(finished, Track(clip_folder / "truth"))
    run_sheet(finished, folder / "plots" / "frames.png")
    return finished, summary
