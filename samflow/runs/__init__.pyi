from .correcting import correct
from .locking import FolderLockedError
from .record import Run, RunRecord
from .run_options import RunOptions
from .session import RunSession
from .single_frame import Segmentation, segment
from .start import check_run_folder, run
from .workshop import Places

__all__ = [
    "FolderLockedError",
    "Places",
    "Run",
    "RunOptions",
    "RunRecord",
    "RunSession",
    "Segmentation",
    "check_run_folder",
    "correct",
    "run",
    "segment",
]
