"""The mending widget: fed with the messages that its page sends, and in JupyterLab in Chromium."""

import numpy as np
import pytest

from browser import (
    PATIENCE_S,
    browser,
    chromium,
    jupyter,
    new_page,
    open_notebook,
    run_all_cells,
    write_notebook,
)
from models import save_models
from samflow.lab.demo_run import write_dye_clip
from samflow.lab.synthetic import DyeClip
from samflow.maskio import read_label_map
from samflow.runs import Run, RunOptions, run
from samflow.widget import MendWidget

SIZE, FRAMES = (90, 160), 8


@pytest.fixture
def finished(tmp_path):
    """A run of two baselines."""
    prompts = write_dye_clip(tmp_path / "clip", DyeClip(seed=5, size=SIZE, frames=FRAMES))
    sam, xmem = save_models(tmp_path)
    options = RunOptions(("flow", "nearest-colour"), str(sam), str(xmem), "cpu")
    return run(tmp_path / "clip" / "clip.mp4", prompts, tmp_path / "run", options)


def tell(widget, kind, frame, buffers=(), strategy="flow"):
    widget._receive(widget, {"kind": kind, "frame": frame, "strategy": strategy}, list(buffers))


def test_painting_and_carrying_on_corrects_the_run(finished):
    widget = MendWidget(finished)
    before = np.stack(list(finished.track("flow")))
    tell(widget, "show", 4)
    np.testing.assert_array_equal(widget.labels, before[4])
    painted = before[4].copy()
    painted[:20] = 2
    tell(widget, "paint", 4, [painted.tobytes()])
    tell(widget, "show", 6, strategy="nearest-colour")
    tell(widget, "show", 4)  # what is painted stays
    np.testing.assert_array_equal(widget.labels, painted)
    told = []
    widget.observe(lambda change: told.append(change["new"]["text"]), "_status")
    tell(widget, "mend", 4)
    assert widget._status["kind"] == "ready", widget._status
    assert "Carrying on from frame 4: 3 of 8 frames" in told
    assert widget._timeline["corrected"] == [4]
    np.testing.assert_array_equal(Run(finished.folder).track("flow")[4], painted)
    tell(widget, "show", 5)
    old = np.frombuffer(widget._old, np.uint8).reshape(SIZE)
    np.testing.assert_array_equal(old, before[5])
    assert (widget.labels != old).any()
    tell(widget, "take_back", 4)
    np.testing.assert_array_equal(np.stack(list(widget.run.track("flow"))), before)


def test_the_timeline_has_drift_and_suggestions(finished):
    widget = MendWidget(finished.folder)
    assert set(widget._timeline["drift"]) == {"flow", "nearest-colour"}
    assert all(len(values) == FRAMES for values in widget._timeline["drift"].values())
    tell(widget, "suggest", 0)
    assert len(widget._timeline["suggested"]) == 3
    assert str(widget._timeline["suggested"][0]) in widget._status["text"]


def test_what_goes_wrong_is_told_and_loses_nothing(finished):
    widget = MendWidget(finished)
    painted = np.ones(SIZE, np.uint8)
    tell(widget, "paint", 3, [painted.tobytes()])
    for message, text in [
        (("show", 99), "there is no frame 99"),
        (("paint", 3, [b"xx"]), "sent 2 pixels"),
        (("other", 0), "unknown message"),
        (("take_back", 2), "no correction to take back"),
    ]:
        tell(widget, *message)
        assert widget._status["kind"] == "error"
        assert text in widget._status["text"]
    tell(widget, "show", 3)
    np.testing.assert_array_equal(widget.labels, painted)


@pytest.mark.browser
@pytest.mark.timeout(4 * PATIENCE_S)
def test_mending_by_mouse_and_by_keyboard(finished, tmp_path):
    chromium()
    write_notebook(tmp_path / "mend.ipynb", 'from samflow import MendWidget\nMendWidget("run")')
    (tmp_path / "home").mkdir()
    corrections = finished.folder / "corrections"
    with jupyter(tmp_path, tmp_path / "home") as address, browser() as running:
        page = new_page(running)
        open_notebook(page, address, "mend.ipynb")
        run_all_cells(page)
        canvas = page.get_by_test_id("samflow-mend")

        def wait(name, value):
            page.wait_for_selector(f'[data-testid="samflow-mend"][data-{name}="{value}"]')

        wait("ready", "1")
        # by mouse: click the frame on the timeline, paint a stroke, carry on
        timeline = page.get_by_test_id("samflow-timeline")
        timeline.scroll_into_view_if_needed()
        width = timeline.bounding_box()["width"]
        timeline.click(position={"x": 8 + 5 / 7 * (width - 16), "y": 30})
        wait("frame", "5")
        page.get_by_label("Region to paint").select_option("2")
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        scale = box["width"] / SIZE[1]
        page.mouse.move(box["x"] + 40 * scale, box["y"] + 10 * scale)
        page.mouse.down()
        page.mouse.move(box["x"] + 120 * scale, box["y"] + 10 * scale, steps=5)
        page.mouse.up()
        wait("strokes", "1")
        page.get_by_test_id("samflow-carry-on").click()
        page.wait_for_selector('.sf-mend .sf-status:has-text("Corrected frames: 5")')
        given = read_label_map(corrections / "00005.png")
        assert (given[8:13, 40:120] == 2).all()
        assert (Run(finished.folder).track("flow")[5][8:13, 40:120] == 2).all()
        assert page.get_by_test_id("samflow-before").is_visible()
        # by keyboard: another frame, the eraser in the middle of the picture, carry on
        canvas.focus()
        page.keyboard.press("PageUp")
        wait("frame", "4")
        page.keyboard.press("PageUp")
        wait("frame", "3")
        page.keyboard.press("e")
        page.keyboard.press("]")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        wait("strokes", "2")
        for key in ("d", "d", "x"):  # JupyterLab's keys for deleting the cell
            page.keyboard.press(key)
        page.get_by_test_id("samflow-carry-on").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector('.sf-mend .sf-status:has-text("Corrected frames: 3, 5")')
        erased = read_label_map(corrections / "00003.png")
        results = Run(finished.folder).track("flow")[3]
        assert not results[43:48, 79:84].any()
        assert erased.shape == SIZE
        page.get_by_test_id("samflow-take-back").click()
        page.wait_for_selector('.sf-mend .sf-status:has-text("Corrected frames: 5")')
        page.get_by_test_id("samflow-suggest").click()
        page.wait_for_selector('.sf-mend .sf-status:has-text("next, the first first")')
        page.screenshot(path=tmp_path / "mend.png")
        assert page.strangers == []
    assert set(Run(finished.folder).correction_files) == {5}
