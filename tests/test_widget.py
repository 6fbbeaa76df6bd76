"""The widgets' Python half, fed with the messages that the page sends."""

import asyncio
import io
import json
import selectors
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from models import small_sam
from overlays import read_overlay
from samflow.errors import SamflowError
from samflow.overlay.blend import outline_rgb
from samflow.prompts import FrameReference, Prompts, Region, frame_sha256
from samflow.sam import Sam
from samflow.strategies import Frame, PromptOptions, segment_first_frame
from samflow.video import Video
from samflow.widget import PromptWidget
from samflow.widget.bundling import bundle
from samflow.widget.later import Later
from samflow.widget.overlay_runs import overlay_bytes

H, W = 72, 128


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (H, W, 3), np.uint8)


class Page:
    """Sends edits as the page does, each with the next sequence number."""

    def __init__(self, widget: PromptWidget, name: str = "page") -> None:
        self.widget = widget
        self.name = name
        self.seq = 0

    def send(self, kind: str, **content: object) -> None:
        message = json.loads(json.dumps({"client": self.name, "kind": kind, **content}))
        self.widget._handle_custom_msg(message, [])

    def edit(self, op: str, **content: object) -> None:
        self.seq += 1
        frame = self.widget._state["frame"]
        self.send("edit", seq=self.seq, op=op, **{"frame": frame, **content})

    @property
    def status(self) -> tuple[str, str]:
        return self.widget._status["kind"], self.widget._status["text"]


class CountingSam:
    """A model whose regions are their boxes and 5x5 squares at their points; counts its work."""

    name = "counting"
    device = torch.device("cpu")
    mask_threshold = 0.0

    def __init__(self) -> None:
        self.embedded = 0
        self.predicted = 0
        self.failure: Exception | None = None

    def embed(self, image: np.ndarray) -> np.ndarray:
        self.embedded += 1
        if self.failure:
            raise self.failure
        return image

    def predict_regions(
        self, image: np.ndarray, prompts: Prompts, use_points: bool = False
    ) -> np.ndarray:
        self.predicted += 1
        if self.failure:
            raise self.failure
        logits = np.full((len(prompts.regions), 1, *image.shape[:2]), -1.0, np.float32)
        for plane, region in zip(logits[:, 0], prompts.regions, strict=True):
            if region.box:
                x0, y0, x1, y1 = map(int, region.box)
                plane[y0:y1, x0:x1] = 1
            for (x, y), label in zip(region.points, region.point_labels, strict=True):
                if use_points:
                    square = np.s_[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3]
                    plane[square] = 2 * label - 1
        return logits


def test_box_and_points_become_prompts(image):
    widget = PromptWidget(image)
    page = Page(widget)
    page.edit("set_box", region=1, box=[10, 12, 60, 40])
    page.edit("add_point", region=1, point=[20, 20], label=1)
    page.edit("add_point", region=1, point=[30, 22], label=0)
    page.edit("add_point", region=0, point=[100, 70], label=0)
    region = widget.prompts.regions[0]
    assert region.box == (10, 12, 60, 40)
    assert region.points == [(20, 20), (30, 22)]
    assert region.point_labels == [1, 0]
    assert widget.prompts.background_points == [(100, 70)]
    assert widget.prompts.frame == FrameReference(
        index=0, width=W, height=H, sha256=frame_sha256(image)
    )
    assert widget._state["seen"] == {"page": 4}


def test_points_are_moved_and_deleted_by_what_they_are(image):
    widget = PromptWidget(image)
    page = Page(widget)
    for x in (10, 20, 30):
        page.edit("add_point", region=1, point=[x, 5], label=x == 20)
    page.edit("move_point", region=1, index=1, old=[20, 5], point=[25, 9])
    # the page counts from before an undo that it has not seen yet
    page.edit("delete_point", region=1, index=1, old=[10, 5])
    assert widget.prompts.regions[0].points == [(25, 9), (30, 5)]
    assert widget.prompts.regions[0].point_labels == [1, 0]
    page.edit("delete_point", region=1, index=0, old=[10, 5])
    assert page.status == ("error", "That point is not there any more.")
    assert len(widget.prompts.regions[0].points) == 2


def test_marks_stay_inside_the_frame(image):
    widget = PromptWidget(image)
    page = Page(widget)
    page.edit("set_box", region=1, box=[-5, -6, 500, 600])
    page.edit("add_point", region=1, point=[W + 3, -2], label=1)
    assert widget.prompts.regions[0].box == (0, 0, W, H)
    assert widget.prompts.regions[0].points == [(W - 1, 0)]
    page.edit("set_box", region=1, box=[10, 10, 10, 20])
    assert page.status[0] == "error"
    assert widget.prompts.regions[0].box == (0, 0, W, H)


def test_a_ruler_gives_the_scale_of_every_frame_and_is_kept(image, tmp_path):
    path = tmp_path / "prompts.json"
    widget = PromptWidget(image, path=path)
    page = Page(widget)
    page.edit("set_box", region=1, box=[10, 12, 60, 40])
    assert "mm_per_px" not in path.read_text(encoding="utf-8")
    page.edit("set_ruler", ends=[[10, 20], [70, 20]], length_mm=15)
    assert (widget._state["ruler"], widget._state["mm_per_px"]) == ([[10, 20], [70, 20]], 0.25)
    assert "0.25 mm per px" in page.status[1]
    kept = Prompts.load(path)
    assert (kept.mm_per_px, kept.ruler) == (0.25, ((10, 20), (70, 20)))
    page.edit("set_ruler", ends=[[10, 20], [10, 20]], length_mm=15)
    assert page.status == (
        "error",
        "The ruler's ends are the same: click two different places.",
    )
    page.edit("set_ruler", ends=[[10, 20], [70, 20]], length_mm=0)
    assert "expected a number above 0" in page.status[1]
    assert PromptWidget(image, path=path).prompts == kept
    page.edit("undo")
    assert widget.prompts.mm_per_px is None
    page.edit("redo")
    page.edit("set_ruler", ends=None)
    assert Prompts.load(path) == kept.without_scale()


def test_regions_are_added_named_coloured_ordered_and_removed(image):
    widget = PromptWidget(image)
    page = Page(widget)
    page.edit("add_region", region=2)
    page.edit("add_region", region=2)  # from a second page that did not know of the first's
    page.edit("rename_region", region=2, name="  lower dye ")
    page.edit("recolor_region", region=3, color="#123456")
    page.edit("set_background", region=3, value=True)
    page.edit("move_region", region=3, position=0)
    assert [r.id for r in widget.prompts.regions] == [3, 1, 2]
    assert [r.name for r in widget.prompts.regions] == ["region 3", "region 1", "lower dye"]
    assert widget.prompts.regions[0].color == "#123456"
    assert widget.prompts.background_ids == (3,)
    page.edit("set_box", region=1, box=[1, 2, 30, 40])
    page.edit("remove_region", region=1)
    assert widget.prompts.ids == [3, 2]
    page.edit("add_region", region=1)
    assert widget.prompts.regions[-1] == Region(id=1, name="region 1")


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        ({"op": "rename_region", "region": 1, "name": "  "}, "needs a name"),
        ({"op": "recolor_region", "region": 1, "color": "red"}, "color"),
        ({"op": "set_box", "region": 7, "box": [0, 0, 5, 5]}, "region 7 is not there"),
        ({"op": "set_box", "region": 1, "box": [0, 0, 5]}, "not enough values"),
        ({"op": "set_box", "region": 1}, "malformed"),
        ({"op": "explode"}, "unknown edit 'explode'"),
        ({"op": "add_point", "region": 1, "point": [1, 1], "label": 1, "frame": 9}, "no frame 9"),
    ],
)
def test_a_refused_edit_is_told_and_changes_nothing(image, edit, told):
    widget = PromptWidget(image)
    page = Page(widget)
    page.edit("set_box", region=1, box=[1, 2, 30, 40])
    before = widget.prompts
    page.edit(**edit)
    assert page.status[0] == "error"
    assert told.lower() in page.status[1].lower()
    assert "\n" not in page.status[1]
    assert widget.prompts == before
    assert widget._state["seen"] == {"page": 2}, "the page must not wait for the refused edit"
    page.edit("set_box", region=1, box=[1, 2, 31, 41])
    assert page.status[0] == "ready"


def test_an_unknown_message_is_told(image):
    page = Page(PromptWidget(image))
    page.send("dance")
    assert page.status == ("error", "Unknown message 'dance': reload the page.")
    page.widget._handle_custom_msg(["no", "mapping"], [])
    assert page.status[0] == "error"


def test_undo_goes_back_to_the_start_and_redo_to_the_end(image):
    widget = PromptWidget(image)
    page = Page(widget)
    states = [widget.prompts]
    for op, content in [
        ("set_box", {"region": 1, "box": [1, 2, 30, 40]}),
        ("add_region", {"region": 2}),
        ("add_point", {"region": 2, "point": [3, 4], "label": 1}),
        ("move_region", {"region": 2, "position": 0}),
        ("remove_region", {"region": 1}),
        ("clear", {}),
    ]:
        page.edit(op, **content)
        states.append(widget.prompts)
    assert len({state.to_json() for state in states}) == len(states)
    for state in reversed(states[:-1]):
        assert widget._state["undo"]
        page.edit("undo")
        assert widget.prompts == state
    assert not widget._state["undo"]
    page.edit("undo")
    for state in states[1:]:
        page.edit("redo")
        assert widget.prompts == state
    assert not widget._state["redo"]
    page.edit("undo")
    page.edit("rename_region", region=2, name="other")
    assert not widget._state["redo"], "an edit after an undo ends what could be redone"


def test_an_edit_that_changes_nothing_is_no_undo_step(image):
    widget = PromptWidget(image)
    page = Page(widget)
    page.edit("rename_region", region=1, name="region 1")
    page.edit("clear")
    assert not widget._state["undo"]


def test_every_change_is_on_disk_at_once(image, tmp_path):
    path = tmp_path / "made" / "prompts.json"
    widget = PromptWidget(image, path=path)
    page = Page(widget)
    assert not path.exists()
    for step in range(1, 4):
        page.edit("set_box", region=1, box=[step, 2, 30, 40])
        assert Prompts.load(path) == widget.prompts
    page.edit("undo")
    assert Prompts.load(path).regions[0].box == (2, 2, 30, 40)
    assert page.status == ("ready", f"Saved to {path}")
    assert [file.name for file in path.parent.iterdir()] == ["prompts.json"]


def test_while_nothing_is_drawn_the_status_says_what_to_do(image, tmp_path):
    path = tmp_path / "prompts.json"
    page = Page(PromptWidget(image, path=path))
    kind, text = page.status
    assert kind == "hint"
    assert text.startswith("Nothing is drawn yet: drag a box around each region")
    assert f"run the cells below: they read {path}" in text
    page.edit("set_box", region=1, box=[1, 2, 30, 40])
    assert page.status[0] == "ready"
    page.edit("undo")
    assert page.status == ("hint", text)


def test_a_new_widget_goes_on_from_the_file(image, tmp_path):
    path = tmp_path / "prompts.json"
    Page(PromptWidget(image, path=path)).edit("set_box", region=1, box=[1, 2, 30, 40])
    text = path.read_text(encoding="utf-8")
    widget = PromptWidget(image, path=path)
    assert widget.prompts == Prompts.load(path)
    assert widget._status["text"] == f"Loaded from {path}"
    assert path.read_text(encoding="utf-8") == text


def test_a_file_that_cannot_be_written_is_told_and_nothing_is_lost(image, tmp_path):
    (tmp_path / "file").write_text("in the way of the folder")
    sam = CountingSam()
    widget = PromptWidget(image, sam, path=tmp_path / "file" / "prompts.json")
    page = Page(widget)
    page.edit("set_box", region=1, box=[10, 10, 30, 40])
    kind, text = page.status
    assert kind == "error"
    assert text.startswith("Not saved: ")
    assert widget.prompts.regions[0].box == (10, 10, 30, 40)
    assert widget.labels is not None
    assert (widget.labels == 1).sum() == 20 * 30, "the preview goes on"
    (tmp_path / "file").unlink()
    page.edit("set_box", region=1, box=[10, 10, 30, 41])
    assert page.status[0] == "ready"
    assert Prompts.load(tmp_path / "file" / "prompts.json") == widget.prompts


def test_the_preview_is_what_a_run_starts_from(image):
    sam = Sam(small_sam(), "cpu", "small")
    widget = PromptWidget(image, sam)
    page = Page(widget)
    page.edit("set_box", region=1, box=[10, 10, 90, 60])
    page.edit("add_region", region=2)
    page.edit("add_point", region=2, point=[100, 30], label=1)
    page.edit("add_point", region=0, point=[5, 5], label=0)
    page.send("points", value=True)
    options = PromptOptions(use_points=True)
    expected = segment_first_frame(sam, Frame(image), widget.prompts, options)
    np.testing.assert_array_equal(widget.labels, expected)
    assert expected.any()
    page.send("points", value=False)
    only_box = widget.prompts.model_copy(update={"regions": widget.prompts.regions[:1]})
    expected = segment_first_frame(sam, Frame(image), only_box)
    np.testing.assert_array_equal(widget.labels, expected)
    assert page.status[0] == "hint"
    assert page.status[1].startswith("region 2 has points only, and points are off")
    assert len(widget.prompts.regions[1].points) == 1, "switching points off loses none"


def test_points_on_and_off(image, tmp_path):
    widget = PromptWidget(image, CountingSam(), path=tmp_path / "prompts.json")
    page = Page(widget)
    page.edit("set_box", region=1, box=[10, 10, 30, 40])
    assert page.status[0] == "ready"
    page.edit("add_point", region=1, point=[20, 20], label=0)
    assert widget._state["points"] is PromptOptions().use_points is False, "as in a run"
    assert (widget.labels == 1).sum() == 20 * 30
    assert page.status[0] == "ready"
    assert page.status[1].endswith("masks from boxes alone, as in a run (P uses the points)")
    page.send("points", value=True)
    assert widget._state["points"] is True
    assert (widget.labels == 1).sum() == 20 * 30 - 25
    assert page.status == (
        "ready",
        f"Saved to {tmp_path / 'prompts.json'}  ·  masks from boxes and points, as in a run with "
        "--points",
    )
    widget.use_points = False
    assert (widget.labels == 1).sum() == 20 * 30


def test_each_frame_is_encoded_once(tmp_path, image):
    sam = CountingSam()
    widget = PromptWidget(Video(write_clip(tmp_path)), sam)
    page = Page(widget)
    told = []
    widget.observe(lambda change: told.append(change["new"]["kind"]), "_status")
    page.send("hello")
    assert sam.embedded == 1, "the frame is encoded before the first click"
    assert told == ["encoding", "hint"]
    for x in range(5, 50, 5):
        page.edit("add_point", region=1, point=[x, 5], label=1)
    page.send("frame", frame=2)
    page.edit("add_point", region=1, point=[5, 5], label=1)
    page.send("frame", frame=0)
    assert sam.embedded == 2
    assert told.count("encoding") == 2


def test_overlay_has_areas_outlines_and_no_area_for_background():
    labels = np.zeros((20, 30), np.uint8)
    labels[2:12, 3:13] = 1
    labels[8:18, 15:25] = 254
    regions = [
        Region(id=254, name="ridges", color="#204060", background=True),
        Region(id=1, name="dye", color="#0000ff"),
    ]
    areas, outlines = read_overlay(overlay_bytes(labels, regions))
    inner = np.zeros_like(labels, bool)
    inner[3:11, 4:12] = inner[9:17, 16:24] = True
    np.testing.assert_array_equal(areas[..., 3] == 255, (labels == 1) & inner)
    assert areas[5, 5].tolist() == [0, 0, 255, 255]
    np.testing.assert_array_equal(outlines[..., 3] == 255, (labels > 0) & ~inner)
    assert tuple(outlines[8, 15, :3]) == outline_rgb("#204060")


def test_colour_and_background_change_the_overlay(image):
    widget = PromptWidget(image, CountingSam())
    page = Page(widget)
    page.edit("set_box", region=1, box=[10, 10, 30, 40])
    assert read_overlay(widget._overlay)[0][20, 20].tolist() == [0, 0, 255, 255]
    page.edit("recolor_region", region=1, color="#10a020")
    assert read_overlay(widget._overlay)[0][20, 20].tolist() == [16, 160, 32, 255]
    page.edit("set_background", region=1, value=True)
    assert not read_overlay(widget._overlay)[0].any()
    page.edit("clear")
    assert widget._overlay == b""
    assert widget.labels is None


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (RuntimeError("CUDA out of memory.\nTried to"), "The model ran out of memory: load a "),
        (KeyError("w"), "The model failed (KeyError: 'w')."),
        (SamflowError("too narrow: crop it."), "too narrow: crop it."),
    ],
)
def test_a_model_that_fails_is_told_and_nothing_is_lost(image, tmp_path, failure, told):
    sam = CountingSam()
    path = tmp_path / "prompts.json"
    widget = PromptWidget(image, sam, path=path)
    page = Page(widget)
    page.edit("set_box", region=1, box=[10, 10, 30, 40])
    sam.failure = failure
    page.edit("set_box", region=1, box=[10, 10, 30, 50])
    assert page.status[0] == "error"
    assert told.lower() in page.status[1].lower()
    assert widget._overlay == b"", "no masks of other prompts than those drawn"
    assert Prompts.load(path).regions[0].box == (10, 10, 30, 50)
    sam.failure = None
    page.send("points", value=True)
    assert page.status[0] == "ready"
    assert (widget.labels == 1).sum() == 20 * 40


def test_a_failure_while_encoding_is_told(image):
    sam = CountingSam()
    sam.failure = MemoryError()
    page = Page(PromptWidget(image, sam))
    page.send("hello")
    assert page.status[0] == "error"
    assert "out of memory" in page.status[1]


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((H, W), np.uint8),
        np.zeros((H, W, 4), np.uint8),
        np.zeros((H, W, 3), np.float32),
        np.zeros((0, W, 3), np.uint8),
        [[1, 2, 3]],
        None,
    ],
    ids=["grey", "alpha", "float", "empty", "list", "none"],
)
def test_an_image_that_is_none_is_refused(bad):
    with pytest.raises(SamflowError, match=r"\(H, W, 3\) (of )?uint8"):
        PromptWidget(bad)


def test_prompts_of_another_frame(image, tmp_path):
    region = Region(id=1, name="dye", box=(1, 2, 30, 40))
    frame = FrameReference(width=W, height=H, sha256="0" * 64)
    widget = PromptWidget(image, prompts=Prompts(regions=[region], frame=frame))
    kind, text = widget._status.values()
    assert kind == "error"
    assert "other pixels" in text
    assert widget.prompts.regions == [region]
    larger = FrameReference(width=2 * W, height=H)
    with pytest.raises(SamflowError, match=f"{2 * W}x{H} px"):
        PromptWidget(image, prompts=Prompts(regions=[region], frame=larger))
    later = FrameReference(index=3, width=W, height=H)
    with pytest.raises(SamflowError, match="there is no frame 3"):
        PromptWidget(image, prompts=Prompts(regions=[region], frame=later))
    path = tmp_path / "prompts.json"
    Prompts(regions=[region], frame=larger).save(path)
    text = path.read_text(encoding="utf-8")
    with pytest.raises(SamflowError, match=f"{2 * W}x{H} px"):
        PromptWidget(image, path=path)
    assert path.read_text(encoding="utf-8") == text


def write_clip(folder, frames=5):
    """A folder of images, so that frames are what was written."""
    rng = np.random.default_rng(1)
    (folder / "clip").mkdir()
    for index, frame in enumerate(rng.integers(0, 255, (frames, H, W, 3), np.uint8)):
        Image.fromarray(frame).save(folder / "clip" / f"{index:05d}.png")
    return folder / "clip"


def test_frames_keep_their_own_marks_and_share_the_regions(tmp_path):
    video = Video(write_clip(tmp_path))
    path = tmp_path / "prompts.json"
    widget = PromptWidget(video, CountingSam(), path=path)
    page = Page(widget)
    page.edit("set_box", region=1, box=[10, 10, 30, 40])
    page.send("frame", frame=3)
    assert widget.frame == 3
    assert widget._state["regions"][0]["box"] is None
    assert widget._overlay == b""
    assert widget.prompts.frame.index == 0, "looking at a frame does not edit it"
    page.edit("rename_region", region=1, name="dye")
    assert widget.prompts.frame.index == 0, "a region's name belongs to no frame"
    page.edit("set_box", region=1, box=[50, 10, 70, 40])
    assert widget.prompts.frame.sha256 == frame_sha256(video[3])
    assert Prompts.load(path) == widget.prompts_on(3)
    assert Prompts.load(tmp_path / "prompts-frame-00000.json") == widget.prompts_on(0)
    assert widget.prompts_on(0).regions[0].box == (10, 10, 30, 40)
    assert widget.prompts_on(0).regions[0].name == "dye"
    assert widget._state["prompted"] == [0, 3]
    again = PromptWidget(video, path=path)
    assert again.frame == 3
    assert [again.prompts_on(i) for i in (0, 3)] == [widget.prompts_on(i) for i in (0, 3)]


def test_undo_shows_the_frame_that_it_changes(tmp_path):
    widget = PromptWidget(Video(write_clip(tmp_path)))
    page = Page(widget)
    page.edit("set_box", region=1, box=[10, 10, 30, 40])
    page.send("frame", frame=4)
    page.edit("add_point", region=1, point=[3, 3], label=1)
    page.edit("undo")
    assert widget.frame == 4
    page.edit("undo")
    assert widget.frame == 0
    assert widget.prompted_frames == ()
    page.edit("redo")
    assert widget.prompts.regions[0].box == (10, 10, 30, 40)


def test_an_edit_belongs_to_the_frame_on_which_it_was_made(tmp_path):
    widget = PromptWidget(Video(write_clip(tmp_path)))
    page = Page(widget)
    page.send("frame", frame=2)
    page.edit("add_point", frame=0, region=1, point=[3, 3], label=1)
    assert widget.prompted_frames == (0,)
    assert widget.prompts.frame.index == 0


def test_a_frame_that_is_not_there_is_told(tmp_path):
    widget = PromptWidget(Video(write_clip(tmp_path)))
    page = Page(widget)
    shown = widget._image
    page.send("frame", frame=99)
    assert page.status == ("error", "There is no frame 99: choose 0 to 4.")
    assert widget.frame == 0
    assert widget._image == shown


def test_frames_of_a_part_are_numbered_as_in_the_file(tmp_path):
    video = Video(write_clip(tmp_path))[2:5]
    widget = PromptWidget(video)
    assert widget.frame == 2
    assert widget._state["frames"] == [2, 4, 1]
    Page(widget).edit("set_box", region=1, box=[10, 10, 30, 40])
    assert widget.prompts.frame.index == 2
    assert widget.prompts.frame.sha256 == frame_sha256(video[0])
    assert widget.prompts.video.name == "clip"


def test_the_page_gets_the_frame(image):
    widget = PromptWidget(image)
    shown = np.array(Image.open(io.BytesIO(widget._image)))
    assert shown.shape == image.shape
    smooth = np.broadcast_to(np.arange(W, dtype=np.uint8)[None, :, None], (H, W, 3))
    shown = np.array(Image.open(io.BytesIO(PromptWidget(np.array(smooth))._image)))
    assert np.abs(shown.astype(int) - smooth).max() <= 6


def test_the_page_is_one_module_without_imports():
    text = bundle("prompt.js")
    assert "import " not in text.replace("import it", "")
    assert text.count("export ") == 1
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_torch_is_not_needed_to_draw():
    code = (
        "import sys, numpy; from samflow.widget import PromptWidget;"
        "PromptWidget(numpy.zeros((8, 8, 3), numpy.uint8));"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_edit_is_answered_with_its_masks_in_one_message_when_the_model_is_quick(image):
    widget = PromptWidget(image, CountingSam())
    page = Page(widget)
    answers = []
    widget.send_state = lambda key=None: answers.append(set(key))

    async def edits():
        page.edit("set_box", region=1, box=[10, 10, 30, 40])
        await asyncio.sleep(0.1)
        answers.clear()
        page.edit("set_box", region=1, box=[20, 10, 50, 40])
        assert answers[0] >= {"_state", "_overlay", "_overlay_info"}
        assert widget._overlay_info["seen"] == widget._state["seen"] == {"page": 2}
        assert widget.labels[20, 45] == 1
        await asyncio.sleep(0.1)
        answers.clear()
        widget._took_s = 1.0  # a slow model: first that the edit has arrived, then the masks
        page.edit("set_box", region=1, box=[60, 10, 90, 40])
        assert "_overlay" not in set().union(*answers)
        assert widget._state["seen"] == {"page": 3}
        await asyncio.sleep(0.1)
        assert widget.labels[20, 80] == 1
        assert widget._overlay_info["seen"] == {"page": 3}

    asyncio.run(edits())


class OwnTime(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while it waits, however busy the machine is."""

    def __init__(self):
        super().__init__(selector := selectors.DefaultSelector())
        self.now, select = 0.0, selector.select

        def skip(timeout=None):
            self.now += timeout or 0.0
            return select(0)

        selector.select = skip

    def time(self):
        return self.now


def test_a_crowd_of_edits_shares_one_prediction():
    calls = []

    def predict():
        calls.append(None)
        asyncio.get_running_loop().now += 0.05

    async def edits():
        later = Later(predict)
        later.request()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(calls) == 1, "the first edit is answered at once"
        for _ in range(14):  # these waited for the model
            later.request()
            await asyncio.sleep(0.001)
        assert len(calls) == 1
        await asyncio.sleep(0.2)
        assert len(calls) == 2
        later.request(0.01)
        later.request(0.02)
        await asyncio.sleep(0.2)

    with asyncio.Runner(loop_factory=OwnTime) as runner:
        runner.run(edits())
    assert len(calls) == 3
