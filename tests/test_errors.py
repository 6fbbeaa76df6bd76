"""What a user's mistake looks like in a notebook: a real kernel shows it."""

import re

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = {
    "a missing file": "from samflow import Prompts\nPrompts.load('nowhere.json')",
    "asked again": "%tb",
    "another library's error underneath": (
        "open('p.json', 'w').write('{\"schema\": 3}')\nPrompts.load('p.json')"
    ),
    "from another error": (
        "from samflow import SamflowError\n"
        "try:\n    [][1]\n"
        "except IndexError as error:\n    raise SamflowError('line one\\n  and two') from error"
    ),
    "no mistake of a user": "[][1]",
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Text of each cell's error, without colours."""
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS.values()]
    folder = tmp_path_factory.mktemp("kernel")
    document = nbformat.v4.new_notebook(cells=cells)
    options = {"allow_errors": True, "kernel_name": "python3", "timeout": 300}
    NotebookClient(document, resources={"metadata": {"path": folder}}, **options).execute()
    texts = {}
    for name, cell in zip(CELLS, document.cells, strict=True):
        (error,) = (output for output in cell.outputs if output["output_type"] == "error")
        texts[name] = re.sub("\x1b\\[[0-9;]*m", "", "\n".join(error["traceback"]))
    return texts


def test_a_mistake_is_one_line_and_says_where_the_traceback_is(shown):
    lines = shown["a missing file"].splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("samflow: prompts file nowhere.json could not be read: No such file")
    assert lines[1] == "(%tb in a cell shows where it came up.)"


def test_tb_shows_the_traceback(shown):
    assert "Traceback" in shown["asked again"]
    assert "prompts.py" in shown["asked again"]
    assert "nowhere.json could not be read" in shown["asked again"]


def test_errors_underneath_are_not_shown(shown):
    first, _ = shown["another library's error underneath"].splitlines()
    assert first.startswith("samflow: prompts file p.json: its schema is 3")
    assert shown["from another error"].splitlines()[0] == "samflow: line one and two"


def test_other_errors_keep_their_traceback(shown):
    assert "Traceback" in shown["no mistake of a user"]
