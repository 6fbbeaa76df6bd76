"""The table of a campaign: films, their prompts, options, and what was varied between them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import pandas as pd

from samflow.acquire import parse_time
from samflow.errors import SamflowError
from samflow.runs import RunOptions

_OWN = ("film", "prompts", "name", "truth", "mm_per_px")
# options of a run that a column may set
_OPTIONS = (
    "strategies",
    "sam",
    "xmem",
    "device",
    "precision",
    "start",
    "end",
    "accept_frame",
    "size",
    "sharpen",
)
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


@dataclass(frozen=True)
class Film:
    """One film of a campaign.

    Parameters
    ----------
    name : str
        Of its run folder.
    video : str
        Absolute path of a file, or of a folder of images.
    prompts : tuple of str
        Absolute paths of prompts files, the first of which names all regions.
    options : dict
        Of `samflow.RunOptions`, by name.
    truth : str
        Absolute path of true label maps; empty without.
    mm_per_px : float, optional
        By default that of the prompts.
    parameters : dict
        What was varied: columns of the table that samflow does not know.
    """

    name: str
    video: str
    prompts: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    truth: str = ""
    mm_per_px: float | None = None
    parameters: dict[str, Any] = field(default_factory=dict)

    def run_options(self) -> RunOptions:
        """The options of its run."""
        return RunOptions(**self.options)

    def fingerprint(self) -> str:
        """Hash of all that its results depend on, 16 hex digits; of files their sizes and times."""
        parts = asdict(self)
        del parts["parameters"]
        for path in map(Path, (self.video, *self.prompts)):
            status = path.stat() if path.exists() else None
            parts[str(path)] = status and (status.st_size, status.st_mtime_ns)
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def read_table(path: str | Path) -> list[Film]:
    """Read which films a campaign is about.

    Parameters
    ----------
    path : str or Path
        CSV with a header, or YAML: a list of rows, or a mapping of `films` to that list and of
        other columns to what all rows have by default. Columns: `film` (a path, or a pattern such
        as `films/*.mp4`), `prompts` (a JSON file; several are separated by ";"), and if wanted
        `name`, `truth`, `mm_per_px` and options of `samflow run`: strategies, sam, xmem, device,
        precision, start, end, accept_frame, size, sharpen. All others are parameters. Paths are
        relative to the table.

    Returns
    -------
    list of Film
        In the table's order, names all different. Films that share a prompts file are of one
        camera: other pixels than it was drawn on are accepted, another frame size is not.

    Raises
    ------
    SamflowError
        For a table that can't be read, or a row that can't be used; the message says which.
    """
    path = Path(path)
    rows = _read_rows(path)
    films: list[Film] = []
    shared = _shared_prompts(rows)
    for number, row in enumerate(rows, start=1):
        try:
            films += _films_of(row, path.parent, shared)
        except (SamflowError, ValueError, TypeError) as error:
            raise SamflowError(f"{path}, row {number}: {error}") from None
    if not films:
        raise SamflowError(f"{path} has no rows: give one for each film, with film and prompts.")
    names = [film.name for film in films]
    for name in names:
        if names.count(name) > 1:
            raise SamflowError(
                f"{path}: two films would have the folder {name!r}: tell them apart in a column "
                "named name."
            )
    return films


def _read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows as written, empty cells left out."""
    try:
        if path.suffix.lower() in (".yaml", ".yml"):
            rows = _yaml_rows(path)
        else:
            table = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
            rows = [{str(k).strip(): v for k, v in row.items()} for row in table.to_dict("records")]
    except OSError as error:
        raise SamflowError(
            f"table {path} could not be read: {error.strerror or error}. Expected a CSV or YAML "
            "file with columns film and prompts."
        ) from None
    except (ValueError, UnicodeDecodeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise SamflowError(f"{path} is no table: {reason}. Expected CSV or YAML.") from None
    return [{k: v for k, v in row.items() if v is not None and v != ""} for row in rows]


def _yaml_rows(path: Path) -> list[dict[str, Any]]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    defaults: dict[str, Any] = {}
    if isinstance(content, Mapping):
        defaults = dict(content)
        content = defaults.pop("films", None)
    if not isinstance(content, list) or not all(isinstance(row, Mapping) for row in content):
        raise ValueError("expected a list of rows, or films: and that list")
    return [{**defaults, **row} for row in content]


def _shared_prompts(rows: list[dict[str, Any]]) -> set[str]:
    """Prompts that several rows name."""
    given = [str(row.get("prompts")) for row in rows]
    return {name for name in given if given.count(name) > 1}


def _films_of(row: dict[str, Any], folder: Path, shared: set[str]) -> list[Film]:
    """The films of one row: several when its path is a pattern."""
    for key in ("film", "prompts"):
        if key not in row:
            raise SamflowError(f"{key} is missing: give a path in a column of that name.")
    pattern = str(row["film"])
    videos = [folder / pattern]
    if any(sign in pattern for sign in "*?["):
        videos = _matching(pattern, folder)
    given = row["prompts"]
    names = given if isinstance(given, list) else str(given).split(";")
    prompts = [(folder / str(name).strip()).resolve() for name in names]
    for each in prompts:
        if not each.is_file():
            raise SamflowError(f"prompts file {each} is not there: draw it with samflow notebook.")
    if len(videos) > 1 and "name" in row:
        raise SamflowError(f"{pattern} matches {len(videos)} films: one name is not enough.")
    options = _options(row)
    options.setdefault("accept_frame", len(videos) > 1 or str(given) in shared)
    known = {*_OWN, *_OPTIONS}
    return [
        Film(
            name=str(row.get("name", video.stem)),
            video=str(video.resolve()),
            prompts=tuple(map(str, prompts)),
            options=options,
            truth=str((folder / str(row["truth"])).resolve()) if "truth" in row else "",
            mm_per_px=float(row["mm_per_px"]) if "mm_per_px" in row else None,
            parameters={key: _number(v) for key, v in row.items() if key not in known},
        )
        for video in videos
    ]


def _matching(pattern: str, folder: Path) -> list[Path]:
    """Files of a pattern, sorted."""
    whole = Path(pattern)
    root = Path(whole.anchor) if whole.is_absolute() else folder
    relative = str(whole.relative_to(whole.anchor)) if whole.is_absolute() else pattern
    found = sorted(root.glob(relative))
    if not found:
        raise SamflowError(f"no film matches {pattern}: paths are relative to the table.")
    return found


def _options(row: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the run, of the types that `RunOptions` has."""
    options: dict[str, Any] = {}
    for key in _OPTIONS:
        if key not in row:
            continue
        value = row[key]
        if key == "strategies":
            names = value if isinstance(value, list) else str(value).replace(";", ",").split(",")
            options[key] = tuple(str(name).strip() for name in names)
        elif key in ("start", "end"):
            options[key] = parse_time(str(value))
        elif key in ("accept_frame", "sharpen"):
            options[key] = _flag(key, value)
        else:
            options[key] = int(value) if key == "size" else str(value)
    assert set(options) <= {each.name for each in fields(RunOptions)}
    return options


def _flag(key: str, value: Any) -> bool:
    text = str(value).strip().lower()
    if text not in (*_TRUE, *_FALSE):
        raise SamflowError(f"{key} is {value!r}: expected yes or no.")
    return text in _TRUE


def _number(value: Any) -> Any:
    """A parameter as a number where it is one."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return value
