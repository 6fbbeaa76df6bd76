"""Mend a run's drift by hand: find the frame, paint its masks, carry on, see before and after."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import numpy as np
import traitlets

from samflow.errors import SamflowError
from samflow.maskio import Track, read_label_map
from samflow.results.suggesting import run_drift, suggest
from samflow.runs.record import Run
from samflow.strategies import folder_name
from samflow.widget.bundling import bundle
from samflow.widget.frames import jpeg_bytes
from samflow.widget.status import one_line

if TYPE_CHECKING:
    from samflow.runs import Places, RunSession

_FOLDER = Path(__file__).parent
_STYLES = ("prompt.css", "compare.css", "mend.css")
_JPEG_QUALITY = 93
_SUGGESTED = 3


class MendWidget(anywidget.AnyWidget):
    """A run's frames under a brush and an eraser, above a timeline of its drift.

    Click a frame on the timeline, paint over what is wrong, press "Carry on": the frame becomes a
    correction of the run (`samflow.correct`), and the frames before and after it follow. The
    slider between "before" and "after" then shows the masks that it replaced.

    Parameters
    ----------
    run : Run, str or Path
        A finished run or its folder.
    places : Places, optional
        Where the video and the weights are, when they were moved.

    Attributes
    ----------
    run : Run
        As its folder is after the latest correction.
    frame : int
        The frame shown, of the run's clip.
    labels : ndarray
        (H, W) uint8: what is painted on it.

    Raises
    ------
    SamflowError
        When the folder holds no finished run, or its video is not there. What goes wrong later is
        told in the status line; what is painted stays.
    """

    _esm = bundle("mend.js")
    _css = "".join((_FOLDER / name).read_text(encoding="utf-8") for name in _STYLES)

    _info = traitlets.Dict().tag(sync=True)
    _view = traitlets.Dict().tag(sync=True)
    _timeline = traitlets.Dict().tag(sync=True)
    _status = traitlets.Dict().tag(sync=True)
    _image = traitlets.Bytes().tag(sync=True)
    _labels = traitlets.Bytes().tag(sync=True)
    _old = traitlets.Bytes().tag(sync=True)

    def __init__(self, run: Run | str | Path, places: "Places | None" = None) -> None:
        self.run = run if isinstance(run, Run) else Run(run)
        self.run.check_finished()
        self._places = places
        self._video = None if places is None else places.video
        self._clip = self.run.clip(self._video)
        self._times = self._clip.timestamps - self._clip.timestamps[0]
        self._painted: dict[int, np.ndarray] = {}
        self._before: tempfile.TemporaryDirectory[str] | None = None
        self._suggested: list[int] = []
        self._session: RunSession | None = None  # made with the first correction: it takes torch
        self.frame = 0
        super().__init__()
        record = self.run.record
        self._info = {
            "size": list(self._clip.size),
            "frames": len(self._clip),
            "strategies": record.strategies,
            "regions": [
                region.model_dump(include={"id", "name", "color", "background"})
                for region in record.prompts.regions
            ],
        }
        self._draw_timeline()
        self._show(0, record.strategies[0])
        self.on_msg(self._receive)

    def __repr__(self) -> str:
        return f"MendWidget({str(self.run.folder)!r}, frame {self.frame})"

    @property
    def labels(self) -> np.ndarray:
        """What is painted on the shown frame, else the masks that are there."""
        return self._start(self.frame, self._view["strategy"])

    def _receive(self, _: object, message: Mapping[str, Any], buffers: Sequence[Any]) -> None:
        """Handle a message of the page; whatever goes wrong is told in the status line."""
        try:
            self._handle(message, buffers)
        except Exception as error:  # an error in a message handler would be seen by nobody
            self._status = {"kind": "error", "text": one_line(error)}

    def _handle(self, message: Mapping[str, Any], buffers: Sequence[Any]) -> None:
        kind, frame = message.get("kind"), int(message["frame"])
        strategy = str(message["strategy"])
        if kind == "show":
            self._show(frame, strategy)
        elif kind == "paint":
            self._painted[frame] = self._checked(np.frombuffer(buffers[0], np.uint8))
            self._status = {
                "kind": "ready",
                "text": f"Frame {frame} is painted: carry on when done.",
            }
        elif kind == "mend":
            self._mend(frame, strategy, self._start(frame, strategy))
        elif kind == "take_back":
            self._mend(frame, strategy, None)
        elif kind == "suggest":
            self._suggest()
        else:
            raise SamflowError(f"unknown message {kind!r}: reload the page.")

    def _checked(self, flat: np.ndarray) -> np.ndarray:
        """A label map that the page sent."""
        height, width = self._clip.size
        if flat.size != height * width:
            raise SamflowError(f"the page sent {flat.size} pixels for {width}x{height}: reload it.")
        return flat.reshape(height, width).copy()

    def _start(self, frame: int, strategy: str) -> np.ndarray:
        """What painting begins with: what was painted, a correction, or the strategy's result."""
        if frame in self._painted:
            return self._painted[frame]
        path = self.run.correction_files.get(frame)
        return self.run.track(strategy)[frame] if path is None else read_label_map(path)

    def _mend(self, frame: int, strategy: str, labels: np.ndarray | None) -> None:
        """Correct the run, or take a correction back, and show the frame anew."""
        from samflow.runs import RunSession, correct

        text = f"Carrying on from frame {frame}"
        self._status = {"kind": "busy", "text": f"{text} …"}

        def tell(done: int, total: int) -> None:
            self._status = {"kind": "busy", "text": f"{text}: {done} of {total} frames"}

        self._session = self._session or RunSession()
        self._session.on_frame = tell
        before = tempfile.TemporaryDirectory(prefix="samflow-before-")
        shutil.copytree(self.run.folder / "masks", before.name, dirs_exist_ok=True)
        self.run = correct(
            self.run, frame, labels, replace=True, places=self._places, session=self._session
        )
        self._before = before
        self._painted.pop(frame, None)
        self._suggested = [each for each in self._suggested if each != frame]
        self._draw_timeline()
        self._show(frame, strategy)
        corrected = ", ".join(map(str, self.run.correction_files)) or "none"
        self._status = {"kind": "ready", "text": f"Done. Corrected frames: {corrected}."}

    def _suggest(self) -> None:
        self._status = {"kind": "busy", "text": "Looking for the frames that help most …"}
        table = suggest(self.run, _SUGGESTED, self._video)
        self._suggested = [int(frame) for frame in table["frame"]]
        self._timeline = {**self._timeline, "suggested": self._suggested}
        listed = ", ".join(map(str, self._suggested))
        self._status = {"kind": "ready", "text": f"Correct frame {listed} next, the first first."}

    def _draw_timeline(self) -> None:
        """Work out the drift of every strategy, and send it with the marks."""
        scores = run_drift(self.run, self._clip)
        means = scores.groupby(["strategy", "frame"])["drift"].mean()
        self._timeline = {
            "drift": {name: means[name].round(4).tolist() for name in self.run.strategies},
            "corrected": list(self.run.correction_files),
            "suggested": self._suggested,
        }

    def _show(self, frame: int, strategy: str) -> None:
        """Send a frame with its label map, and that of before the latest correction."""
        if not 0 <= frame < len(self._clip):
            raise SamflowError(f"there is no frame {frame}: choose 0 to {len(self._clip) - 1}.")
        labels = self._start(frame, strategy)
        old = None
        if self._before is not None:
            old = Track(Path(self._before.name) / folder_name(strategy))[frame]
        jpeg = jpeg_bytes(self._clip[frame], _JPEG_QUALITY)
        self.frame = frame
        with self.hold_sync():
            self._image, self._labels = jpeg, labels.tobytes()
            self._old = b"" if old is None else old.tobytes()
            self._view = {
                "number": self._view.get("number", 0) + 1,
                "frame": frame,
                "time": float(self._times[frame]),
                "strategy": strategy,
                "corrected": frame in self.run.correction_files,
            }
            self._status = {"kind": "ready", "text": ""}
