"""The benchmark under way: clip by clip, going on where it was killed."""

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm.auto import tqdm

from samflow.errors import SamflowError
from samflow.files import write_text
from samflow.lab.benchmark.benchmark_clips import BenchmarkClip, choose_clips
from samflow.lab.benchmark.evaluation import evaluate
from samflow.lab.benchmark.pages import write_pages
from samflow.lab.benchmark.summary import Summary, summarise
from samflow.lab.demo_run import write_dye_clip
from samflow.maskio import Track
from samflow.runs import RunOptions, run
from samflow.strategies import TITLES, check_strategy_names

_SCHEMA = "samflow.lab.benchmark/1"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BenchmarkOptions:
    """What a benchmark compares.

    Parameters
    ----------
    clips : sequence of str, optional
        Names of clips; by default all fifteen.
    frames : int
        Length of each clip.
    strategies : sequence of str
        Strategies and baselines.
    sam, xmem : str
        Registry name or file of the weights.
    device : str
        "auto", "cpu", "cuda", "mps".
    size : (int, int)
        (H, W) of the clips, px.
    weights : mapping of str to str
        As of `samflow.runs.RunOptions`.
    """

    clips: Sequence[str] | None = None
    frames: int = 60
    strategies: Sequence[str] = tuple(TITLES)
    sam: str = "demo"
    xmem: str = "demo"
    device: str = "auto"
    size: tuple[int, int] = (270, 480)
    weights: Mapping[str, str] = field(default_factory=dict)

    def settings(self) -> dict[str, object]:
        """What all clips of one benchmark have in common."""
        return {
            "schema": _SCHEMA,
            "frames": self.frames,
            "size": list(self.size),
            "strategies": list(self.strategies),
            "sam": self.sam,
            "xmem": self.xmem,
            # a benchmark without other models goes on with what was written before there were any
            **({"weights": dict(self.weights)} if self.weights else {}),
        }


def run_benchmark(out: str | Path, options: BenchmarkOptions | None = None) -> Summary:
    """Run strategies and baselines over the benchmark's clips and compare them.

    Parameters
    ----------
    out : str or Path
        Folder to make, or to go on with: clips that are done are not run again.
    options : BenchmarkOptions, optional

    Returns
    -------
    Summary
        Tables over all clips that could be done, and why the others could not.

    Raises
    ------
    SamflowError
        For options that can't be used, a folder that holds something else or a benchmark with other
        options, or when no clip could be done.

    Notes
    -----
    In the folder: `clips/<clip>/` (the film, its truth, its prompts: boxes from the truth),
    `runs/<clip>/` (an ordinary run), `results/<clip>/` (see `samflow.lab.benchmark.evaluation`),
    and over all clips `benchmark.csv`, `bands.csv`, `lengths.csv`, `drift_correlation.csv`,
    `benchmark.md` and `plots/`.
    """
    options = options or BenchmarkOptions()
    folder = Path(out)
    clips = choose_clips(options.clips)
    check_strategy_names(options.strategies)
    if options.frames < 2:
        raise SamflowError(f"the clips have {options.frames} frames, expected at least two.")
    _open_folder(folder, options)
    failures: dict[str, str] = {}
    for clip in tqdm(clips, unit="clip", desc="benchmark"):
        try:
            _do_clip(clip, folder, options)
        # whatever happens to one clip, the hours spent on the others must not be lost
        except Exception as error:
            failures[clip.name] = " ".join(str(error).split()) or type(error).__name__
            _log.warning("clip %s failed: %s", clip.name, failures[clip.name])
            _log.debug("where it failed", exc_info=True)
    done = [clip for clip in clips if clip.name not in failures]
    if not done:
        name, reason = next(iter(failures.items()))
        raise SamflowError(f"no clip could be done; {name}: {reason}")
    summary = summarise(folder, done, failures)
    write_pages(summary, folder)
    return summary


def _open_folder(folder: Path, options: BenchmarkOptions) -> None:
    """Make the folder, or check that it holds a benchmark with the same options."""
    path = folder / "benchmark.json"
    wanted = options.settings()
    if not path.is_file():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise SamflowError(
                f"{folder} exists and is no benchmark: choose another folder with --out."
            )
        write_text(path, json.dumps(wanted, indent=1) + "\n")
        return
    try:
        found = dict(json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError):
        raise SamflowError(f"{path} is damaged: choose another folder with --out.") from None
    for key, value in wanted.items():
        if found.get(key) != value:
            raise SamflowError(
                f"{folder} holds a benchmark with {key} {found.get(key)!r}, not {value!r}: go on "
                "with the same options, or choose another folder with --out."
            )


def _do_clip(clip: BenchmarkClip, folder: Path, options: BenchmarkOptions) -> None:
    """Film, run and results of one clip; a run and results that are complete are left alone."""
    film, run_folder = folder / "clips" / clip.name, folder / "runs" / clip.name
    results = folder / "results" / clip.name
    if not run_folder.exists():
        # results of a run that was deleted say nothing about the one that takes its place
        shutil.rmtree(results, ignore_errors=True)
    # the same clip gives the same bytes, so that a run that was killed can go on
    prompts = write_dye_clip(film, clip.clip(options.frames, options.size))
    run_options = RunOptions(
        strategies=tuple(options.strategies),
        sam=options.sam,
        xmem=options.xmem,
        weights=options.weights,
        device=options.device,
        save_every=20,
    )
    assert prompts.video is not None
    path = film / prompts.video.name
    finished = run(path, prompts, run_folder, run_options, resume=run_folder.exists())
    if not results.is_dir():
        evaluate(finished, Track(film / "truth"), results)
