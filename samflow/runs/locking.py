"""One process at a time in a folder, also when the folder lies on storage that hosts share."""

import errno
import logging
import os
import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, SoftFileLease, Timeout

from samflow.errors import SamflowError

logger = logging.getLogger(__name__)

_LOCK, _LEASE = ".lock", ".lease"
# seconds: a claim that stood still for so long was left by a host that is gone; it is renewed often
# enough to outlast the pauses of a busy file server
_LEASE_SECONDS, _RENEWED_EVERY = 60.0, 10.0
# what a file system answers that can't lock: Lustre without its option flock, NFS without lockd
_NO_FLOCK = {errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK}


class FolderLockedError(SamflowError):
    """Another process writes into the folder."""


class Hold:
    """A folder that is locked by this process, until it is lost: taken by another host."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lost = False

    def lose(self, *_: object) -> None:
        """Note that another host has taken the folder."""
        self.lost = True

    def check(self) -> None:
        """Raise SamflowError when another host has taken the folder meanwhile."""
        if self.lost:
            raise SamflowError(
                f"{self.folder} was taken over by another samflow while this one could not reach "
                "it: let that one go on, or resume when it has ended."
            )


@contextmanager
def locked(folder: Path) -> Iterator[Hold]:
    """Keep other processes from writing into a folder while the block runs.

    Parameters
    ----------
    folder : Path
        Made when missing, and removed again when nothing was written.

    Yields
    ------
    Hold
        To be checked now and then by long work.

    Raises
    ------
    FolderLockedError
        A SamflowError: another process holds the lock.
    SamflowError
        When the folder can't be written.

    Notes
    -----
    Two locks are taken, since neither is enough alone.

    `.lock` is held by the operating system (flock; on Windows a locked file), which drops it with
    the process, however that ends: a file left behind by a killed process locks nothing, and a
    process that was stopped keeps it. Between hosts it holds on NFS version 4 and on Lustre mounted
    with `flock`; on other mounts it may hold within one host only (Lustre `localflock`, BeeGFS by
    default), or not be there at all.

    `.lease` names process and host and is renewed every 10 s; creating it is atomic on all of
    them. A process of this host that is dead holds no lease. Whether another host is alive can't
    be asked: its lease is taken over once it was seen standing still for 60 s, until then `locked`
    waits. A host that stood still longer (no network, storage away) finds out by `Hold.check`.
    """
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.callback(_remove_if_empty, folder)
            _take_lock(folder, stack)
            hold = _take_lease(folder, stack)
        except OSError as error:
            raise SamflowError(
                f"{folder} can't be written ({error.strerror or error}): choose another folder."
            ) from error
        yield hold


def is_untouched(folder: Path) -> bool:
    """Whether a folder is not there, or holds nothing but the lock."""
    return not folder.exists() or (
        folder.is_dir() and all(path.name in (_LOCK, _LEASE) for path in folder.iterdir())
    )


def _take_lock(folder: Path, stack: ExitStack) -> None:
    """Take the operating system's lock, where the file system has one."""
    path = folder / _LOCK
    lock = FileLock(path, timeout=0, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise _other_writes(folder) from None
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_FLOCK:
            raise
        logger.debug("no flock in %s: the lease alone keeps others out", folder)
        path.unlink(missing_ok=True)
        return
    stack.callback(lock.release)
    if os.name != "nt":
        stack.callback(path.unlink, missing_ok=True)
    with suppress(OSError):  # Windows lets nobody write into a locked file
        path.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")


def _take_lease(folder: Path, stack: ExitStack) -> Hold:
    """Take the lease; one of another host is waited for until it is known to be left behind."""
    hold = Hold(folder)
    lease = SoftFileLease(
        folder / _LEASE,
        lease_duration=_LEASE_SECONDS,
        heartbeat_interval=_RENEWED_EVERY,
        on_compromise=hold.lose,
        poll_interval=0.2,
    )
    try:
        lease.acquire(timeout=0)
    except Timeout:
        if f"host={platform.node()}\n" in _content(folder / _LEASE):
            raise _other_writes(folder) from None
        logger.warning("%s: waiting to see whether another host still writes it", folder)
        try:
            lease.acquire(timeout=_LEASE_SECONDS + 2 * _RENEWED_EVERY)
        except Timeout:
            raise _other_writes(folder) from None
    stack.callback(lease.release)
    return hold


def _other_writes(folder: Path) -> FolderLockedError:
    holder = _content(folder / _LOCK)
    return FolderLockedError(
        f"{folder} is being written by another samflow{f' ({holder})' if holder else ''}: wait "
        "until it has ended, or choose another folder."
    )


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):  # it holds something
        folder.rmdir()
