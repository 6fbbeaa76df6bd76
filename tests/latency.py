"""Time from a click on the prompt widget to its masks on the canvas, without the model's own time.

Run it with `python -m tests.latency`. A real JupyterLab in a real Chromium shows a frame of
1280x720 px. The stand-in for SAM answers at once with logits that the demo weights gave for the
frame, shifted a little at every click: filling holes, merging, the picture of the masks and the
way to the page and back are what a user waits for. Clicks are those of a hand: the pointer arrives,
presses, and lets go; the time runs from there, when the edit is made.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from browser import (
    Prompts,
    browser,
    jupyter,
    new_page,
    open_notebook,
    run_all_cells,
    write_notebook,
)

WIDGET = """
import numpy as np
from samflow import DyeClip, PromptWidget, load_sam
clip = DyeClip(seed=3, size=(720, 1280), frames=1)
image, _ = next(iter(clip))
prompts = clip.prompts()
sam = load_sam("demo", "cpu")
logits = np.pad(sam.predict_regions(sam.embed(image), prompts), [(0, 0)] * 3 + [(0, 64)], "edge")
# an array of its own for each answer, as a model gives
shifts = [8 * (i % 8) for i in range(ANSWERS)]
answers = [logits[..., shift : shift + 1280].copy() for shift in shifts]

class Instant:
    name, mask_threshold, device = "instant", sam.mask_threshold, sam.device
    def embed(self, image):
        return image
    def predict_regions(self, *_):
        return answers.pop()

widget = PromptWidget(image, Instant(), prompts)
widget.use_points = True
widget
"""
# from the pointer's arrival to the press, and from there to the release, ms
HAND_MS = 80
# milliseconds from the release of the button to the masks on the canvas, and to the next frame
# that the browser puts on the screen
STOPWATCH = """() => {
    const canvas = document.querySelector('[data-testid="samflow-canvas"]');
    window.times = [];
    let released = 0;
    canvas.addEventListener("pointerup", (event) => (released = event.timeStamp), true);
    new MutationObserver(() => {
        if (!released || canvas.dataset.shown !== canvas.dataset.seq) return;
        const [start, drawn] = [released, performance.now()];
        released = 0;
        requestAnimationFrame(() => window.times.push([drawn - start, performance.now() - start]));
    }).observe(canvas, { attributes: true, attributeFilter: ["data-shown"] });
}"""


def measure(clicks: int) -> np.ndarray:
    """Times of clicks, ms: (clicks, 2), until drawn and until on the screen."""
    with tempfile.TemporaryDirectory() as folder:
        cell = WIDGET.replace("ANSWERS", str(clicks + 10))
        write_notebook(Path(folder) / "widget.ipynb", cell)
        with jupyter(Path(folder), Path(folder)) as address, browser() as chrome:
            page = new_page(chrome)
            open_notebook(page, address, "widget.ipynb")
            run_all_cells(page)
            prompts = Prompts(page)
            prompts.tool("foreground")
            prompts.click(1000, 60)
            prompts.settle()
            page.evaluate(STOPWATCH)
            for i in range(clicks):
                x, y = 40 + 1200 * (i % 8) // 8, 40 + 640 * (i // 8 % 8) // 8
                page.mouse.move(*prompts.place(x, y))
                page.wait_for_timeout(HAND_MS)
                page.mouse.down()
                page.wait_for_timeout(HAND_MS)
                page.mouse.up()
                page.wait_for_function(f"() => window.times.length === {i + 1}")
                page.wait_for_timeout(60)
            return np.array(page.evaluate("() => window.times"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clicks", type=int, default=40, help="at least 30 for a fair p95")
    times = measure(parser.parse_args().clicks)
    print(f"click to masks at 1280x720, {len(times)} clicks, without the model:")
    for name, column in zip(("drawn", "on the screen"), times.T, strict=True):
        median, p95 = np.percentile(column, [50, 95])
        print(f"  {name:14} median {median:5.1f} ms   p95 {p95:5.1f} ms")
    if hasattr(os, "getloadavg"):
        print(f"  load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
