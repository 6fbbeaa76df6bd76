"""What each part of `anchored` is good for: the strategy without it, on clips of validation."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from samflow.files import write_text
from samflow.lab.benchmark.benchmark_clips import choose_clips
from samflow.lab.markdown import markdown_table
from samflow.lab.synthetic import HELD_OUT_SEEDS, VALIDATION_SEEDS, DyeClip
from samflow.masks import sharpen_labels
from samflow.results.csv_tables import write_table
from samflow.results.metrics import region_similarity
from samflow.sam import Sam
from samflow.strategies import Frame, Strategy, XMemStrategy, segment_first_frame
from samflow.strategies.anchored import AnchoredStrategy, Anchors
from samflow.strategies.with_sam import RefinedStrategy
from samflow.xmem import XMem

# Variants of `anchored`, each without one of its parts
_VARIANTS = {
    "anchored": Anchors(),
    "without flow": Anchors(flow=False),
    "without sharpened prompts": Anchors(prompts=False),
    "without colours of the whole frame": Anchors(colors=False),
    "without sharpened edges": Anchors(edges=False),
}
_DYES = (1, 2)
# Of the validation seeds; those below it had a say in training
_FIRST_SEED = 20


def ablate(
    sam: Sam, network: XMem, clips: Sequence[str] | None = None, frames: int = 60
) -> pd.DataFrame:
    """Score `anchored` without each of its parts, on clips that the benchmark does not score on.

    Parameters
    ----------
    sam : Sam
    network : XMem
    clips : sequence of str, optional
        Names of the benchmark's clips, whose looks and scenes are taken with seeds of
        `samflow.lab.synthetic.VALIDATION_SEEDS`; by default all but
        those that went through a transfer.
    frames : int
        Length of each clip.

    Returns
    -------
    pandas.DataFrame
        `variant`, `clip`, `J`: means over both dyes and all frames. Besides the variants there are
        `refined` and `refined, sharpened`.
    """
    rows = []
    whole = [clip for clip in choose_clips(clips) if clip.transfer is None]
    for clip in tqdm(whole, unit="clip", desc="ablations"):
        seed = VALIDATION_SEEDS[_FIRST_SEED + HELD_OUT_SEEDS.index(clip.seed)]
        made = DyeClip(seed, frames=frames, look=clip.look, scene=clip.scene)
        scores = _score(sam, network, made)
        rows += [{"variant": name, "clip": clip.name, "J": value} for name, value in scores.items()]
    return pd.DataFrame(rows)


def write_ablations(table: pd.DataFrame, folder: Path) -> str:
    """Write `ablations.csv` and `ablations.md`, a table of means and clips; returns the latter."""
    write_table(table, folder / "ablations.csv")
    wide = table.pivot(index="variant", columns="clip", values="J")
    wide = wide.loc[table["variant"].unique(), table["clip"].unique()]
    rows = [
        [str(name), f"{values.mean():.3f}", *(f"{value:.3f}" for value in values)]
        for name, values in wide.iterrows()
    ]
    text = markdown_table(["", "mean", *map(str, wide.columns)], rows) + "\n"
    write_text(folder / "ablations.md", text)
    return text


def _score(sam: Sam, network: XMem, clip: DyeClip) -> dict[str, float]:
    """Mean J of each variant over a clip; all share one encoding and one XMem."""
    tracker = XMemStrategy(network)
    strategies: dict[str, Strategy] = {"refined": RefinedStrategy(sam, tracker)}
    strategies |= {
        name: AnchoredStrategy(sam, tracker, anchors=anchors) for name, anchors in _VARIANTS.items()
    }
    prompts, first = clip.prompts(), None
    scores: dict[str, list[float]] = {}
    for index, (image, truth) in enumerate(clip):
        frame = Frame(image, index)
        if first is None:
            first = segment_first_frame(sam, frame, prompts)
            results = {name: each.start(frame, first) for name, each in strategies.items()}
        else:
            results = {name: each.step(frame) for name, each in strategies.items()}
        sharp = sharpen_labels(results["refined"], image, frame.color_guide)
        results = {"refined": results.pop("refined"), "refined, sharpened": sharp, **results}
        for name, labels in results.items():
            scores.setdefault(name, []).append(_mean_similarity(labels, truth))
    return {name: float(np.mean(values)) for name, values in scores.items()}


def _mean_similarity(labels: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean([region_similarity(labels == dye, truth == dye) for dye in _DYES]))
