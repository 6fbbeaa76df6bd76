"""One film of a campaign, done on a worker."""

import time
from functools import lru_cache
from pathlib import Path
from threading import RLock
from typing import Any

from tqdm import tqdm

from samflow.campaigns.film_table import Film
from samflow.errors import SamflowError

TOPIC = "samflow-frames"
"""Where workers tell of the frames that are done."""

# seconds between two tries at a folder that is locked
_TRY_EVERY = 5.0
# a worker that the scheduler gave up may hold its folder until the lease has run out
_TRIES = 24


class StoppedError(Exception):
    """The film was taken back; its run goes on at the next call."""


@lru_cache(maxsize=1)
def _session() -> Any:
    """What a worker's process has once: the models of its runs, and a lock for their bars."""
    from samflow.runs.session import RunSession

    # tqdm's own lock is a semaphore of the system, which a worker that is killed leaves behind
    tqdm.set_lock(RLock())
    return RunSession()


def do_film(film: Film, folder: str, tell_every: float = 1.0) -> dict[str, Any]:
    """Run, score and measure one film; go on where an earlier worker ended.

    Parameters
    ----------
    film : Film
    folder : str
        Of its run.
    tell_every : float
        Seconds between two messages to the scheduler about frames.

    Returns
    -------
    dict
        `state` "done" or "failed", `seconds`, and `frames`, `drift`, `J` or `error`: one line.
        Everything that is the film's own fault is told here; what a worker dies of is Dask's to
        tell.
    """
    begin = time.perf_counter()
    try:
        found = _do(film, Path(folder), tell_every)
        result = {"state": "done", **found}
    except SamflowError as error:
        result = {"state": "failed", "error": " ".join(str(error).split())}
    except OSError as error:
        result = {"state": "failed", "error": " ".join(f"{error.strerror or error}".split())}
    return {**result, "seconds": round(time.perf_counter() - begin, 1)}


def _do(film: Film, folder: Path, tell_every: float) -> dict[str, Any]:
    import pandas as pd

    from samflow.maskio import Track
    from samflow.prompts import Prompts
    from samflow.results.run_measures import measure
    from samflow.results.scoring import score
    from samflow.runs.locking import FolderLockedError
    from samflow.runs.start import run

    session = _session()
    session.on_frame = _Teller(film.name, tell_every)
    prompts = [Prompts.load(path) for path in film.prompts]
    for attempt in range(_TRIES):
        try:
            done = run(film.video, prompts, folder, film.run_options(), True, session)
            break
        except FolderLockedError:
            if attempt == _TRIES - 1:
                raise
            time.sleep(_TRY_EVERY)
    found: dict[str, Any] = {"frames": done.record.frames_done}
    if film.truth:
        summary = score(done, Track(film.truth))
        found["J"] = round(float(summary.query("region == 'all'")["J_mean"].max()), 4)
    if done.record.frames_done > 1:
        measure(done, film.mm_per_px)
        found["drift"] = round(float(pd.read_csv(folder / "drift.csv")["drift"].mean()), 4)
    return found


class _Teller:
    """Tells the scheduler of frames that are done, and stops when nobody waits for the film."""

    def __init__(self, name: str, every: float) -> None:
        self.name, self.every, self.told = name, every, 0.0

    def __call__(self, done: int, total: int) -> None:
        from distributed import get_worker
        from distributed.worker import thread_state

        try:
            worker = get_worker()
        except ValueError:  # not on a worker
            return
        task = worker.state.tasks.get(thread_state.key)
        if task is not None and task.state == "cancelled":
            raise StoppedError(self.name)
        if time.monotonic() - self.told >= self.every or done in (0, total):
            self.told = time.monotonic()
            worker.log_event(TOPIC, {"film": self.name, "done": done, "total": total})
