"""The notebooks that come with samflow: copies for the user to run and change, in JupyterLab."""

import importlib.util
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from samflow.errors import SamflowError
from samflow.files import atomic_path, sha256_of_file, write_text

# the wheel holds them inside the package, a working tree next to it
_PACKAGED = Path(__file__).parents[1] / "notebooks_data"
_REPOSITORY = Path(__file__).parents[2]
# next to the copies: the hash of each as written, which tells whether the user changed it
_RECORD = ".samflow-notebooks.json"
_NEEDED = ("jupyterlab", "ipywidgets", "anywidget")


def notebooks_folder() -> Path:
    """Folder of the notebooks that came with samflow, in the package or in a working tree.

    Raises
    ------
    SamflowError
        When neither is there.

    Examples
    --------
    >>> sorted(path.name for path in notebooks_folder().glob("01_*.ipynb"))
    ['01_get_the_film.ipynb']
    """
    if _PACKAGED.is_dir():
        return _PACKAGED
    if (_REPOSITORY / "pyproject.toml").is_file() and (_REPOSITORY / "notebooks").is_dir():
        return _REPOSITORY / "notebooks"
    raise SamflowError(
        f"no notebooks in {_PACKAGED}: this installation is incomplete, install samflow again."
    )


@dataclass(frozen=True)
class Copies:
    """What `copy_notebooks` found and did, by file name in order.

    `written` were not there, or as an older samflow had written them; `kept` are those that the
    user changed.
    """

    folder: Path
    written: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def copy_notebooks(out: str | Path) -> Copies:
    """Copy samflow's notebooks into a folder, and leave those that the user changed.

    The folder of the notebooks themselves is left alone; one that can't be written is refused.
    """
    source, folder = notebooks_folder(), Path(out)
    if folder.exists() and not folder.is_dir():
        raise SamflowError(f"{folder} is a file: choose a folder with --out.")
    if folder.is_dir() and folder.samefile(source):
        return Copies(folder)
    record = _read_record(folder)
    written, kept = [], []
    for path in sorted(source.glob("*.ipynb")):
        target, fresh = folder / path.name, sha256_of_file(path)
        there = sha256_of_file(target) if target.exists() else None
        if there == fresh:
            record[path.name] = fresh
        elif there is None or there == record.get(path.name):
            with atomic_path(target) as part:
                shutil.copyfile(path, part)
            record[path.name] = fresh
            written.append(path.name)
        else:
            kept.append(path.name)
    write_text(folder / _RECORD, json.dumps(record, indent=1) + "\n")
    return Copies(folder, tuple(written), tuple(kept))


def _read_record(folder: Path) -> dict[str, str]:
    """Hashes by file name; empty when there are none that can be read: then nothing is replaced."""
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def missing_packages() -> list[str]:
    """Names of the packages that the notebooks need and that are not installed."""
    return [name for name in _NEEDED if importlib.util.find_spec(name) is None]


def open_jupyterlab(
    folder: Path, port: int | None = None, browser: bool = True, options: Sequence[str] = ()
) -> None:
    """Serve a folder of notebooks with JupyterLab until it is stopped (Ctrl+C).

    The first notebook is opened, in a window of the user's `browser`; otherwise the address is only
    told. Without a `port` Jupyter takes its own, or the next free one. `options` are JupyterLab's.

    Raises
    ------
    SamflowError
        When JupyterLab or a package that the widgets need is not installed, or it does not start.
    """
    if missing := missing_packages():
        raise SamflowError(
            f"{missing[0]} is not installed, the notebooks need it: "
            'pip install "samflow[notebook]", then run the command again.'
        )
    from jupyterlab.labapp import LabApp

    try:
        LabApp.launch_instance(_arguments(folder, port, browser, options))
    except SystemExit as end:
        if end.code:
            raise SamflowError(
                "JupyterLab did not start, its last line above says why: its own options go after "
                "--, such as samflow notebook -- --allow-root."
            ) from end
        raise


def _arguments(folder: Path, port: int | None, browser: bool, options: Sequence[str]) -> list[str]:
    """JupyterLab's arguments."""
    first = min((path.name for path in folder.glob("*.ipynb")), default=None)
    return [
        f"--ServerApp.root_dir={folder.resolve()}",
        *([] if first is None else [f"--LabApp.default_url=/lab/tree/{first}"]),
        *([] if port is None else [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]),
        *([] if browser else ["--no-browser"]),
        *options,
    ]
