"""Pictures of the widgets for README.md, taken in a real JupyterLab: `python -m tests.screenshots`.

The demo clip, its prompts and the demo weights; light theme; cropped to the widget.
"""

import argparse
import io
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from browser import Prompts, browser, jupyter, new_page, open_notebook, run_and_wait, write_notebook

IMAGES = Path(__file__).parents[1] / "notebooks" / "images"
FRAMES = 12
SETUP = f"""
from pathlib import Path
from samflow import DyeClip, PromptWidget, RunOptions, Video, load_sam
from samflow.lab.demo_run import DEMO_SEED, write_dye_clip
from samflow.maskio import Track
from samflow.runs import run
from samflow.results.scoring import score
from samflow.widget import CompareWidget
prompts = write_dye_clip(Path("dye"), DyeClip(DEMO_SEED, frames={FRAMES}))
sam = load_sam("demo", "cpu")
"""
WIDGET = "PromptWidget('dye/clip.mp4', sam, path='dye/prompts.json')"
COMPARE = """
done = run("dye/clip.mp4", prompts, "run", RunOptions(sam="demo", xmem="demo", device="cpu"))
score(done, Track("dye/truth"))
CompareWidget("run")
"""


def take(element: Any, path: Path) -> None:
    """Save the picture of an element with at most 256 colours, which is sharp and small."""
    picture = Image.open(io.BytesIO(element.screenshot())).convert("RGB")
    path.parent.mkdir(parents=True, exist_ok=True)
    # an octree keeps the few pixels of a thin line in their own colour
    picture = picture.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.FLOYDSTEINBERG)
    picture.save(path, optimize=True)


def open_widget(page: Any, address: str, name: str) -> None:
    """Run a notebook with one widget, and leave nothing beside it in view."""
    open_notebook(page, address, name)
    page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    run_and_wait(page)


def main() -> None:
    """Take both pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=IMAGES)
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_notebook(folder / "widget.ipynb", SETUP, WIDGET)
        write_notebook(folder / "compare.ipynb", SETUP, COMPARE)
        with jupyter(folder, folder) as address, browser() as chrome:
            page = new_page(chrome)
            open_widget(page, address, "widget.ipynb")
            widget = Prompts(page)
            page.wait_for_selector('[data-testid="samflow-canvas"]:not([data-overlay="0"])')
            widget.click(240, 75)  # chooses the upper dye's box
            page.mouse.move(0, 0)  # no guide lines
            take(page.get_by_test_id("samflow-prompt"), out / "widget.png")
            open_widget(page, address, "compare.ipynb")
            page.wait_for_selector('[data-testid="samflow-compare"][data-ready="1"]')
            page.get_by_label("Strategy on the right").select_option("refined")
            page.get_by_test_id("samflow-time").focus()
            page.keyboard.press("End")
            page.wait_for_selector(f'[data-testid="samflow-compare"][data-frame="{FRAMES - 1}"]')
            page.evaluate("() => document.activeElement.blur()")
            take(page.locator(".sf-compare"), out / "compare.png")


if __name__ == "__main__":
    main()
