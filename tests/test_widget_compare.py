"""The comparison of strategies, fed with the messages that the page sends."""

import io

import numpy as np
import pytest
from PIL import Image

from overlays import read_overlay
from samflow.errors import SamflowError
from samflow.files import write_text
from samflow.maskio import Track, write_label_map
from samflow.prompts import FrameReference, Prompts, Region
from samflow.runs.record import RunRecord, VideoRecord, versions
from samflow.video import Video
from samflow.widget import CompareWidget, TrackViewer, show_track

H, W, T = 40, 60, 4


def write_track(folder, start):
    """Region 1 is a square that moves right by 5 px a frame, region 2 the lowest rows."""
    for index in range(T):
        labels = np.zeros((H, W), np.uint8)
        labels[10:20, start + 5 * index : start + 5 * index + 10] = 1
        labels[35:] = 2
        write_label_map(folder / f"{index:05d}.png", labels)
    return Track(folder)


@pytest.fixture
def clip(tmp_path):
    (tmp_path / "clip").mkdir()
    for index in range(T + 2):
        image = np.full((H, W, 3), 40 * index, np.uint8)
        Image.fromarray(image).save(tmp_path / "clip" / f"{index:05d}.png")
    return tmp_path / "clip"


@pytest.fixture
def run_folder(clip, tmp_path):
    """A run over the clip from its frame 2 on."""
    folder = tmp_path / "run"
    frame = FrameReference(index=2, width=W, height=H)
    record = RunRecord(
        versions=versions(),
        video=VideoRecord(
            name="clip",
            path=str(clip),
            sha256=Video(clip).sha256,
            fps=25,
            width=W,
            height=H,
            first=2,
            frames=T,
        ),
        prompts=Prompts(regions=[Region(id=1, name="dye", color="#00ff00")], frame=frame),
        models={},
        strategies=["xmem", "sam"],
        options={},
        frames_done=T,
    )
    for name, start in (("xmem", 0), ("sam", 20)):
        write_track(folder / "masks" / name, start)
    record.save(folder)
    return folder


def send(widget, **content):
    widget._handle_custom_msg(content, [])


def grey(widget):
    return float(np.array(Image.open(io.BytesIO(widget._image))).mean())


def test_both_tracks_of_a_frame_are_sent(run_folder):
    widget = CompareWidget(run_folder)
    assert widget._info["frames"] == [0, 1, 2, 3]
    assert widget._info["titles"] == ["xmem", "sam"]
    assert widget._info["scores"] == {}
    send(widget, position=3, left="sam", right="xmem")
    assert widget._view == {"number": 2, "position": 3, "left": "sam", "right": "xmem"}
    assert grey(widget) == pytest.approx(40 * 5, abs=1), "the run began at the film's frame 2"
    for overlay, start in ((widget._left, 20), (widget._right, 0)):
        picture, _ = read_overlay(overlay)
        assert picture[15, start + 20].tolist() == [0, 255, 0, 255], "the prompts' colour"
        assert picture[15, start + 14, 3] == 0
        assert picture[38, 5].tolist() == [255, 0, 0, 255], "the default colour of label 2"


def test_times_are_those_of_the_film(run_folder):
    assert CompareWidget(run_folder)._info["times"] == pytest.approx([0.08, 0.12, 0.16, 0.2])


def test_scores_of_a_scored_run(run_folder):
    rows = "strategy,frame,region,J,F\nxmem,0,1,0.5,0\nxmem,0,2,0.7,0\nxmem,2,1,0.1,0\n"
    write_text(run_folder / "scores.csv", rows)
    scores = CompareWidget(run_folder)._info["scores"]
    assert list(scores) == ["xmem"]
    assert scores["xmem"] == [pytest.approx(0.6), None, pytest.approx(0.1), None]
    write_text(run_folder / "scores.csv", "strategy,frame\n")
    with pytest.raises(SamflowError, match=r"lacks the columns \['region', 'J'"):
        CompareWidget(run_folder)


def test_the_timeline_of_a_run_that_was_measured_and_corrected(run_folder):
    assert "timeline" not in CompareWidget(run_folder)._info
    rows = [f"{name},{i},1,{i / 10}" for name in ("xmem", "sam") for i in range(T)]
    write_text(run_folder / "drift.csv", "\n".join(["strategy,frame,region,drift", *rows, ""]))
    write_label_map(run_folder / "corrections" / "00002.png", np.zeros((H, W), np.uint8))
    timeline = CompareWidget(run_folder)._info["timeline"]
    assert timeline["corrected"] == [2]
    assert timeline["drift"] == {name: [0.0, 0.1, 0.2, 0.3] for name in ("xmem", "sam")}


def test_what_cannot_be_shown_is_told(run_folder):
    widget = CompareWidget(run_folder)
    before = widget._view
    send(widget, position=1, left="sam", right="nobody")
    assert widget._status["kind"] == "error"
    assert "no track 'nobody'" in widget._status["text"]
    send(widget, left="sam")
    assert widget._status["kind"] == "error"
    (run_folder / "masks" / "sam" / "00001.png").write_bytes(b"")
    send(widget, position=1, left="sam", right="xmem")
    assert "00001.png" in widget._status["text"]
    assert widget._view == before
    send(widget, position=99, left="sam", right="xmem")
    assert widget._status["kind"] == "ready"
    assert widget._view["position"] == T - 1


def test_a_film_that_moved(run_folder, clip, tmp_path):
    clip.rename(tmp_path / "moved")
    with pytest.raises(SamflowError, match="say where it is with --video"):
        CompareWidget(run_folder)
    other = tmp_path / "other"
    other.mkdir()
    Image.fromarray(np.zeros((H, W, 3), np.uint8)).save(other / "00000.png")
    with pytest.raises(SamflowError, match="is not the video of the run"):
        CompareWidget(run_folder, video=other)
    widget = CompareWidget(run_folder, video=tmp_path / "moved")
    assert grey(widget) == pytest.approx(80, abs=1)


def test_one_track(run_folder, clip):
    widget = show_track(clip, run_folder / "masks" / "sam")
    assert widget._info["titles"] == ["sam"]
    assert widget._view["left"] == widget._view["right"] == "sam"
    assert read_overlay(widget._left)[0][15, 25].tolist() == [0, 0, 255, 255]


def test_tracks_that_do_not_fit(run_folder, clip, tmp_path):
    video = Video(clip)
    track = Track(run_folder / "masks" / "sam")
    with pytest.raises(SamflowError, match="at least one track"):
        TrackViewer(video, {})
    with pytest.raises(SamflowError, match="goes up to frame 3, the video has 2 frames"):
        TrackViewer(video[:2], {"sam": track})
    write_label_map(tmp_path / "small" / "00000.png", np.ones((5, 6), np.uint8))
    with pytest.raises(SamflowError, match=r"\(5, 6\)"):
        TrackViewer(video, {"small": Track(tmp_path / "small")})
    write_label_map(tmp_path / "late" / "00005.png", np.ones((H, W), np.uint8))
    with pytest.raises(SamflowError, match="no frame in common"):
        TrackViewer(video, {"sam": track, "late": Track(tmp_path / "late")})
