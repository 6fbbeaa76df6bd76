"""What is given on a later frame: read, checked, filled up, and written into a run's folder."""

from pathlib import Path

import numpy as np

from samflow.errors import SamflowError
from samflow.maskio import read_label_map, read_label_tiff, write_label_map
from samflow.masks import without_labels
from samflow.prompts import Prompts
from samflow.runs.given import GivenFrame
from samflow.runs.passes import read_given
from samflow.runs.record import Run, RunRecord
from samflow.runs.sweep import Sweep
from samflow.strategies import Frame, refine_labels
from samflow.video import Video


def correction_path(run: Run, frame: int) -> Path:
    """Where a run keeps the label map of a correction."""
    return run.folder / "corrections" / f"{frame:05d}.png"


def read_label_file(record: RunRecord, path: Path, frame: int) -> np.ndarray:
    """Read a label map that a user edited: a PNG or a TIFF; of a stack, the frame's page."""
    size = (record.video.height, record.video.width)
    if path.suffix.lower() == ".png":
        return read_label_map(path, size)
    if path.suffix.lower() in (".tif", ".tiff"):
        return read_label_tiff(path, size, frame)
    raise SamflowError(f"{path} is no PNG or TIFF: save the label map as one of them.")


def check_labels_given(record: RunRecord, labels: np.ndarray) -> np.ndarray:
    """Refuse an array that can't be a label map of the run; returns it as uint8."""
    size = (record.video.height, record.video.width)
    if labels.shape != size or labels.dtype.kind not in "iu":
        raise SamflowError(
            f"the label map is {labels.shape} of {labels.dtype}, expected {size} (H, W) of "
            "integers."
        )
    known = record.prompts.ids
    unknown = sorted(set(np.unique(labels).tolist()) - {0, *known})
    if unknown:
        raise SamflowError(
            f"the label map holds region {unknown[0]}, the run has {', '.join(map(str, known))}: "
            "renumber it, or make a run whose prompts name that region."
        )
    return labels.astype(np.uint8)


def check_prompts_given(record: RunRecord, prompts: Prompts, frame: int) -> None:
    """Refuse prompts that belong to another frame, or name regions that the run lacks."""
    prompts.check_size((record.video.height, record.video.width))
    at = prompts.frame.index - record.video.first
    if not 0 <= at < record.video.frames:
        raise SamflowError(
            f"the prompts belong to frame {prompts.frame.index}, which is not in the clip from "
            f"frame {record.video.first} to {record.video.first + record.video.frames - 1}: draw "
            "prompts on a frame of the clip."
        )
    if at != frame:
        raise SamflowError(
            f"the prompts were drawn on frame {prompts.frame.index} of the video, which is frame "
            f"{at} of the run, not {frame}: give --frame {at}, or draw prompts on that frame."
        )
    known = {region.id: region.background for region in record.prompts.regions}
    for region in prompts.regions:
        if known.get(region.id) is not region.background:
            listed = ", ".join(f"{i}{' (background)' * back}" for i, back in known.items())
            raise SamflowError(
                f"the prompts name region {region.id}{' (background)' * region.background}, the "
                f"run has {listed}: use the run's regions."
            )


def lacks_background(labels: np.ndarray, prompts: Prompts) -> bool:
    """Whether a label map has none of the background regions, as results have not."""
    background = prompts.background_ids
    return bool(background) and not np.isin(labels, background).any()


def with_background(
    labels: np.ndarray, frame: Frame, nearest: GivenFrame, origin: Frame, sweep: Sweep
) -> np.ndarray:
    """Fill the background regions in that a label map lacks.

    Parameters
    ----------
    labels : (H, W) uint8
    frame : Frame
        That it belongs to.
    nearest : GivenFrame
        The given frame next to it in time.
    origin : Frame
        That frame.
    sweep : Sweep

    Returns
    -------
    (H, W) uint8
        Where `labels` is 0, the background regions of the given frame next to it, which SAM finds
        again on this frame from their masks and boxes.
    """
    background = sweep.prompts.background_ids
    given = read_given(nearest)
    there = sweep.from_prompts(origin) if given is None else given
    others = [i for i in sweep.prompts.ids if i not in background]
    found = refine_labels(
        sweep.sam, frame, without_labels(there, others), options=sweep.options.prompting
    )
    return np.where(labels == 0, found, labels)


def write_correction(
    run: Run, frame: int, labels: np.ndarray, prompts: Prompts | None = None
) -> None:
    """Write a correction's label map, and its prompts before it; the label map is what counts."""
    path = correction_path(run, frame)
    if prompts is not None:
        prompts.save(path.with_suffix(".json"))
    write_label_map(path, labels)
    if prompts is None:
        path.with_suffix(".json").unlink(missing_ok=True)


def add_prompts(run: Run, clip: Video, prompts: Prompts, sweep: Sweep) -> None:
    """Make a correction from the prompts of a frame, unless the frame has one already."""
    frame = prompts.frame.index - clip.first
    if not correction_path(run, frame).is_file():
        image = clip[frame]
        prompts.check_frame(image)
        write_correction(run, frame, sweep.from_prompts(Frame(image, frame)), prompts)


def delete_correction(run: Run, frame: int) -> None:
    """Delete a correction's files, the folder too when it was the last one."""
    path = correction_path(run, frame)
    path.unlink(missing_ok=True)
    path.with_suffix(".json").unlink(missing_ok=True)
    if path.parent.is_dir() and not any(path.parent.iterdir()):
        path.parent.rmdir()
