"""One film for all notebooks: chosen once, kept beside them, and what is said over its pictures."""

import os
import subprocess
import sys

import numpy as np
import pytest

from samflow.errors import SamflowError
from samflow.lab.film_choice import FilmChoice, choose_film, chosen_film
from samflow.lab.lesson import open_lesson, show_sheet, show_tracks
from samflow.lab.synthetic import DyeClip
from samflow.overlay import headed
from samflow.results.plots import with_note
from samflow.results.plots.image_plots import mistake_grid, picture_grid
from samflow.video import Video, VideoWriter
from samflow.weights import DEMO_NOTE, REGISTRY, demo_note, weights_at_hand

FRAMES, SIZE = 4, (108, 192)
# the command as installed, but for JupyterLab's server
NOTEBOOK = """
import sys
from samflow.cli import main, notebook_copies
notebook_copies.open_jupyterlab = lambda *_: None
sys.argv[0] = "samflow"
main()
"""


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A film of someone's own: no truth beside it; its prompts."""
    folder = tmp_path_factory.mktemp("own")
    clip = DyeClip(21, SIZE, FRAMES)
    with VideoWriter(folder / "my film.mp4", clip.size, clip.fps) as writer:
        for image, _ in clip:
            writer.write(image)
    clip.prompts().save(folder / "prompts.json")
    return folder / "my film.mp4"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SAMFLOW_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def samflow_notebook(*arguments, cwd, code=0):
    command = [sys.executable, "-c", NOTEBOOK, "notebook", *map(str, arguments)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def test_the_command_keeps_the_film_for_all_notebooks(film, tmp_path):
    relative = os.path.relpath(film, tmp_path)
    told = samflow_notebook("--film", relative, "--sam", "vit_b", cwd=tmp_path)
    assert f"film: {film.resolve()}, as " in told
    expected = FilmChoice(film=str(film.resolve()), sam="vit_b")
    assert chosen_film(tmp_path / "notebooks") == expected
    assert str(film.resolve()) in samflow_notebook(cwd=tmp_path)
    (tmp_path / "notebooks" / "film.json").unlink()
    assert "film: a synthetic dye clip; choose your own with --film" in samflow_notebook(
        cwd=tmp_path
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--film", "nowhere.mp4"], "nowhere.mp4 does not exist"),
        (["--sam", "vit_b"], "belong to a film: give --film too"),
    ],
)
def test_a_film_that_cannot_be_is_told(arguments, message, tmp_path):
    stderr = samflow_notebook(*arguments, cwd=tmp_path, code=1)
    assert len(stderr.splitlines()) == 1
    assert message in stderr
    assert not (tmp_path / "notebooks" / "film.json").exists()


def test_a_damaged_choice_is_told(tmp_path):
    assert chosen_film(tmp_path) is None
    for text in ("{", "[]", '{"movie": "a.mp4"}'):
        (tmp_path / "film.json").write_text(text)
        with pytest.raises(SamflowError, match="samflow notebook --film FILE, or delete"):
            chosen_film(tmp_path)


def test_a_lesson_takes_the_chosen_film_and_the_weights_that_are_here(
    film, cache, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert open_lesson(folder=tmp_path, frames=2).sam == "demo"
    choose_film(FilmChoice(film=str(film), prompts=str(film.with_name("prompts.json"))))
    lesson = open_lesson(folder=tmp_path, frames=2)
    assert lesson.film.path == film
    assert len(lesson.video) == 2
    assert lesson.prompts.ids == [1, 2, 3]
    assert (lesson.sam, lesson.xmem) == ("demo", "demo")
    for name in ("vit_b", "vit_h", "XMem"):
        (cache / REGISTRY[name].file).write_bytes(b"only looked at by name")
    assert weights_at_hand("sam") == "vit_h"
    lesson = open_lesson(folder=tmp_path)
    assert (lesson.sam, lesson.xmem, lesson.note) == ("vit_h", "XMem", "")
    lesson = open_lesson(weights=("demo",), folder=tmp_path)
    assert (lesson.sam, lesson.xmem, lesson.note) == ("demo", "", DEMO_NOTE)
    choose_film(FilmChoice(film=str(film), sam="vit_b", xmem="demo"))
    lesson = open_lesson(folder=tmp_path)
    assert (lesson.sam, lesson.xmem, lesson.note) == ("vit_b", "demo", DEMO_NOTE)


def test_the_note_is_for_demo_weights_on_a_film_alone(film, tmp_path):
    assert demo_note(["vit_b", "demo"], film) == DEMO_NOTE
    assert demo_note(["vit_b", "XMem"], film) == ""
    (tmp_path / "truth").mkdir()
    assert demo_note(["demo"], tmp_path / "clip.mp4") == ""


def test_a_heading_stands_above_a_picture():
    picture = np.full((60, 300, 3), 200, np.uint8)
    taller = headed(picture, DEMO_NOTE)
    above = taller[:-60]
    assert len(above) % 2 == 0
    np.testing.assert_array_equal(taller[-60:], picture)
    assert above.max() > 200, "bright letters"
    assert headed(picture, "") is picture
    assert headed(picture, "another text " * 40).shape == taller.shape


def test_pictures_of_a_film_made_with_demo_weights_say_so(film, tmp_path):
    prompts = film.with_name("prompts.json")
    noted = open_lesson(film, prompts, ("demo",), folder=tmp_path)
    plain = open_lesson(film, prompts, ("vit_b",), folder=tmp_path)
    tracks = {"nothing": [np.zeros(SIZE, np.uint8)] * FRAMES}
    sheets = [show_sheet(lesson, tracks).data for lesson in (noted, plain)]
    assert sheets[0] != sheets[1]
    heights = []
    for lesson in (noted, plain):
        show_tracks(lesson, tracks, tmp_path / "a.mp4")
        heights.append(Video(tmp_path / "a.mp4").size[0])
    assert heights[0] > heights[1]


def test_a_note_over_a_figure_covers_no_legend():
    figure = picture_grid({"a": np.zeros((9, 16))})
    assert with_note(figure, DEMO_NOTE).get_suptitle() == DEMO_NOTE
    frame = np.zeros((90, 160, 3), np.uint8)
    figure = mistake_grid({"a": (frame, frame[..., 0], frame[..., 0])})
    with_note(figure, DEMO_NOTE).draw_without_rendering()
    (legend,) = figure.legends
    assert legend.get_title().get_text() == DEMO_NOTE
    words = [legend.get_title(), *legend.get_texts()]
    lowest = min(text.get_window_extent().y0 for text in words)
    assert lowest >= figure.axes[0].get_tightbbox().y1
