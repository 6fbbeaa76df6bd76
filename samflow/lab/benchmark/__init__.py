"""The dye benchmark: fifteen clips with exact truth, every strategy and baseline, one table.

`benchmark_clips` says which clips, `clip_by_clip` runs them, `evaluation` judges one of them,
`summary` joins all, `pages` writes tables, figures and a text.
"""

from samflow.lab.benchmark.ablations import ablate, write_ablations
from samflow.lab.benchmark.benchmark_clips import CLIPS, BenchmarkClip, choose_clips
from samflow.lab.benchmark.clip_by_clip import BenchmarkOptions, run_benchmark
from samflow.lab.benchmark.evaluation import lasting_drift_start
from samflow.lab.benchmark.summary import Summary

__all__ = [
    "CLIPS",
    "BenchmarkClip",
    "BenchmarkOptions",
    "Summary",
    "ablate",
    "choose_clips",
    "lasting_drift_start",
    "run_benchmark",
    "write_ablations",
]
