"""Tracks shown inline: scores, mistakes, sheets of frames, videos.

A notebook shows what each function returns when it is the last value of a cell.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from samflow.lab.lesson.lesson_clip import Lesson
from samflow.overlay import headed, overlay_labels, show_video
from samflow.results.metrics import drift_scores, drift_signs, score_track
from samflow.results.plots import plot_drift, plot_scores
from samflow.results.plots.image_plots import mistake_grid, picture_grid, show_picture
from samflow.results.side_by_side import clip_sheet, write_comparison

if TYPE_CHECKING:
    import IPython.display


def show_scores(
    lesson: Lesson, tracks: Mapping[str, Sequence[np.ndarray]], order: Sequence[str] = ()
) -> Figure:
    """Draw the overlap J of each dye with the truth, frame by frame; without truth, signs of drift.

    Parameters
    ----------
    lesson : Lesson
        With the clip that the tracks belong to.
    tracks : mapping of title to sequence of (H, W) uint8
        Label maps, one for each frame of the clip.
    order : sequence of str
        Titles in the order of their colours, as in `samflow.results.plots.line_plots.line_panels`.
    """
    truth, dyes = lesson.truth, lesson.dyes
    if truth is None:
        drift = drift_scores(drift_signs(tracks, lesson.video, dyes))
        return plot_drift(drift, names=dyes, order=order)
    scores = {name: score_track(maps, truth, dyes) for name, maps in tracks.items()}
    return plot_scores(scores, names=dyes, order=order)


def show_mistakes(
    lesson: Lesson, frames: Mapping[str, tuple[Sequence[np.ndarray], int]], columns: int = 2
) -> Figure:
    """Draw where the dyes of tracks differ from the truth; without truth, overlays.

    Parameters
    ----------
    lesson : Lesson
    frames : mapping of title to (sequence of (H, W) uint8, int)
        Label maps of the clip's frames, and the number of the frame to draw.
    columns : int
        Frames in a row.
    """
    video, truth = lesson.video, lesson.truth
    if truth is None:
        shown = {k: overlay_labels(video[i], m[i], lesson.colors) for k, (m, i) in frames.items()}
        return picture_grid(shown, columns=columns)
    compared = {}
    for title, (maps, i) in frames.items():
        found, true = lesson.results([maps[i], truth[i]])
        compared[title] = (video[i], found, true)
    return mistake_grid(compared, columns=columns)


def show_sheet(
    lesson: Lesson,
    tracks: Mapping[str, Sequence[np.ndarray]],
    columns: int = 4,
    max_width: int = 1000,
) -> "IPython.display.Image":
    """Show evenly spaced frames of some tracks on one page, one row per track.

    Parameters
    ----------
    lesson : Lesson
        With the clip that the tracks belong to.
    tracks : mapping of title to sequence of (H, W) uint8
        Label maps, one for each frame of the clip.
    columns : int
        How many frames.
    max_width : int
        Of the page in px.
    """
    regions = lesson.prompts.regions
    sheet = clip_sheet(lesson.video, tracks, regions, columns=columns, max_width=max_width)
    return show_picture(headed(sheet, lesson.note), quality=75)


def show_tracks(
    lesson: Lesson,
    tracks: Mapping[str, Sequence[np.ndarray]],
    path: str | Path,
    *,
    film: bool = True,
    max_mb: float = 0.1,
) -> "IPython.display.Video":
    """Write the overlays of some tracks side by side as a video, and play it.

    Parameters
    ----------
    lesson, tracks
        As in `show_sheet`.
    path : str or Path
        The mp4 to write, in full size.
    film : bool
        Show the plain film as first panel.
    max_mb : float
        What is embedded is scaled down to this size in MB.
    """
    regions = lesson.prompts.regions
    write_comparison(lesson.video, tracks, regions, path, film=film, heading=lesson.note)
    return show_video(path, max_mb)
