"""What the notebooks share: a clip to look at with its prompts, and tracks shown inline.

A notebook works on the bundled dye clip until its parameters name a film.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from scipy.ndimage import distance_transform_edt

from samflow.demo import DEMO_SEED, write_dye_clip
from samflow.errors import SamflowError
from samflow.maskio import Track
from samflow.masks import without_labels
from samflow.metrics import drift_scores, drift_signs, score_track
from samflow.overlay import Comparison, contact_sheet, evenly_spaced, overlay_labels, show_video
from samflow.plots.lines import score_lines
from samflow.plots.pictures import mistake_grid, picture_grid, show_picture
from samflow.prompts import Prompts, Region
from samflow.strategies import Frame, Strategy
from samflow.synthetic import DyeClip
from samflow.video import Video, VideoWriter

if TYPE_CHECKING:
    import IPython.display


@dataclass(frozen=True)
class Lesson:
    """A film, where its prompts are kept, and what is known about it.

    Parameters
    ----------
    film : Video
        The whole film.
    prompts_path : Path
        The JSON file of the prompts; it may not exist yet.
    frames : int
        Length of the clip that the lesson looks at.
    true_track : Track, optional
        The true label maps of the film's frames, where they are known.
    """

    film: Video
    prompts_path: Path
    frames: int
    true_track: Track | None = None

    @property
    def prompts(self) -> Prompts:
        """The prompts as they are in the file.

        Raises
        ------
        SamflowError
            When there are none yet, or they don't belong to the film.
        """
        if not self.prompts_path.is_file():
            raise SamflowError(
                f"there are no prompts in {self.prompts_path}: draw them with notebook 02, or "
                "give another PROMPTS."
            )
        prompts = Prompts.load(self.prompts_path)
        if prompts.frame.index >= len(self.film):
            raise SamflowError(
                f"the prompts in {self.prompts_path} belong to frame {prompts.frame.index}, "
                f"{self.film.name} has {len(self.film)} frames: give the prompts of this film."
            )
        prompts.check_frame(self.film[prompts.frame.index])
        return prompts

    @property
    def video(self) -> Video:
        """The clip: it starts at the frame that the prompts belong to."""
        first = self.prompts.frame.index
        return self.film[first : first + self.frames]

    @property
    def truth(self) -> list[np.ndarray] | None:
        """True label map (H, W) uint8 of each frame of the clip, where they are known."""
        if self.true_track is None:
            return None
        return [self.true_track.label_map_of(index) for index in self.video.indices]

    @property
    def dyes(self) -> dict[int, str]:
        """Name by id of the regions that count in results: those that are not background."""
        return {r.id: r.name for r in self.prompts.regions if not r.background}

    @property
    def colors(self) -> dict[int, str]:
        """Colour "#rrggbb" by id of every region."""
        return {region.id: region.color for region in self.prompts.regions}

    def results(self, maps: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The label maps with background regions set to 0."""
        background = self.prompts.background_ids
        return [without_labels(labels, background) for labels in maps]


def open_lesson(
    video: str | Path | None = None,
    prompts: str | Path | None = None,
    *,
    folder: str | Path = "data",
    frames: int = 30,
    seed: int = DEMO_SEED,
) -> Lesson:
    """Open a film, or make the bundled dye clip.

    Parameters
    ----------
    video : str or Path, optional
        A film or a folder of images; by default the dye clip of 480x270 px, which is made in
        `folder` when it is not there yet.
    prompts : str or Path, optional
        The JSON file of the prompts. By default the dye clip's own file, or
        `<folder>/<name of the film>-prompts.json`.
    folder : str or Path
        Where clips and prompts lie.
    frames : int
        Length of the clip; of a film, what there is of it from the prompts' frame on.
    seed : int
        Of the dye clip.

    Returns
    -------
    Lesson

    Raises
    ------
    SamflowError
        When the film can't be read.
    """
    if frames < 1:
        raise SamflowError(f"frames must be at least 1, got {frames}.")
    if video is not None:
        film = Video(video)
        own = Path(folder) / f"{film.path.stem}-prompts.json"
        return Lesson(film, own if prompts is None else Path(prompts), frames)
    home = Path(folder) / f"dye-{seed}-{frames}"
    own = home / "prompts.json"
    if not own.is_file():
        write_dye_clip(home, DyeClip(seed, frames=frames))
    path = own if prompts is None else Path(prompts)
    return Lesson(Video(home / "clip.mp4"), path, frames, Track(home / "truth"))


def foreground_points_only(prompts: Prompts, labels: np.ndarray, count: int = 1) -> Prompts:
    """Replace every prompt by foreground points deep inside the regions of a label map.

    Parameters
    ----------
    prompts : Prompts
        Whose regions are prompted.
    labels : (H, W) uint8
        Label map of the same frame. A region with no pixel is left out.
    count : int
        Points in each region, far from each other.

    Returns
    -------
    Prompts
        Without boxes and without background points.
    """
    regions = []
    for region in prompts.regions:
        mask = np.pad(labels == region.id, 1)
        points: list[tuple[float, float]] = []
        while len(points) < count and mask.any():
            depth = distance_transform_edt(mask)
            y, x = np.unravel_index(int(depth.argmax()), depth.shape)
            points.append((float(x - 1), float(y - 1)))
            rows, columns = np.indices(mask.shape)
            mask &= np.hypot(rows - y, columns - x) > 3 * depth[y, x]
        if points:
            update = {"box": None, "points": points, "point_labels": [1] * len(points)}
            regions.append(region.model_copy(update=update))
    return prompts.model_copy(update={"regions": regions, "background_points": []})


def carry(
    strategies: Mapping[str, Strategy], video: Video, first: np.ndarray
) -> dict[str, list[np.ndarray]]:
    """Take strategies through a clip, all with the same first label map.

    Parameters
    ----------
    strategies : mapping of title to Strategy
        Those that share an XMem or a SAM, as `samflow.build_strategies` makes them, compute it once
        a frame.
    video : Video
        The clip.
    first : (H, W) uint8
        Label map of its first frame, background regions included.

    Returns
    -------
    dict of title to list of (H, W) uint8
        The label map of every frame, background regions included.
    """
    maps: dict[str, list[np.ndarray]] = {title: [] for title in strategies}
    for index, image in enumerate(video):
        frame = Frame(image, index)
        for title, strategy in strategies.items():
            labels = strategy.step(frame) if index else strategy.start(frame, first)
            maps[title].append(labels)
    return maps


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
        Titles in the order of their colours, as in `samflow.plots.lines.line_panels`.

    Returns
    -------
    matplotlib.figure.Figure
        Shown when it is the last value of a cell.
    """
    truth, dyes = lesson.truth, lesson.dyes
    if truth is None:
        drift = drift_scores(drift_signs(tracks, lesson.video, dyes))
        tables = {name: drift[drift["strategy"] == name] for name in tracks}
        return score_lines(tables, dyes, score="drift", order=order)
    scores = {name: score_track(maps, truth, dyes) for name, maps in tracks.items()}
    return score_lines(scores, dyes, order=order)


def show_mistakes(lesson: Lesson, maps: Sequence[np.ndarray], count: int = 4) -> Figure:
    """Draw where a track differs from the truth, on evenly spaced frames; without truth, overlays.

    Parameters
    ----------
    lesson : Lesson
        With the clip that the track belongs to.
    maps : sequence of (H, W) uint8
        Label maps of the clip's frames, background regions included.
    count : int
        How many frames.

    Returns
    -------
    matplotlib.figure.Figure
        Shown when it is the last value of a cell.
    """
    video, truth = lesson.video, lesson.truth
    chosen = evenly_spaced(len(video), count)
    if truth is None:
        colors = lesson.colors
        return picture_grid(
            {f"frame {i}": overlay_labels(video[i], maps[i], colors) for i in chosen}
        )
    return mistake_grid({f"frame {i}": (video[i], maps[i], truth[i]) for i in chosen})


def show_sheet(
    video: Video,
    tracks: Mapping[str, Sequence[np.ndarray]],
    regions: Sequence[Region],
    columns: int = 4,
    max_width: int = 1000,
) -> "IPython.display.Image":
    """Show evenly spaced frames of some tracks on one page, one row a track.

    Parameters
    ----------
    video : Video
        The clip.
    tracks : mapping of title to sequence of (H, W) uint8
        Label maps, one for each frame of the clip.
    regions : sequence of Region
        Names and colours.
    columns : int
        How many frames.
    max_width : int
        Of the page in px.

    Returns
    -------
    IPython.display.Image
        Shown when it is the last value of a cell.
    """
    times = video.timestamps - video.timestamps[0]
    frames = [
        (f"{times[i]:.2f} s", video[i], {name: maps[i] for name, maps in tracks.items()})
        for i in evenly_spaced(len(video), columns)
    ]
    return show_picture(contact_sheet(frames, regions, max_width=max_width), quality=75)


def show_tracks(
    video: Video,
    tracks: Mapping[str, Sequence[np.ndarray]],
    regions: Sequence[Region],
    path: str | Path,
    *,
    film: bool = True,
    max_mb: float = 0.1,
) -> "IPython.display.Video":
    """Write the overlays of some tracks side by side as a video, and play it.

    Parameters
    ----------
    video : Video
        The clip.
    tracks : mapping of title to sequence of (H, W) uint8
        Label maps, one for each frame of the clip.
    regions : sequence of Region
        Names and colours.
    path : str or Path
        The mp4 to write, in full size.
    film : bool
        Show the plain film as first panel.
    max_mb : float
        What is embedded is scaled down to this size in MB.

    Returns
    -------
    IPython.display.Video
        Shown when it is the last value of a cell.
    """
    comparison = Comparison(video.size, list(tracks), regions, film=film)
    times = video.timestamps - video.timestamps[0]
    with VideoWriter(path, comparison.size, video.fps) as writer:
        for index, image in enumerate(video):
            labels = {name: np.asarray(maps[index], np.uint8) for name, maps in tracks.items()}
            writer.write(comparison.frame(image, labels, times[index], index), times[index])
    return show_video(path, max_mb)
