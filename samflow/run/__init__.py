"""Strategies side by side over a video: stream, write, resume."""

from samflow.run.options import SMALL_HOLE, RunOptions
from samflow.run.start import check_run_folder, run

__all__ = ["SMALL_HOLE", "RunOptions", "check_run_folder", "run"]
