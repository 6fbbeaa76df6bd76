"""The notebooks as files; `.ci/run` executes them."""

import json
import re
from pathlib import Path

import pytest

from freeze_notebooks import WIDGET, freeze

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
NAMES = [
    "01_get_the_film",
    "02_prompt_the_first_frame",
    "03_propagate_with_xmem",
    "04_mask_prompts_in_sam",
    "05_propagate_with_sam",
    "06_refine_with_sam",
    "07_compare",
    "08_measure_the_flow",
    "09_mend_the_drift",
    "10_other_models",
    "11_many_films",
]


def test_the_notebooks_are_all_there():
    assert [path.stem for path in NOTEBOOKS] == NAMES


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_fit_to_be_read(path):
    assert path.stat().st_size < 500_000
    notebook = json.loads(path.read_text(encoding="utf-8"))
    # GitHub shows "Invalid Notebook" for widget metadata without state
    assert "widgets" not in notebook["metadata"]
    first, second = notebook["cells"][:2]
    assert first["cell_type"] == "markdown"
    text = "".join(first["source"])
    assert re.search(r"\?\*\* About \d+ s on a CPU", text), "question and time come first"
    assert first["source"][0].startswith(f"# {int(path.name[:2])} ·")
    assert second["cell_type"] == "code"
    assert "import" not in "".join(second["source"]), "the second cell holds the parameters alone"
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        assert len(cell["source"]) <= 15
        assert all(output["output_type"] != "error" for output in cell["outputs"])
        assert not any(WIDGET in output.get("data", {}) for output in cell["outputs"])
    run = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in run] == list(range(1, len(run) + 1))


def test_what_dies_with_the_kernel_is_taken_out(tmp_path):
    def shown(text, **data):
        return {"output_type": "display_data", "metadata": {}, "data": {"text/plain": text, **data}}

    widget = {WIDGET: {"model_id": "f00"}}
    outputs = [
        shown("  3%|2  | 1/30", **widget),
        shown("PromptWidget(frame 0)", **widget),
        shown("30%|", **{"image/png": "cGl4ZWxz"}),
        {"output_type": "stream", "name": "stdout", "text": ["10%| of it\n"]},
    ]
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["text ·"]},
        {"cell_type": "code", "metadata": {}, "source": [], "outputs": outputs},
    ]
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {"kernelspec": {}}}), encoding="utf-8")
    freeze(path)
    frozen = json.loads(path.read_text(encoding="utf-8"))
    assert frozen["cells"][1]["outputs"] == [shown("PromptWidget(frame 0)"), *outputs[2:]]
    assert frozen["cells"][0] == cells[0]
    before = path.read_bytes()
    freeze(path)
    assert path.read_bytes() == before
