"""Label maps made visible: overlays, panels side by side, contact sheets, inline video.

`overlay_labels` colours one frame. `Comparison` lays out the frames of a comparison video: the
film and each strategy's overlay as titled panels, with a legend, the time and the frame number.
`contact_sheet` puts the same on one page. `show_video` plays a file in a notebook.
"""

from samflow.overlay.blend import overlay_labels
from samflow.overlay.comparison import Comparison
from samflow.overlay.inline import show_video
from samflow.overlay.panels import PanelGrid, choose_columns
from samflow.overlay.sheet import contact_sheet, evenly_spaced
from samflow.overlay.text import headed

__all__ = [
    "Comparison",
    "PanelGrid",
    "choose_columns",
    "contact_sheet",
    "evenly_spaced",
    "headed",
    "overlay_labels",
    "show_video",
]
