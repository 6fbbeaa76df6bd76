"""Notebook 02 from its first cell to its last as a user goes through it, in JupyterLab."""

import json

import numpy as np
import pytest

from browser import (
    PATIENCE_S,
    browser,
    chromium,
    jupyter,
    new_page,
    open_notebook,
    outputs,
    run_and_wait,
)
from browser import Prompts as Widget
from samflow.cli.notebook_copies import copy_notebooks
from samflow.masks import fill_holes
from samflow.prompts import Prompts
from samflow.sam import load_sam
from samflow.video import Video

pytestmark = [pytest.mark.browser, pytest.mark.timeout(4 * PATIENCE_S)]
NAME = "02_prompt_the_first_frame.ipynb"


@pytest.fixture
def page(tmp_path):
    chromium()
    copy_notebooks(tmp_path / "mine")
    with jupyter(tmp_path / "mine", tmp_path) as address, browser() as chrome:
        page = new_page(chrome)
        open_notebook(page, address, NAME)
        yield page
        assert page.strangers == [], "requests to other machines"


def printed(page):
    """Text of each cell, tables included."""
    texts = []
    for cell in outputs(page):
        assert all(output["output_type"] != "error" for output in cell), cell
        parts = [output.get("text") or output["data"].get("text/plain", "") for output in cell]
        texts.append("".join("".join(part) for part in parts))
    return texts


def pictures(page):
    """JPEG of each figure."""
    found = [output.get("data", {}).get("image/jpeg") for cell in outputs(page) for output in cell]
    return [picture for picture in found if picture]


def expected_holes(path):
    """What the notebook prints about holes, computed from the saved prompts."""
    prompts, image = Prompts.load(path), Video(path.with_name("clip.mp4"))[0]
    sam = load_sam("demo", "cpu")
    logits = sam.predict_regions(sam.embed(image), prompts)
    filled = fill_holes(logits, sam.mask_threshold)
    counts = ((logits <= sam.mask_threshold) & (filled > sam.mask_threshold)).sum(axis=(1, 2, 3))
    lines = zip(prompts.regions, counts, strict=True)
    return "".join(f"{region.name}: {count} px lie in holes\n" for region, count in lines)


def test_what_is_drawn_is_what_the_later_cells_show(page, tmp_path):
    run_and_wait(page)
    path = next((tmp_path / "mine" / "data").glob("*/prompts.json"))
    drawn_before = path.read_text(encoding="utf-8")
    names = [region["name"] for region in json.loads(drawn_before)["regions"]]
    assert expected_holes(path) in printed(page)
    shown_before = pictures(page)
    widget = Widget(page)
    page.wait_for_selector('[data-testid="samflow-canvas"]:not([data-overlay="0"])')
    masks_before = widget.pixels()

    # by mouse: a name, a box moved and resized, a background point
    page.get_by_label("Name of region 1").fill("ink")
    page.get_by_label("Name of region 1").press("Enter")
    x0, y0, x1, y1 = json.loads(drawn_before)["regions"][0]["box"]
    middle = ((x0 + x1) / 2, (y0 + y1) / 2)
    widget.drag(middle, (middle[0] + 30, middle[1] + 20))
    widget.settle()
    box = Prompts.load(path).regions[0].box
    assert (box[2] - box[0], box[3] - box[1]) == (x1 - x0, y1 - y0)
    assert box[1] == pytest.approx(y0 + 20, abs=1)
    widget.drag((box[2] - 2, box[3] - 2), (box[2] - 150, box[3] - 30))  # by its corner
    widget.click(20, 10, button="right")
    widget.settle()
    region = Prompts.load(path).regions[0]
    assert region.name == "ink"
    assert np.abs(np.subtract(region.box, (*box[:2], box[2] - 150, box[3] - 30))).max() <= 2
    assert region.points[-1] == pytest.approx((20, 10), abs=1)
    assert region.point_labels[-1] == 0
    assert widget.pixels() != masks_before, "other masks for another box"

    # by keyboard: the second region's box, drawn anew from corner to corner
    cells_before = page.locator(".jp-Notebook .jp-Cell").count()
    page.keyboard.press("2")
    page.keyboard.press("b")
    page.keyboard.press("Escape")
    for key in ["ArrowLeft", "Enter", *["ArrowRight"] * 12, *["ArrowDown"] * 6, "Enter"]:
        page.keyboard.press(key)
    widget.settle()
    height, width = Video(path.with_name("clip.mp4")).size
    step = round(width / 64)
    x, y = width // 2 - step, height // 2
    corner = (x + 12 * step + 1, y + 6 * step + 1)
    assert Prompts.load(path).regions[1].box == (x, y, *corner)
    for key in ["d", "d", "x", "Shift+Enter"]:
        page.keyboard.press(key)
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells_before

    # what the kernel wrote is what the later cells show
    widget.settle()
    page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 4 }")
    run_and_wait(page, "run-all-below")
    texts = printed(page)
    holes = expected_holes(path)
    assert holes.startswith("ink: ")
    assert holes in texts
    table = next(text for text in texts if "boxes + background points" in text)
    assert table.split("\n")[0].split() == " ".join(["ink", *names[1:]]).split()
    shown = pictures(page)
    assert len(shown) == len(shown_before)
    assert sum(a != b for a, b in zip(shown, shown_before, strict=True)) == len(shown)

    # points change the masks on the canvas, and nothing in the file
    drawn, boxes_only = path.read_text(encoding="utf-8"), widget.pixels()
    number = widget.data("overlay")
    page.get_by_test_id("samflow-points").check()
    page.wait_for_selector(f'[data-testid="samflow-canvas"]:not([data-overlay="{number}"])')
    assert widget.pixels() != boxes_only
    assert path.read_text(encoding="utf-8") == drawn

    while page.get_by_test_id("samflow-undo").is_enabled():
        page.get_by_test_id("samflow-undo").click()
        widget.settle()
    assert json.loads(path.read_text(encoding="utf-8")) == json.loads(drawn_before)
