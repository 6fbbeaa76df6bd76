"""What the notebooks share: clips, prompts, and tracks shown inline."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from samflow import DyeClip, Prompts, RunOptions, Video, run
from samflow.errors import SamflowError
from samflow.lab.lesson import (
    carry,
    foreground_points_only,
    open_lesson,
    show_mistakes,
    show_scores,
    show_sheet,
    show_tracks,
)
from samflow.prompts import FrameReference, Region
from samflow.strategies import Frame

FRAMES = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("lesson")


@pytest.fixture(scope="module")
def lesson(folder):
    return open_lesson(folder=folder, frames=FRAMES, seed=3)


def odd_frames_missing(lesson, region):
    """The truth, but on odd frames without one region."""
    maps = lesson.results(lesson.truth)
    return [np.where((m == region) & (i % 2 == 1), 0, m) for i, m in enumerate(maps)]


def test_the_dye_clip_comes_with_truth_and_prompts(lesson):
    clip = DyeClip(3, frames=FRAMES)
    assert len(lesson.video) == FRAMES
    for true, expected in zip(lesson.truth, clip.labels(), strict=True):
        np.testing.assert_array_equal(true, expected)
    assert [region.box for region in lesson.prompts.regions] == [
        region.box for region in clip.prompts().regions
    ]
    assert lesson.dyes == {1: "upper dye", 2: "lower dye"}
    assert lesson.colors[3] == "#e69f00"
    assert {int(i) for i in np.unique(lesson.results(lesson.truth))} == {0, 1, 2}


def test_a_clip_is_made_once_and_drawn_prompts_are_kept(folder, lesson):
    film = lesson.film.path
    made = film.stat().st_mtime_ns
    drawn = lesson.prompts.model_copy(update={"background_points": [(5.0, 6.0)]})
    original = lesson.prompts
    drawn.save(lesson.prompts_path)
    again = open_lesson(folder=folder, frames=FRAMES, seed=3)
    assert again.prompts.background_points == [(5.0, 6.0)]
    assert film.stat().st_mtime_ns == made
    original.save(lesson.prompts_path)


def test_a_film_starts_at_the_frame_of_its_prompts(lesson, tmp_path):
    film = lesson.film.path
    opened = open_lesson(film, folder=tmp_path, frames=2)
    assert opened.prompts_path == tmp_path / "clip-prompts.json"
    with pytest.raises(SamflowError, match=r"nothing is drawn on clip\.mp4 yet, .*drag a box"):
        _ = opened.video
    reference = FrameReference(index=1, width=480, height=270)
    prompts = Prompts(regions=[Region(id=1, name="dye", box=(0, 0, 9, 9))], frame=reference)
    prompts.save(opened.prompts_path)
    assert opened.video.indices == range(1, 3)
    assert opened.truth is None
    np.testing.assert_array_equal(opened.video[0], lesson.film[1])


def test_prompts_of_another_film_are_refused(lesson, tmp_path):
    path = tmp_path / "prompts.json"
    region = Region(id=1, name="dye", box=(0, 0, 9, 9))
    late = FrameReference(index=FRAMES, width=480, height=270)
    Prompts(regions=[region], frame=late).save(path)
    with pytest.raises(SamflowError, match=f"frame {FRAMES}, clip.mp4 has {FRAMES} frames"):
        _ = open_lesson(lesson.film.path, path).prompts
    other = FrameReference(index=0, width=64, height=32)
    Prompts(regions=[region], frame=other).save(path)
    with pytest.raises(SamflowError, match="64x32 px, the video's frames have 480x270 px"):
        _ = open_lesson(lesson.film.path, path).prompts
    with pytest.raises(SamflowError, match="frames must be at least 1, got 0"):
        open_lesson(frames=0)


def test_foreground_points_lie_inside_their_regions(lesson):
    labels, prompts = lesson.truth[0], lesson.prompts
    alone = foreground_points_only(prompts, labels, 3)
    assert alone.background_points == []
    for region in alone.regions:
        assert region.box is None
        assert region.point_labels == [1, 1, 1]
        assert len(set(region.points)) == 3
        assert all(labels[int(y), int(x)] == region.id for x, y in region.points)
    centred = np.zeros((270, 480), np.uint8)
    centred[100:111, 200:221] = 1
    only = foreground_points_only(prompts, centred)
    assert only.ids == [1], "a region without a pixel has no point"
    assert only.regions[0].points[0][1] == 105


class Counting:
    """A strategy whose label map says how often it was stepped."""

    name = "counting"

    def start(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        self.labels = labels
        return labels

    def step(self, frame: Frame) -> np.ndarray:
        self.labels = self.labels + 1
        return self.labels


def test_strategies_are_started_once_and_stepped_on_every_other_frame(lesson):
    first = np.full((270, 480), 7, np.uint8)
    maps = carry({"a": Counting(), "b": Counting()}, lesson.video, first)
    for track in maps.values():
        assert [int(labels[0, 0]) for labels in track] == [7, 8, 9, 10]


def test_scores_are_drawn_against_the_truth_and_drift_without_one(lesson):
    broken = odd_frames_missing(lesson, 1)
    figure = show_scores(lesson, {"broken": broken, "true": lesson.results(lesson.truth)})
    upper = figure.axes[1]  # below the mean over both
    assert upper.get_title() == "upper dye"
    np.testing.assert_allclose(upper.lines[0].get_ydata(), [1, 0, 1, 0])
    np.testing.assert_allclose(upper.lines[1].get_ydata(), 1)
    blind = open_lesson(lesson.film.path, lesson.prompts_path, frames=FRAMES)
    drift = show_scores(blind, {"broken": broken, "true": lesson.results(lesson.truth)})
    assert drift.axes[0].get_ylabel() == "drift score"
    assert drift.axes[0].lines[0].get_ydata()[1] > 0.3


def test_mistakes_are_marked_on_the_chosen_frames(lesson):
    figure = show_mistakes(lesson, {f"frame {i}": (lesson.truth, i) for i in (0, FRAMES - 1)})
    assert [axes.get_title() for axes in figure.axes] == ["frame 0", f"frame {FRAMES - 1}"]
    right = figure.axes[0].images[0].get_array()
    assert (right[..., 0] == right[..., 2]).all(), "no mistake, no colour"
    blind = open_lesson(lesson.film.path, lesson.prompts_path, frames=FRAMES)
    assert len(show_mistakes(blind, {str(i): (lesson.truth, i) for i in range(3)}).axes) == 3


def test_tracks_are_shown_as_a_page_and_as_a_video(lesson, tmp_path):
    tracks = {"truth": lesson.results(lesson.truth)}
    page = show_sheet(lesson, tracks, columns=2, max_width=500)
    picture = Image.open(io.BytesIO(page.data))
    assert picture.format == "JPEG"
    assert 300 < picture.width <= 500
    path = tmp_path / "both.mp4"
    inline = show_tracks(lesson, tracks, path)
    assert len(Video(path)) == FRAMES
    data = base64.b64decode(inline._repr_html_().split("base64,")[1].split('"')[0])
    assert len(data) <= 100_000
    alone = show_tracks(lesson, tracks, tmp_path / "one.mp4", film=False)
    assert alone.width < Video(path).size[1]


def test_a_run_is_kept_and_other_prompts_get_a_run_of_their_own(lesson, tmp_path):
    options = RunOptions(("nearest-colour",), sam="demo", device="cpu", end=lesson.end)

    def go():
        out = lesson.run_folder(options, tmp_path)
        return run(lesson.film.path, lesson.prompts, out, options, resume=True)

    made = go()
    assert made.complete
    assert len(made.track("nearest-colour")) == FRAMES
    written = (made.folder / "run.json").read_bytes()
    again = go()
    assert again.folder == made.folder
    assert (made.folder / "run.json").read_bytes() == written
    original = lesson.prompts
    box = original.regions[0].model_copy(update={"box": (10, 20, 400, 150)})
    drawn = original.model_copy(update={"regions": [box, *original.regions[1:]]})
    drawn.save(lesson.prompts_path)
    try:
        other = go()
    finally:
        original.save(lesson.prompts_path)
    assert other.folder != made.folder
    assert other.complete
    assert made.complete
