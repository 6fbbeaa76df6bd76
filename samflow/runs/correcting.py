"""Mend a run: give the right masks on a frame, and let the frames around it follow."""

from functools import cached_property
from pathlib import Path

import numpy as np

from samflow.errors import SamflowError
from samflow.maskio import read_label_map
from samflow.prompts import Prompts
from samflow.runs.corrections import (
    check_labels_given,
    check_prompts_given,
    correction_path,
    delete_correction,
    lacks_background,
    read_label_file,
    with_background,
    write_correction,
)
from samflow.runs.given import given_frames
from samflow.runs.locking import locked
from samflow.runs.record import Run
from samflow.runs.session import RunSession
from samflow.runs.sweep import Stopwatch, Sweep
from samflow.runs.workshop import (
    Models,
    Places,
    bring_up_to_date,
    check_models,
    copy_run,
    load_models,
    recorded_options,
)
from samflow.strategies import Frame
from samflow.video import Video


def correct(
    run: Run,
    frame: int,
    given: str | Path | np.ndarray | Prompts | None,
    *,
    replace: bool = False,
    out: str | Path | None = None,
    places: Places | None = None,
    session: RunSession | None = None,
) -> Run:
    """Give a frame's right masks, or take them back, and compute what that changes.

    Parameters
    ----------
    run : Run
        Finished.
    frame : int
        Of the run's clip, counted from 0, as its masks are named.
    given : str, Path, ndarray, Prompts or None
        A label map (H, W) of the run's region ids: an array, a palette or grey PNG, or a TIFF, of
        whose stack the frame's page counts. Or prompts drawn on this frame, from which SAM makes
        the label map. None takes the correction of this frame back.
    replace : bool
        Let it take the place of another correction of the same frame.
    out : str or Path, optional
        A new folder: correct a copy of the run there and leave the run as it is, so that the two
        can be compared.
    places : Places, optional
        Where the video and the weights are, when they were moved.
    session : RunSession, optional
        Networks that are loaded already, and who is told of the frames that are computed again.

    Returns
    -------
    Run
        Read again, with its masks and comparison video up to date.

    Raises
    ------
    SamflowError
        For a run that is not finished or being written, a frame outside the clip, a label map that
        is none or of another size, a region that the run lacks, prompts of another frame, a frame
        that has a correction already, or none to take back. The run is unchanged then.

    Notes
    -----
    The label map is every strategy's result on its frame. Between two given frames (the prompts'
    and every corrected one) each strategy goes forwards from the one before and backwards from the
    one after, and the results are joined (`samflow.masks.join_label_maps`); before the first and
    after the last it goes one way. Only the frames between the neighbours of a correction change,
    but for `unet`, which learns from every correction for all frames.
    XMem has the given frame at either end in permanent memory; the trackers of `samflow.models` are
    conditioned on both.

    A region that the label map lacks is not on that frame: it ends, or has not begun. A label map
    with no background region (results have none) keeps those of the nearest given frame where it
    is 0, found again by SAM.

    Scores, measures, plots and the report of the run are deleted, since they belong to the masks
    before. The label maps that a correction replaces are kept, and taking it back restores their
    bytes. When the process is killed, the same call goes on.
    """
    places, session = places or Places(), session or RunSession()
    workshop = None
    if out is not None:
        _check(run, frame)
        workshop = _Workshop(run, places, session)
        # a copy that can't be mended would be in the way of the next try
        workshop.check(frame, given)
        run = copy_run(run, Path(out))
    with locked(run.folder) as session.hold:
        run = Run(run.folder)
        _check(run, frame)
        workshop = workshop or _Workshop(run, places, session)
        workshop.run = run
        if given is None:
            workshop.take_back(frame)
        else:
            workshop.add(frame, given, replace)
        workshop.mend()
    return Run(run.folder)


def _check(run: Run, frame: int) -> None:
    """Refuse a run that lacks frames, and a frame that the run lacks."""
    done, frames = run.record.frames_done, run.record.video.frames
    if done != frames:
        run.check_finished()
    if not 0 <= frame < frames:
        raise SamflowError(
            f"{run.folder} has no frame {frame}: its {frames} frames are numbered from 0 to "
            f"{frames - 1}."
        )


class _Workshop:
    """A run with its clip, options and models at hand, each found when it is asked for."""

    def __init__(self, run: Run, places: Places, session: RunSession) -> None:
        self.run, self.session = run, session
        self.options = recorded_options(run, places)
        self.clip: Video = run.clip(places.video)

    @cached_property
    def models(self) -> Models:
        """The models that the run was made with."""
        models = load_models(self.options, self.session)
        check_models(self.run, models)
        return models

    def check(self, frame: int, given: str | Path | np.ndarray | Prompts | None) -> None:
        """Refuse what can't be used, before anything is written."""
        if isinstance(given, Prompts):
            check_prompts_given(self.run.record, given, frame)
        elif isinstance(given, str | Path):
            check_labels_given(
                self.run.record, read_label_file(self.run.record, Path(given), frame)
            )
        check_models(self.run, self.models)

    def _sweep(self, prompts: Prompts) -> Sweep:
        return Sweep({}, self.models.sam, prompts, self.options, Stopwatch())

    def take_back(self, frame: int) -> None:
        """Delete a correction, if there is one or its removal was interrupted."""
        if not correction_path(self.run, frame).is_file() and self.run.mended:
            there = ", ".join(map(str, self.run.correction_files)) or "none"
            raise SamflowError(
                f"frame {frame} of {self.run.folder} has no correction to take back (corrected "
                f"frames: {there})."
            )
        delete_correction(self.run, frame)

    def add(self, frame: int, given: str | Path | np.ndarray | Prompts, replace: bool) -> None:
        """Write a correction into the run's folder."""
        labels = self._labels(frame, given)
        path = correction_path(self.run, frame)
        if path.is_file() and not replace and not np.array_equal(read_label_map(path), labels):
            raise SamflowError(
                f"frame {frame} of {self.run.folder} has a correction already: take it back with "
                "--remove first, or put this one in its place with --replace."
            )
        write_correction(self.run, frame, labels, given if isinstance(given, Prompts) else None)

    def _labels(self, frame: int, given: str | Path | np.ndarray | Prompts) -> np.ndarray:
        """The label map that is given, background regions included."""
        if isinstance(given, Prompts):
            check_prompts_given(self.run.record, given, frame)
            image = self.clip[frame]
            given.check_frame(image)
            return self._sweep(given).from_prompts(Frame(image, frame))
        if not isinstance(given, np.ndarray):
            given = read_label_file(self.run.record, Path(given), frame)
        labels = check_labels_given(self.run.record, given)
        if not lacks_background(labels, self.run.record.prompts):
            return labels
        others = [each for each in given_frames(self.run) if each.frame != frame]
        nearest = min(others or given_frames(self.run), key=lambda each: abs(each.frame - frame))
        origin, at = (Frame(self.clip[i], i) for i in (nearest.frame, frame))
        return with_background(labels, at, nearest, origin, self._sweep(self.run.record.prompts))

    def mend(self) -> None:
        """Compute what the corrections change."""
        bring_up_to_date(self.run, self.clip, self.options, self.models, self.session)
