"""The prompt widget as a user meets it: JupyterLab and Notebook 7 in Chromium."""

import json
import re

import numpy as np
import pytest

from browser import (
    PATIENCE_S,
    Prompts,
    browser,
    chromium,
    jupyter,
    new_page,
    open_notebook,
    run_all_cells,
    run_and_wait,
    wait_for_kernel,
    write_notebook,
)
from samflow.lab.synthetic import DyeClip
from samflow.maskio import write_label_map
from samflow.video import VideoWriter

pytestmark = [pytest.mark.browser, pytest.mark.timeout(4 * PATIENCE_S)]

H, W = 180, 320
SETUP = """
from models import small_sam
from samflow.overlay import show_video
from samflow.sam import Sam
from samflow.widget import PromptWidget
sam = Sam(small_sam(), "cpu", "small")
"""
CLEAN = """
from pathlib import Path
for old in Path(".").glob("prompts*.json"):
    old.unlink()
"""
WIDGET = """
widget = PromptWidget("clip.mp4", sam, path="prompts.json")
widget
"""
# a model that takes its time, and tells how often it was asked
SLOW = """
import time
class SlowSam:
    name, mask_threshold, asked = "slow", 0.0, 0
    device = sam.device
    def embed(self, image):
        return sam.embed(image)
    def predict_regions(self, *arguments):
        self.asked += 1
        time.sleep(0.3)
        return sam.predict_regions(*arguments)
slow = SlowSam()
widget = PromptWidget("clip.mp4", slow, path="prompts.json")
widget.use_points = True
widget
"""
COMPARE = """
from samflow.maskio import Track
from samflow.video import Video
from samflow.widget import TrackViewer
tracks = {name: Track(name) for name in ("truth", "late")}
scores = {"truth": dict.fromkeys(range(30), 1.0), "late": {i: 1 - i / 40 for i in range(30)}}
TrackViewer(Video("clip.mp4"), tracks, scores=scores)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    chromium()
    folder = tmp_path_factory.mktemp("notebooks")
    with VideoWriter(folder / "clip.mp4", size=(H, W), fps=25) as writer:
        for index, (image, labels) in enumerate(DyeClip(seed=3, size=(H, W), frames=30)):
            writer.write(image)
            write_label_map(folder / "truth" / f"{index:05d}.png", labels)
            write_label_map(folder / "late" / f"{index:05d}.png", np.roll(labels, -20, axis=1))
    write_notebook(folder / "widget.ipynb", SETUP, CLEAN + WIDGET)
    write_notebook(folder / "compare.ipynb", COMPARE)
    write_notebook(folder / "slow.ipynb", SETUP, CLEAN + SLOW, 'show_video("clip.mp4")')
    return folder


@pytest.fixture(scope="module")
def chrome():
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def lab(folder, chrome, tmp_path_factory):
    with jupyter(folder, tmp_path_factory.mktemp("lab")) as address:
        page = new_page(chrome)
        open_notebook(page, address, "widget.ipynb")
        page.address = address
        yield page
        assert page.strangers == [], "requests to other machines"


@pytest.fixture
def prompts(lab):
    """A fresh widget in the notebook."""
    if "/widget.ipynb" not in lab.url:
        open_notebook(lab, lab.address, "widget.ipynb")
    # the widget of the test before is not to be mistaken for the fresh one
    lab.evaluate("() => document.querySelectorAll('.sf-prompt').forEach((old) => old.remove())")
    run_all_cells(lab)
    return Prompts(lab)


def saved(folder):
    return json.loads((folder / "prompts.json").read_text(encoding="utf-8"))


def near(box, expected, slack=1.5):
    return all(abs(a - b) <= slack for a, b in zip(box, expected, strict=True))


def cells(page):
    return page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.model.toJSON().cells.map((c) => c.source)"
    )


def test_mouse(prompts, folder):
    bare = prompts.pixels()
    prompts.drag((30, 20), (200, 80))
    prompts.settle()
    assert near(saved(folder)["regions"][0]["box"], (30, 20, 200, 80))
    masks = prompts.pixels()
    assert masks != bare, "the masks are drawn over the frame"
    prompts.page.get_by_test_id("samflow-masks").click()
    assert prompts.pixels() == bare
    prompts.page.get_by_test_id("samflow-masks").click()
    assert prompts.pixels() == masks

    prompts.drag((100, 50), (120, 60))  # from inside: moves
    prompts.drag((220, 90), (240, 120))  # by its corner: resizes
    prompts.tool("foreground")
    prompts.click(60, 40)
    prompts.click(150, 150, button="right")
    prompts.tool("shared")
    prompts.click(300, 10)
    prompts.settle()
    region = saved(folder)["regions"][0]
    assert near(region["box"], (50, 30, 240, 120), slack=2.5)
    assert near(region["points"][0], (60, 40))
    assert near(region["points"][1], (150, 150))
    assert region["point_labels"] == [1, 0]
    assert near(saved(folder)["background_points"][0], (300, 10))

    drawn = saved(folder)
    for _ in range(6):
        prompts.page.get_by_test_id("samflow-undo").click()
    prompts.settle()
    assert saved(folder)["regions"][0]["box"] is None
    assert prompts.page.get_by_test_id("samflow-undo").is_disabled()
    for _ in range(6):
        prompts.page.get_by_test_id("samflow-redo").click()
    prompts.settle()
    assert saved(folder) == drawn

    prompts.click(60, 40)  # chooses the point that is there
    prompts.page.get_by_test_id("samflow-delete").click()
    prompts.settle()
    assert saved(folder)["regions"][0]["point_labels"] == [0]
    prompts.page.get_by_test_id("samflow-points").click()
    prompts.page.get_by_test_id("samflow-clear").click()
    prompts.settle()
    assert saved(folder)["regions"][0]["points"] == []
    assert prompts.pixels() == bare


def test_a_ruler_by_mouse_and_by_keys(prompts, folder):
    page, length = prompts.page, prompts.page.get_by_test_id("samflow-ruler")
    prompts.drag((30, 20), (200, 80))
    prompts.tool("ruler")
    assert length.is_disabled(), "there is nothing to measure yet"
    prompts.click(40, 100)
    prompts.click(240, 100)
    page.keyboard.type("50")
    page.keyboard.press("Enter")
    prompts.settle()
    (xa, ya), (xb, yb) = saved(folder)["ruler"]
    assert near((xa, ya, xb, yb), (40, 100, 240, 100))
    assert saved(folder)["mm_per_px"] == pytest.approx(50 / np.hypot(xb - xa, yb - ya))
    length.fill("100")  # the same ruler, another length
    length.press("Enter")
    prompts.settle()
    assert saved(folder)["mm_per_px"] == pytest.approx(100 / np.hypot(xb - xa, yb - ya))
    prompts.drag((60, 150), (60, 50))  # from end to end
    page.keyboard.type("25")
    page.keyboard.press("Enter")
    prompts.settle()
    assert near(np.ravel(saved(folder)["ruler"]), (60, 150, 60, 50))

    page.keyboard.press("Delete")
    prompts.settle()
    assert "ruler" not in saved(folder)
    assert saved(folder)["regions"][0]["box"] is not None
    for key in ["r", "ArrowRight", "Enter", *["ArrowRight"] * 4, "Enter"]:
        page.keyboard.press(key)
    page.keyboard.type("10")
    page.keyboard.press("Enter")
    prompts.settle()
    assert saved(folder)["mm_per_px"] == pytest.approx(10 / (4 * round(W / 64)))
    page.keyboard.press("Control+z")
    prompts.settle()
    assert "mm_per_px" not in saved(folder)


def test_regions(prompts, folder):
    page = prompts.page
    prompts.drag((30, 20), (200, 80))
    page.get_by_test_id("samflow-add-region").click()
    prompts.drag((30, 100), (290, 170))
    name = page.get_by_label("Name of region 2")
    name.fill("lower dye")
    name.press("Enter")
    page.get_by_label("lower dye is background").check()
    page.get_by_label("Move lower dye up").focus()
    page.keyboard.press("Enter")
    prompts.settle()
    regions = saved(folder)["regions"]
    assert [region["name"] for region in regions] == ["lower dye", "region 1"]
    assert [region["background"] for region in regions] == [True, False]
    assert near(regions[0]["box"], (30, 100, 290, 170))
    focus = page.evaluate("() => document.activeElement.getAttribute('aria-label')")
    assert focus == "Move lower dye down", "it can't go further up, so the focus is next to that"
    page.get_by_label("Remove region 1").click()
    prompts.settle()
    assert [region["id"] for region in saved(folder)["regions"]] == [2]


def test_keyboard_alone(prompts, folder):
    page = prompts.page
    before = cells(page)
    prompts.canvas.focus()
    for key in ["ArrowRight", "Enter", *["ArrowRight"] * 3, *["Shift+ArrowDown"] * 9, "Enter"]:
        page.keyboard.press(key)
    prompts.settle()
    step = round(W / 64)
    x, y = W // 2 + step, H // 2
    assert saved(folder)["regions"][0]["box"] == [x, y, x + 3 * step + 1, y + 10]
    for key in ["f", "Enter", "ArrowUp", "g", "Enter", "h", "ArrowUp", "Enter"]:
        page.keyboard.press(key)
    prompts.settle()
    assert saved(folder)["regions"][0]["point_labels"] == [1, 0]
    assert saved(folder)["background_points"] == [[x + 3 * step, y + 9 - 2 * step]]
    for key in ["]", "]", "Shift+ArrowLeft", "Control+z", "Control+Shift+z", "]", "Delete"]:
        page.keyboard.press(key)
    prompts.settle()
    region = saved(folder)["regions"][0]
    assert region["points"] == [[x + 3 * step - 1, y + 9]]
    # what JupyterLab does with these keys in command mode: cut, delete, insert, change, run
    for key in ["d", "d", "x", "b", "a", "m", "c", "v", "z", "Shift+Enter", "Escape"]:
        page.keyboard.press(key)
    page.get_by_label("Name of region 1").focus()
    page.keyboard.press("Escape")
    for label in ["Undo (Ctrl+Z)", "Frame number", "Opacity of the masks"]:
        page.get_by_label(label).focus()
        for key in ["d", "d", "x", "b"]:
            page.keyboard.press(key)
    assert cells(page) == before


def test_frames_zoom_and_reload(prompts, folder):
    page = prompts.page
    prompts.drag((30, 20), (200, 80))
    page.get_by_test_id("samflow-frame").fill("12")
    page.keyboard.press("Enter")
    prompts.wait("frame", "12")
    prompts.drag((40, 30), (210, 90))
    prompts.settle()
    assert saved(folder)["frame"]["index"] == 12
    assert near(saved(folder)["regions"][0]["box"], (40, 30, 210, 90))
    first = json.loads((folder / "prompts-frame-00000.json").read_text(encoding="utf-8"))
    assert near(first["regions"][0]["box"], (30, 20, 200, 80))

    prompts.canvas.focus()
    for _ in range(4):
        page.keyboard.press("+")
    prompts.tool("foreground")
    prompts.click(W // 2, H // 2)  # the middle stays in the middle
    prompts.settle()
    assert float(prompts.data("zoom")) == pytest.approx(1.5**4)
    assert near(saved(folder)["regions"][0]["points"][0], (W // 2, H // 2))

    page.evaluate("async () => { await window.jupyterapp.commands.execute('docmanager:save') }")
    drawn = saved(folder)
    page.reload()
    wait_for_kernel(page)
    restored = Prompts(page)
    restored.wait("frame", "12")
    restored.settle()
    assert page.get_by_label(re.compile("Draw region 1")).inner_text() == "box  ·  1 +"
    page.get_by_test_id("samflow-undo").click()
    restored.settle()
    assert saved(folder)["regions"][0]["points"] == []
    page.get_by_test_id("samflow-redo").click()
    restored.settle()
    assert saved(folder) == drawn


def test_no_click_is_lost_while_the_model_works_and_the_video_plays(lab, folder):
    open_notebook(lab, lab.address, "slow.ipynb")
    # what the cells show moves the page until they have all run
    run_and_wait(lab)
    prompts = Prompts(lab)
    video = "document.querySelector('.jp-OutputArea video')"
    lab.wait_for_function(f"() => {video}?.videoWidth > 0 && {video}.readyState >= 2")
    lab.evaluate(f"() => {video}.play()")
    lab.wait_for_function(f"() => {video}.currentTime > 0")
    prompts.tool("foreground")
    for i in range(15):
        prompts.click(20 + 19 * i, 60 + 3 * i)
    prompts.settle()
    points = saved(folder)["regions"][0]["points"]
    assert len(points) == 15
    assert all(near(point, (20 + 19 * i, 60 + 3 * i)) for i, point in enumerate(points))
    for _ in range(15):
        lab.keyboard.press("Control+z")
    prompts.settle()
    assert saved(folder)["regions"][0]["points"] == []


def test_wipe_between_two_tracks(lab):
    open_notebook(lab, lab.address, "compare.ipynb")
    run_all_cells(lab)
    ready = '[data-testid="samflow-compare"][data-ready="1"]'
    lab.wait_for_selector(ready)

    def half(side):
        return lab.eval_on_selector(
            ready,
            """(canvas, side) => [...canvas.getContext("2d").getImageData(
                side * canvas.width / 2, 0, canvas.width / 2, canvas.height).data]""",
            side,
        )

    both = [half(0), half(1)]
    wipe = lab.get_by_test_id("samflow-wipe")
    wipe.focus()
    wipe.press("End")
    assert half(0) == both[0]
    assert half(1) != both[1], "all of the frame shows the left track"
    wipe.press("Home")
    assert half(0) != both[0]
    assert half(1) == both[1]
    lab.get_by_label("Strategy on the left").select_option("late")
    lab.get_by_label("Strategy on the right").select_option("late")
    slider = lab.get_by_test_id("samflow-time")
    slider.focus()
    slider.press("End")
    lab.wait_for_selector(ready + '[data-frame="29"]')
    assert "late  0.275" in lab.inner_text(".sf-legend")
    # the score plot below has its frames where the slider has them
    plot = lab.locator(".sf-plot")
    track, ground = slider.bounding_box(), plot.bounding_box()
    middle = track["x"] + 8 + (track["width"] - 16) * 15 / 29
    plot.click(position={"x": middle - ground["x"], "y": 50})
    lab.wait_for_selector(ready + '[data-frame="15"]')
    before = half(1)
    lab.get_by_label("Masks shown or hidden").click()
    assert half(1) != before
    lab.get_by_label("Play").click()
    lab.wait_for_selector(ready + ':not([data-frame="15"])')
    lab.get_by_label("Play").click()


def test_notebook_7(folder, chrome, tmp_path):
    with jupyter(folder, tmp_path, "notebook") as address:
        page = new_page(chrome)
        open_notebook(page, address, "widget.ipynb")
        run_all_cells(page)
        prompts = Prompts(page)
        bare = prompts.pixels()
        before = cells(page)
        prompts.drag((30, 20), (200, 80))
        for key in ["d", "d", "x", "b"]:
            page.keyboard.press(key)
        prompts.settle()
        assert near(saved(folder)["regions"][0]["box"], (30, 20, 200, 80))
        assert prompts.pixels() != bare
        assert cells(page) == before
        assert page.strangers == []
