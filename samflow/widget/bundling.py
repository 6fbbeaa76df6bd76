"""One JavaScript module out of the small ones beside this file."""

import re
from pathlib import Path

_FOLDER = Path(__file__).parent
_IMPORT = re.compile(r'^import [^;]*? from "\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=function|const|class|async)", re.MULTILINE)


def bundle(name: str) -> str:
    """Join a JavaScript module with the modules that it imports from its own folder.

    Parameters
    ----------
    name : str
        File name of the entry module, such as "prompt.js".

    Returns
    -------
    str
        One ECMAScript module that imports nothing.

    Notes
    -----
    A widget's front end is handed to the page as one text, so relative imports can't be resolved
    there. The modules share one scope once joined: their top-level names must differ.
    """
    parts: list[str] = []
    _collect(name, parts, set())
    return "\n".join(parts)


def _collect(name: str, parts: list[str], seen: set[str]) -> None:
    """Append the text of a module, after those that it imports."""
    if name in seen:
        return
    seen.add(name)
    text = (_FOLDER / name).read_text(encoding="utf-8")
    for imported in _IMPORT.findall(text):
        _collect(imported, parts, seen)
    parts.append(_EXPORT.sub("", _IMPORT.sub("", text)))
