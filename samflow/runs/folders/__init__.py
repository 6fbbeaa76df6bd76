"""XMem over the generic folder layout, as the official tool runs it.

`JPEGImages/<video>/00000.jpg` holds the frames, `Annotations/<video>/00000.png` the label map of
the first frame, and of later ones where objects appear or are corrected. The results are
`<out>/<video>/00000.png`, with the palette of the annotation.
"""

from samflow.runs.folders.layout import FolderVideo, find_videos
from samflow.runs.folders.tracking import counts_usage, track_folder

__all__ = ["FolderVideo", "counts_usage", "find_videos", "track_folder"]
