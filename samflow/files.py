"""Files and folders that appear complete or not at all."""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from samflow.errors import SamflowError

# bytes: what a slow disk reads in some seconds, and how much is read at a time
_LARGE, _PIECE = 500_000_000, 1 << 24


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

    def make() -> Path:
        handle, name = tempfile.mkstemp(path.suffix, f".{path.stem}-", path.parent)
        os.close(handle)
        return Path(name)

    with _appearing(path, make, 0o666) as part:
        yield part


@contextmanager
def replace_folder(path: str | Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`, renamed to it when the block ends without an error.

    An older folder of this name is replaced. Otherwise as `atomic_path`.
    """
    path = Path(path)

    def make() -> Path:
        return Path(tempfile.mkdtemp("", f".{path.name}-", path.parent))

    with _appearing(path, make, 0o777) as part:
        yield part


@contextmanager
def _appearing(path: Path, make: Callable[[], Path], mode: int) -> Iterator[Path]:
    """Give what `make` makes; rename it to `path` in the end, or leave nothing behind."""
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = make()
        yield part
        part.chmod(mode & ~_umask())
        if part.is_dir() and path.exists():
            shutil.rmtree(path)
        os.replace(part, path)
    except (FileExistsError, NotADirectoryError) as error:
        raise SamflowError(
            f"{path} could not be written, since {_nearest_file(path)} is a file: choose another "
            "folder."
        ) from error
    except OSError as error:
        raise SamflowError(
            f"{path} could not be written: {_reason(error)}. "
            "Free some space or choose another folder, then run the command again."
        ) from error
    finally:
        if part is not None and part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        elif part is not None:
            part.unlink(missing_ok=True)


def _reason(error: OSError) -> str:
    """What the system says; of a folder that was copied, about its first file."""
    if isinstance(error, shutil.Error):
        return str(error.args[0][0][2]).split("] ")[-1].split(": ")[0]
    return error.strerror or str(error)


def _nearest_file(path: Path) -> Path:
    """The first of the folders above that is there."""
    return next(parent for parent in path.parents if parent.exists() or parent == Path())


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
    """SHA-256 of a file's bytes as 64 hex digits, read in pieces; a large file shows progress."""
    size = os.stat(path).st_size
    with open(path, "rb") as file:
        if size < _LARGE:
            return hashlib.file_digest(file, "sha256").hexdigest()
        from tqdm.auto import tqdm

        digest, name = hashlib.sha256(), f"checking {Path(path).name}"
        with tqdm(total=size, desc=name, unit="B", unit_scale=True, leave=False) as bar:
            while piece := file.read(_PIECE):
                digest.update(piece)
                bar.update(len(piece))
    return digest.hexdigest()


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
