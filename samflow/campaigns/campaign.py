"""A campaign: films handed out to workers, and what became of them written down."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pandas as pd
from tqdm.auto import tqdm

from samflow.campaigns.clusters import check_installed, connected
from samflow.campaigns.film_table import Film
from samflow.campaigns.film_worker import TOPIC, do_film
from samflow.campaigns.ledger import Ledger
from samflow.errors import SamflowError
from samflow.runs import Run
from samflow.runs.locking import locked

if TYPE_CHECKING:
    from distributed import Client, Future


@dataclass(frozen=True)
class CampaignOptions:
    """Who does the work, and what is tried again.

    Parameters
    ----------
    workers : int
        Processes on this machine, or jobs of SLURM.
    threads : int, optional
        Of each worker's networks; by default the cores shared out.
    scheduler : str, optional
        Address of a Dask scheduler that runs already.
    slurm : mapping of str to str, optional
        Options of SLURM jobs: queue, account, walltime, memory, gres.
    retry : bool
        Try films again that failed before and have not changed since.
    """

    workers: int = 2
    threads: int | None = None
    scheduler: str | None = None
    slurm: Mapping[str, str] | None = None
    retry: bool = False


@dataclass
class _Shown:
    """Progress over films, and over the frames of those that have begun."""

    films: tqdm
    frames: tqdm
    done: dict[str, int] = field(default_factory=dict)
    total: dict[str, int] = field(default_factory=dict)

    def take(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """Count the frames that a worker told of."""
        told = event[1]
        self.total[told["film"]] = told["total"]
        self.done[told["film"]] = told["done"]
        self.frames.total = sum(self.total.values())
        self.frames.n = sum(self.done.values())
        self.frames.refresh()


def run_campaign(
    films: Sequence[Film], out: str | Path, options: CampaignOptions | None = None
) -> pd.DataFrame:
    """Run, score and measure films side by side on Dask's workers, one film to a worker at a time.

    Parameters
    ----------
    films : sequence of Film
        As `read_table` gives them.
    out : str or Path
        The campaign's folder: `campaign.csv`, and a run folder for each film under its name.
    options : CampaignOptions, optional

    Returns
    -------
    pandas.DataFrame
        The rows of `campaign.csv`: `film`, `state`, `frames`, `seconds`, `drift` (mean score),
        `J` (of the best strategy, where a truth was given), `error`, and the parameters.

    Raises
    ------
    SamflowError
        Without Dask, when another campaign writes the folder, or when the scheduler is lost: the
        same call goes on.

    Notes
    -----
    Finished films are not touched, half-done ones go on from their saved point, so a campaign is
    resumed by the same call. A film whose worker dies is done again by another one, which goes on
    from the saved point; after four workers it is left as "lost". A film that can't be used is
    "failed" with its one line, and not tried again before it has changed.
    """
    options, folder = options or CampaignOptions(), Path(out)
    check_installed(options.slurm is not None)
    with locked(folder) as hold:
        ledger = Ledger(folder, films)
        ledger.save()
        left = [film for film in films if _is_left(film, ledger, folder, options.retry)]
        if left:
            spread = (min(options.workers, len(left)), options.threads)
            with (
                connected(*spread, options.scheduler, options.slurm) as client,
                _showing(client, len(left)) as shown,
            ):
                shown.films.write(f"dashboard: {client.dashboard_link}")
                for film, result in _results(client, left, folder):
                    hold.check()
                    ledger.note(film.name, **result)
                    shown.films.update()
        return ledger.table()


def _is_left(film: Film, ledger: Ledger, folder: Path, retry: bool) -> bool:
    """Whether a film is still to be done."""
    state = ledger.state(film.name)
    if state == "failed":
        return retry
    run = folder / film.name
    return not (state == "done" and (run / "run.json").is_file() and Run(run).complete)


@contextmanager
def _showing(client: "Client", films: int) -> Iterator[_Shown]:
    """Bars for films and frames while the block runs."""
    with (
        tqdm(total=films, unit="film", desc="samflow campaign", position=0) as whole,
        tqdm(total=0, unit="frame", desc="frames", position=1) as frames,
    ):
        shown = _Shown(whole, frames)
        client.subscribe_topic(TOPIC, shown.take)
        try:
            yield shown
        finally:
            with suppress(ValueError, OSError):  # the scheduler is gone
                client.unsubscribe_topic(TOPIC)


def _results(
    client: "Client", films: Sequence[Film], folder: Path
) -> Iterator[tuple[Film, dict[str, Any]]]:
    """What becomes of each film, in the order in which they end."""
    from distributed import as_completed
    from distributed.client import FutureCancelledError
    from distributed.scheduler import KilledWorker

    # a hundred messages about frames per second at most, however many workers there are
    tell_every = max(1.0, len(client.nthreads()) / 100)
    asked: dict[str, Film] = {}
    futures: list[Future] = []
    for film in films:
        place = str((folder / film.name).resolve())
        key = f"{film.name}-{uuid4().hex}"
        future = client.submit(do_film, film, place, tell_every, pure=False, key=key)
        asked[key] = film
        futures.append(future)
    try:
        for future in as_completed(futures):
            film = asked[str(future.key)]
            try:
                yield film, future.result()
            except KilledWorker as error:
                died = f"its worker died {error.allowed_failures + 1} times: see the workers' logs"
                yield film, {"state": "lost", "error": died}
    except (FutureCancelledError, OSError) as error:
        if isinstance(error, OSError) and client.status == "running":
            raise
        raise SamflowError(
            "the Dask scheduler is gone: start it again, with its workers, and run the same "
            "command; finished films and frames are kept."
        ) from None
    finally:
        with suppress(Exception):  # nobody is left to hear it when the scheduler is gone
            client.cancel(futures, force=True)
