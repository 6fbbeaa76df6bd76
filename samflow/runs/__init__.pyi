from .record import Run, RunRecord
from .run_options import RunOptions
from .single_frame import Segmentation, segment
from .start import check_run_folder, run

__all__ = [
    "Run",
    "RunOptions",
    "RunRecord",
    "Segmentation",
    "check_run_folder",
    "run",
    "segment",
]
