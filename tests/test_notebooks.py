"""The notebooks as files; `.ci/run` executes them."""

import json
import re
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def test_there_are_notebooks_in_order():
    numbers = [int(path.name[:2]) for path in NOTEBOOKS]
    assert numbers
    assert numbers == sorted(set(numbers))


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
    assert second["cell_type"] == "code"
    assert "import" not in "".join(second["source"]), "the second cell holds the parameters alone"
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        assert len(cell["source"]) <= 15
        assert all(output["output_type"] != "error" for output in cell["outputs"])
    run = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in run] == list(range(1, len(run) + 1))
