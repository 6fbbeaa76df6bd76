"""Look at the label maps of several strategies on the same frames, one wiped over the other."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import cv2
import numpy as np
import pandas as pd
import traitlets

from samflow.errors import SamflowError
from samflow.maskio import Track
from samflow.masks import resize_labels
from samflow.prompts import Region, region_color
from samflow.results.csv_tables import read_table
from samflow.results.scoring import read_scores
from samflow.runs import Run
from samflow.video import Video
from samflow.widget.bundling import bundle
from samflow.widget.frames import jpeg_bytes
from samflow.widget.overlay_runs import overlay_bytes
from samflow.widget.status import one_line

# wide enough for a notebook's column; a frame then takes about 100 kB
_MAX_WIDTH = 1280
_JPEG_QUALITY = 88
_DRIFT = ("strategy", "frame", "region", "drift")


class TrackViewer(anywidget.AnyWidget):
    """Tracks over the frames of a video, any two of them at a time, with a wipe between them.

    Parameters
    ----------
    video : Video
        The clip; track index i belongs to `video[i]`.
    tracks : mapping of str to Track
        Titles and label maps.
    regions : sequence of Region
        Colours; a label without a region has its default colour.
    scores : mapping of str to mapping of int to float, optional
        For a title the score of each frame, 0 to 1: drawn under the frame.

    Raises
    ------
    SamflowError
        Without a track, or when a track's size or frames are not the video's.
    """

    _note = ""
    _esm = bundle("compare.js")
    _css = (Path(__file__).parent / "prompt.css").read_text(encoding="utf-8") + (
        Path(__file__).parent / "compare.css"
    ).read_text(encoding="utf-8")

    _info = traitlets.Dict().tag(sync=True)
    _view = traitlets.Dict().tag(sync=True)
    _image = traitlets.Bytes().tag(sync=True)
    _left = traitlets.Bytes().tag(sync=True)
    _right = traitlets.Bytes().tag(sync=True)
    _status = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        video: Video,
        tracks: Mapping[str, Track],
        regions: Sequence[Region] = (),
        scores: Mapping[str, Mapping[int, float]] | None = None,
    ) -> None:
        _check_tracks(video, tracks)
        self._video = video
        self._tracks = dict(tracks)
        self._colors = {region.id: region.color for region in regions}
        # frames that every track has
        common = set.intersection(*(set(track.indices) for track in tracks.values()))
        self._frames = sorted(common)
        if not self._frames:
            raise SamflowError("the tracks have no frame in common: compare tracks of one clip.")
        super().__init__()
        height, width = self._size
        times = video.timestamps
        titles = list(self._tracks)
        self._info = {
            "size": [height, width],
            "frames": self._frames,
            "times": [float(times[frame]) for frame in self._frames],
            "fps": float(video.fps),
            "titles": titles,
            "scores": {
                title: [(scores or {}).get(title, {}).get(frame) for frame in self._frames]
                for title in titles
                if title in (scores or {})
            },
        }
        self._show(0, titles[0], titles[min(1, len(titles) - 1)])
        self.on_msg(self._receive)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._tracks)}, {len(self._frames)} frames)"

    @property
    def _size(self) -> tuple[int, int]:
        """(H, W) of the pictures that the page gets."""
        height, width = self._video.size
        scale = min(1.0, _MAX_WIDTH / width)
        return max(1, round(height * scale)), max(1, round(width * scale))

    def _receive(self, _: object, message: Any, __: object) -> None:
        """Handle a message of the page; whatever goes wrong is told under the frame."""
        try:
            self._show(int(message["position"]), str(message["left"]), str(message["right"]))
        except Exception as error:  # an error in a message handler would be seen by nobody
            self._status = {"kind": "error", "text": one_line(error)}

    def _show(self, position: int, left: str, right: str) -> None:
        """Send a frame with the overlays of two tracks."""
        position = min(max(position, 0), len(self._frames) - 1)
        for title in (left, right):
            if title not in self._tracks:
                raise SamflowError(f"no track {title!r}: choose from {', '.join(self._tracks)}.")
        frame = self._frames[position]
        height, width = self._size
        image = cv2.resize(self._video[frame], (width, height), interpolation=cv2.INTER_AREA)
        jpeg = jpeg_bytes(image, _JPEG_QUALITY)
        overlays = {title: self._overlay(title, frame) for title in {left, right}}
        with self.hold_sync():
            self._image, self._left, self._right = jpeg, overlays[left], overlays[right]
            self._view = {
                "number": self._view.get("number", 0) + 1,
                "position": position,
                "left": left,
                "right": right,
            }
            self._status = {"kind": "ready", "text": self._note}

    def _overlay(self, title: str, frame: int) -> bytes:
        labels = resize_labels(self._tracks[title].label_map_of(frame), self._size)
        # what a track holds is shown, also where it kept a background region
        regions = [
            Region(id=i, name=str(i), color=self._colors.get(i, region_color(i)))
            for i in np.unique(labels).tolist()
            if i != 0
        ]
        return overlay_bytes(labels, regions)


class CompareWidget(TrackViewer):
    """The strategies of a run, frame by frame, with their scores if the run has been scored.

    Below stands the timeline of `MendWidget` when the run was corrected or measured: the corrected
    frames, and the drift that `samflow.measure` found.

    Parameters
    ----------
    run : Run, str or Path
        A run or its folder.
    video : Video, str or Path, optional
        The video, when it is no longer where the run found it, or the clip itself.

    Raises
    ------
    SamflowError
        When the folder holds no run, or the video is missing or another one.
    """

    def __init__(self, run: Run | str | Path, video: Video | str | Path | None = None) -> None:
        run = run if isinstance(run, Run) else Run(run)
        clip = video if isinstance(video, Video) else run.clip(video)
        self._note = run.record.note[:1].upper() + run.record.note[1:]
        tracks = {name: run.track(name) for name in run.strategies}
        super().__init__(clip, tracks, run.record.prompts.regions, _mean_scores(run))
        path = run.folder / "drift.csv"
        drift = (
            _means(read_table(path, _DRIFT, "samflow measure"), "drift") if path.is_file() else {}
        )
        corrected = [self._frames.index(i) for i in run.correction_files if i in self._frames]
        if drift or corrected:
            timeline = {
                "drift": {name: list(values.values()) for name, values in drift.items()},
                "corrected": corrected,
                "suggested": [],
            }
            self._info = {**self._info, "timeline": timeline}


def show_track(
    video: Video | str | Path, track: Track | str | Path, regions: Sequence[Region] = ()
) -> TrackViewer:
    """Look at one track over its film.

    Parameters
    ----------
    video : Video, str or Path
        The clip; track index i belongs to `video[i]`.
    track : Track, str or Path
        A track or its folder.
    regions : sequence of Region
        Colours.

    Returns
    -------
    TrackViewer
        Shown when it is the last value of a cell.
    """
    video = video if isinstance(video, Video) else Video(video)
    track = track if isinstance(track, Track) else Track(track)
    return TrackViewer(video, {track.folder.name: track}, regions)


def _mean_scores(run: Run) -> dict[str, dict[int, float]]:
    """Mean J over the regions, by strategy and frame, of a run that was scored; else nothing."""
    table = read_scores(run)
    return {} if table is None else _means(table, "J")


def _means(table: pd.DataFrame, column: str) -> dict[str, dict[int, float]]:
    """Mean of a column over the regions, by strategy and frame."""
    means = table.groupby(["strategy", "frame"])[column].mean()
    return {str(name): means[name].to_dict() for name in table["strategy"].unique()}


def _check_tracks(video: Video, tracks: Mapping[str, Track]) -> None:
    if not tracks:
        raise SamflowError("nothing to look at: give at least one track.")
    for title, track in tracks.items():
        if track.size != video.size:
            raise SamflowError(
                f"track {title!r} has label maps of {track.size} (H, W), the video's frames are "
                f"{video.size}: choose the video that it was made from."
            )
        if track.indices[-1] >= len(video):
            raise SamflowError(
                f"track {title!r} goes up to frame {track.indices[-1]}, the video has "
                f"{len(video)} frames: choose the video that it was made from."
            )
