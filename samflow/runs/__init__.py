"""Strategies side by side over a video: stream, write, resume."""

from samflow.runs.options import RunOptions
from samflow.runs.start import check_run_folder, run

__all__ = ["RunOptions", "check_run_folder", "run"]
