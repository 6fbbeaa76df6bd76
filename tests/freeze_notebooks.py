"""Take out of executed notebooks what lives only as long as their kernel: `make notebooks` runs it.

A stored widget without its kernel is shown as an error, and its random id differs each time.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

WIDGET = "application/vnd.jupyter.widget-view+json"
PROGRESS = re.compile(r"\d+%\||: \d\d:\d\d$|\[\d\d:\d\d, ")


def freeze_output(output: dict[str, Any]) -> dict[str, Any] | None:
    """The output without its widget; None for a progress bar."""
    if WIDGET not in output.get("data", {}):
        return output
    data = {kind: value for kind, value in output["data"].items() if kind != WIDGET}
    text = "".join(data.get("text/plain", ""))
    return None if not data or PROGRESS.search(text) else {**output, "data": data}


def freeze(path: Path) -> None:
    """Write the notebook again; the widgets are left as their text."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            frozen = [freeze_output(output) for output in cell["outputs"]]
            cell["outputs"] = [output for output in frozen if output is not None]
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        freeze(Path(name))
