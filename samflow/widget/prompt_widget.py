"""Draw boxes and points on a frame and see the masks at once."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import numpy as np
import traitlets

from samflow.errors import SamflowError
from samflow.prompts import Prompts, region_color
from samflow.video import Video
from samflow.weights import demo_note
from samflow.widget.bundling import bundle
from samflow.widget.drawing import SHARED, Drawing
from samflow.widget.frames import Frames
from samflow.widget.history import History
from samflow.widget.later import Later
from samflow.widget.overlay_runs import overlay_bytes
from samflow.widget.preview import Preview
from samflow.widget.prompt_files import PromptFiles
from samflow.widget.status import (
    WITH_POINTS,
    WITHOUT_POINTS,
    Problems,
    first_step,
    has_points,
    model_failure,
    points_hint,
)

if TYPE_CHECKING:
    from samflow.sam import Sam

# masks that take less than this are sent together with the answer to the edit
_QUICK_S = 0.25
# a frame on which the slider rests for this long gets encoded
_REST_S = 0.3


class PromptWidget(anywidget.AnyWidget):
    """Canvas for boxes and points on any frame of a video, with a preview of the masks.

    Parameters
    ----------
    video_or_image : Video, str, Path or ndarray
        A video, the path of one, or an image (H, W, 3) uint8 RGB.
    sam : Sam, optional
        With it, the merged label map is shown after each change.
    prompts : Prompts, optional
        What to begin with; its frame is shown first. Without, what is in `path` is taken, else
        one empty region.
    path : str or Path, optional
        JSON file that always holds the prompts as they were last edited. When several frames
        have prompts, each has a file of its own beside it, such as `prompts-frame-00040.json`.

    Attributes
    ----------
    use_points : bool
        Whether the preview uses points besides boxes; off at first, as in a run.
    labels : ndarray or None
        The preview: (H, W) uint8 label map of the shown frame, background regions included.

    Raises
    ------
    SamflowError
        For an image of another shape or dtype, or prompts that do not fit the frames. Everything
        that goes wrong later is shown in the widget's status line, and nothing drawn is lost.

    Notes
    -----
    Points are integer pixel centres (x, y); boxes XYXY with x1 and y1 exclusive. The page applies
    each edit at once and sends it with a sequence number; `_state["seen"]` tells which edits the
    state includes, so that a page never goes back to a state older than its own edits.

    Examples
    --------
    >>> widget = PromptWidget(np.zeros((72, 128, 3), np.uint8))
    >>> [region.name for region in widget.prompts.regions]
    ['region 1']
    """

    _esm = bundle("prompt.js")
    _css = Path(__file__).parent / "prompt.css"

    _state = traitlets.Dict().tag(sync=True)
    _image = traitlets.Bytes().tag(sync=True)
    _overlay = traitlets.Bytes().tag(sync=True)
    _overlay_info = traitlets.Dict().tag(sync=True)
    _status = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        video_or_image: "Video | str | Path | np.ndarray",
        sam: "Sam | None" = None,
        prompts: Prompts | None = None,
        path: str | Path | None = None,
    ) -> None:
        self._frames = Frames(video_or_image)
        self._files = PromptFiles(path)
        self._problems = Problems()
        given = self._files.load() if prompts is None else [prompts]
        for each in given:
            self._check_frame(each)
        self._frame = given[0].frame.index if given else self._frames.indices[0]
        self._latest = self._frame
        drawing = Drawing.from_prompts(self._frames.size, given)
        self._history = History(drawing)
        self._kept = set(drawing.frames)
        self._preview = None if sam is None else Preview(sam, self._frames)
        path = self._frames.path
        self._note = "" if sam is None or path is None else demo_note([sam.name], path)
        self._use_points = False
        self._seen: dict[str, int] = {}
        self._later = Later(self._update_preview)
        self._took_s = float("inf")
        self.labels: np.ndarray | None = None
        super().__init__()
        self._publish(with_image=True)
        self._report()
        self.on_msg(self._receive)

    def __repr__(self) -> str:
        height, width = self._frames.size
        named = ", ".join(repr(region.name) for region in self._history.drawing.regions)
        return f"PromptWidget(frame {self._frame}, {width}x{height}, regions {named})"

    @property
    def prompts(self) -> Prompts:
        """The prompts as they were last edited; what the file at `path` holds."""
        return self.prompts_on(self._latest)

    def prompts_on(self, frame: int) -> Prompts:
        """Prompts of one frame: all regions, with their marks on that frame."""
        return self._history.drawing.to_prompts(self._frames.reference(frame), self._frames.video)

    @property
    def prompted_frames(self) -> tuple[int, ...]:
        """Numbers of the frames that have a box or a point."""
        return self._history.drawing.frames

    @property
    def frame(self) -> int:
        """Number of the shown frame."""
        return self._frame

    def show_frame(self, frame: int) -> None:
        """Show another frame; the marks on the others stay."""
        self._frames[frame]  # a frame that can't be read must not become the shown one
        self._frame = frame
        self.labels = None
        with self.hold_sync():
            self._publish(with_image=True)
            self._publish_overlay(b"")
        self._schedule(_REST_S)

    @property
    def use_points(self) -> bool:
        """Whether the preview uses points besides boxes."""
        return self._use_points

    @use_points.setter
    def use_points(self, value: bool) -> None:
        self._use_points = bool(value)
        self._publish()
        self._schedule()

    def _check_frame(self, prompts: Prompts) -> None:
        """Refuse prompts of another size or frame; tell of other pixels, which may be meant."""
        image = self._frames[prompts.frame.index]
        prompts.check_frame(image, accept_other=True)
        number = prompts.frame.index
        told = f"the prompts of frame {number} were drawn on other pixels: is this the right video?"
        with self._problems.during(f"frame {number}", lambda _: told):
            prompts.check_frame(image)

    def _receive(self, _: object, message: Any, __: object) -> None:
        """Handle a message of the page; whatever goes wrong is told in the status line."""
        with self._problems.during("edit"):
            self._handle(message)
        self._report()

    def _handle(self, message: Mapping[str, Any]) -> None:
        kind = message.get("kind")
        if kind == "edit":
            self._edit(message)
        elif kind == "frame":
            self.show_frame(int(message["frame"]))
        elif kind == "points":
            self.use_points = message["value"]
        elif kind == "hello":
            if self._overlay == b"":
                self._schedule()
        else:
            raise SamflowError(f"unknown message {kind!r}: reload the page.")

    def _edit(self, message: Mapping[str, Any]) -> None:
        self._seen[str(message["client"])] = int(message["seq"])
        try:
            self._apply(message)
        except Exception:
            self._publish()
            raise
        if self._is_quick() and self._later.is_calm():
            # all in one message: the page draws the masks before it is told anything else
            with self.hold_sync():
                self._publish()
                self._later.act()
        else:
            self._publish()
            self._schedule()

    def _apply(self, message: Mapping[str, Any]) -> None:
        """Make an edit, save it, and show the frame that it changed."""
        before = self._history.drawing
        frame = self._changed_frame(message)
        if frame is None:
            return
        self._note_latest(before, frame)
        self._save()
        if frame != self._frame:
            self.show_frame(frame)

    def _is_quick(self) -> bool:
        """Whether masks of the shown frame are there in a moment."""
        preview = self._preview
        return preview is not None and preview.is_encoded(self._frame) and self._took_s < _QUICK_S

    def _changed_frame(self, message: Mapping[str, Any]) -> int | None:
        """Apply an edit; returns the number of the frame that it changed, None for no change."""
        if message["op"] == "undo":
            return self._history.undo()
        if message["op"] == "redo":
            return self._history.redo()
        frame = int(message.get("frame", self._frame))
        self._frames.reference(frame)
        return frame if self._history.edit(message, frame) else None

    def _note_latest(self, before: Drawing, frame: int) -> None:
        """Remember which frame's prompts were edited last: one that has any, if there is one."""
        after = self._history.drawing
        if after.marks_on(frame) != before.marks_on(frame):
            self._latest = frame
        if self._latest not in after.frames and after.frames:
            self._latest = after.frames[0]
        self._kept |= set(after.frames)

    def _save(self) -> None:
        with self._problems.during("save", lambda error: f"not saved: {error}"):
            self._files.save(self.prompts, [self.prompts_on(i) for i in sorted(self._kept)])

    def _publish(self, with_image: bool = False) -> None:
        """Send what is drawn on the shown frame, and the frame's image if asked for."""
        drawing, indices = self._history.drawing, self._frames.indices
        shown = drawing.to_prompts(self._frames.reference(self._frame), None)
        state = {
            "frame": self._frame,
            "time": self._frames.time(self._frame),
            "frames": [indices[0], indices[-1], indices[1] - indices[0] if len(indices) > 1 else 1],
            "size": list(self._frames.size),
            "regions": [region.model_dump(mode="json") for region in shown.regions],
            "shared": [list(point) for point in drawing.of(self._frame, SHARED).points],
            "prompted": list(drawing.frames),
            "ruler": None if drawing.ruler is None else [list(end) for end in drawing.ruler],
            "mm_per_px": drawing.mm_per_px,
            "undo": self._history.can_undo,
            "redo": self._history.can_redo,
            "points": self._use_points,
            "preview": self._preview is not None,
            "palette": [region_color(number) for number in range(1, 8)],
            "seen": dict(self._seen),
        }
        with self.hold_sync():
            self._state = state
            if with_image:
                self._image = self._frames.jpeg(self._frame)

    def _schedule(self, delay: float = 0.0) -> None:
        """Bring the preview up to date soon."""
        if self._preview is not None:
            self._later.request(delay)

    def _update_preview(self) -> None:
        self.labels = None
        begin = time.monotonic()
        with self._problems.during("model", model_failure):
            self.labels = self._predict()
        self._took_s = time.monotonic() - begin
        self._publish_overlay(self._picture())
        self._report()

    def _predict(self) -> np.ndarray | None:
        assert self._preview is not None
        if not self._preview.is_encoded(self._frame):
            name = self._preview.sam.name
            self._status = {
                "kind": "encoding",
                "text": f"Encoding frame {self._frame}{' with ' + name if name else ''}",
            }
            self._preview.encode(self._frame)
        return self._preview.label_map(self.prompts_on(self._frame), self._use_points)

    def _picture(self) -> bytes:
        if self.labels is None:
            return b""
        return overlay_bytes(self.labels, self._history.drawing.regions)

    def _publish_overlay(self, picture: bytes) -> None:
        with self.hold_sync():
            self._overlay = picture
            self._overlay_info = {
                "number": self._overlay_info.get("number", 0) + 1,
                "frame": self._frame,
                "seen": dict(self._seen),
            }

    def _report(self) -> None:
        """Bring the status line up to date."""
        hint, summary = None, self._files.summary
        shown = self.prompts_on(self._frame)
        if not self.prompted_frames:
            hint = first_step(self._files.path)
        elif self._preview is not None and has_points(shown):
            hint = None if self._use_points else points_hint(shown)
            source = WITH_POINTS if self._use_points else WITHOUT_POINTS
            summary = "  ·  ".join(filter(None, [summary, source]))
        scale = shown.mm_per_px
        told = None if scale is None else f"{scale:.4g} mm per px"
        summary = "  ·  ".join(filter(None, [summary, told, self._note]))
        self._status = self._problems.status(hint, summary)
