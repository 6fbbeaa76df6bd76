"""Files and folders that appear complete or not at all."""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from samflow.errors import SamflowError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, renamed to it when the block ends without an error.

    Parameters
    ----------
    path : str or Path
        The file to appear. Its folder is made when missing; an older file is replaced.

    Yields
    ------
    Path
        Where to write. It has the suffix of `path`, so that writers that look at it agree.

    Raises
    ------
    SamflowError
        When the file can't be written (no space, no permission). Nothing is left behind.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_path(folder / "a.txt") as part:
    ...     _ = part.write_text("whole")
    >>> [p.name for p in folder.iterdir()]
    ['a.txt']
    """
    path = Path(path)
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(path.suffix, f".{path.stem}-", path.parent)
        os.close(handle)
        part = Path(name)
        yield part
        part.chmod(0o666 & ~_umask())
        os.replace(part, path)
    except OSError as error:
        raise _not_written(path, error) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def _umask() -> int:
    # the only portable way to read the mask is to set it
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8 to `path`, atomically."""
    with atomic_path(path) as part:
        part.write_bytes(text.encode("utf-8"))


def sha256_of_file(path: str | Path) -> str:
    """SHA-256 of a file's bytes as 64 hex digits, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_by_number(paths: Iterable[Path]) -> dict[int, Path]:
    """Files by the frame number at the end of their names, ascending.

    Parameters
    ----------
    paths : iterable of Path
        Such as `00012.png` or `frame_12.jpg`.

    Returns
    -------
    dict of int to Path

    Raises
    ------
    SamflowError
        When a name has no number, or two names have the same one.

    Examples
    --------
    >>> list(files_by_number([Path("frame_12.jpg"), Path("frame_3.jpg")]))
    [3, 12]
    """
    numbered: dict[int, Path] = {}
    for path in sorted(paths):
        digits = re.search(r"\d+$", path.stem)
        if digits is None:
            raise SamflowError(
                f"{path} has no frame number at the end of its name: "
                f"rename it like 00012{path.suffix}, or move it elsewhere."
            )
        other = numbered.setdefault(int(digits.group()), path)
        if other != path:
            raise SamflowError(
                f"{other.name} and {path.name} in {path.parent} are the same frame: "
                "rename one, or move it elsewhere."
            )
    return dict(sorted(numbered.items()))


@contextmanager
def replace_folder(path: str | Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`, renamed to it when the block ends without an error.

    Parameters
    ----------
    path : str or Path
        The folder to appear. An older one of this name is replaced.

    Yields
    ------
    Path
        An empty folder to fill.

    Raises
    ------
    SamflowError
        When the folder can't be made. Nothing is left behind.
    """
    path = Path(path)
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp("", f".{path.name}-", path.parent))
        yield part
        part.chmod(0o777 & ~_umask())
        if path.exists():
            shutil.rmtree(path)
        os.replace(part, path)
    except OSError as error:
        raise _not_written(path, error) from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)


def _not_written(path: Path, error: OSError) -> SamflowError:
    return SamflowError(
        f"{path} could not be written: {error.strerror or error}. "
        "Free some space or choose another folder, then run the command again."
    )
