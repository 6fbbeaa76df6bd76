"""One frame: prompts in, label map and overlay out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from samflow.errors import SamflowError
from samflow.files import atomic_path
from samflow.maskio import write_label_map
from samflow.masks import without_labels
from samflow.models import load_segmenter
from samflow.overlay import overlay_labels
from samflow.prompts import Prompts
from samflow.strategies import Frame, PromptOptions, segment_first_frame
from samflow.video import Video


@dataclass(frozen=True)
class Segmentation:
    """What `segment` made.

    Parameters
    ----------
    labels : ndarray
        (H, W) uint8 label map.
    label_path, overlay_path : Path
        The palette PNG and the picture with the regions over the frame.
    """

    labels: np.ndarray
    label_path: Path
    overlay_path: Path


def segment(
    video_path: str | Path,
    prompts: Prompts,
    out: str | Path,
    *,
    frame: int | None = None,
    sam: str = "vit_h",
    device: str = "auto",
    precision: str = "float32",
    prompting: PromptOptions | None = None,
    accept_frame: bool = False,
    keep_background: bool = False,
) -> Segmentation:
    """Segment one frame of a video from prompts.

    Parameters
    ----------
    video_path : str or Path
        A video file or a folder of images.
    prompts : Prompts
    out : str or Path
        Folder for `00000.png` (label map) and `00000_overlay.png`, named by the frame's number.
    frame : int, optional
        By default the prompts' own frame. Another frame takes the same boxes and points.
    sam : str
        Registry name or file of the weights.
    device : str
    precision : str
        As `samflow.sam.load_sam` takes it.
    prompting : PromptOptions, optional
        How prompts are used and holes filled; by default as in a run.
    accept_frame : bool
        Go on when the frame's pixels differ from those the prompts were drawn on.
    keep_background : bool
        Keep the labels of background regions.

    Returns
    -------
    Segmentation

    Raises
    ------
    SamflowError
        For input that can't be used, or an `out` that can't be written.
    """
    video = Video(video_path)
    index = prompts.frame.index if frame is None else frame
    if not 0 <= index < len(video):
        raise SamflowError(
            f"{video.name} has no frame {index}: it has {len(video)}, numbered from 0."
        )
    image = video[index]
    prompts.check_frame(image, accept_frame or index != prompts.frame.index)
    network, given = load_segmenter(sam, device, precision), Frame(image, index)
    labels = segment_first_frame(network, given, prompts, prompting)
    if not keep_background:
        labels = without_labels(labels, prompts.background_ids)
    label_path = Path(out) / f"{index:05d}.png"
    overlay_path = Path(out) / f"{index:05d}_overlay.png"
    colors = {region.id: region.color for region in prompts.regions}
    write_label_map(label_path, labels)
    with atomic_path(overlay_path) as part:
        Image.fromarray(overlay_labels(image, labels, colors)).save(part, format="PNG")
    return Segmentation(labels, label_path, overlay_path)
