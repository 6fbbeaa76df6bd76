from .correcting import correct
from .record import Run, RunRecord
from .run_options import RunOptions
from .single_frame import Segmentation, segment
from .start import check_run_folder, run
from .workshop import Places

__all__ = [
    "Places",
    "Run",
    "RunOptions",
    "RunRecord",
    "Segmentation",
    "check_run_folder",
    "correct",
    "run",
    "segment",
]
