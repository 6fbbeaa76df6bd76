"""The workers of a campaign: on this machine, behind a scheduler that runs already, or in SLURM."""

import atexit
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from samflow.device import visible_gpus
from samflow.errors import SamflowError

if TYPE_CHECKING:
    from distributed import Client

# seconds that workers get to end by themselves
_CLOSE_S = 2
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows knows one way only
_QUIET = {"distributed.logging.distributed": "critical", "logging.distributed": "critical"}
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# options of dask_jobqueue.SLURMCluster that may be given
_SLURM = ("queue", "account", "walltime", "memory", "gres")


def check_installed(slurm: bool = False) -> None:
    """Refuse to begin without Dask, with a `SamflowError` that says how to get it."""
    try:
        import distributed  # noqa: F401

        if slurm:
            import dask_jobqueue  # noqa: F401
    except ImportError:
        raise SamflowError(
            'a campaign needs Dask: install it with pip install "samflow[cluster]".'
        ) from None


@contextmanager
def connected(
    workers: int,
    threads: int | None = None,
    scheduler: str | None = None,
    slurm: Mapping[str, str] | None = None,
) -> Iterator["Client"]:
    """Give a client of Dask with workers for films, one film at a time each.

    Parameters
    ----------
    workers : int
        On this machine, or in SLURM jobs. With GPUs in this machine one for each of them, at most.
    threads : int, optional
        Of each worker's networks; by default the cores shared out, without oversubscription.
    scheduler : str, optional
        Address of a scheduler that runs already, such as "tcp://host:8786"; its workers are used.
    slurm : mapping, optional
        Options of the jobs: queue, account, walltime, memory, gres.

    Yields
    ------
    distributed.Client
    """
    check_installed(slurm is not None)
    import dask
    from distributed import Client

    threads = threads or max(1, (os.cpu_count() or 1) // workers)
    with dask.config.set(_QUIET):
        if scheduler is not None:
            try:
                client = Client(scheduler, timeout="10s")
            except (OSError, ValueError) as error:
                reason = str(error).splitlines()[0]
                raise SamflowError(
                    f"no Dask scheduler answers at {scheduler} ({reason}): start one with dask "
                    "scheduler, and workers with dask worker."
                ) from None
            with client:
                yield client
            return
        cluster = _local(workers, threads) if slurm is None else _slurm(workers, threads, slurm)
        try:
            with Client(cluster, timeout="30s") as client, _killed_when_interrupted(cluster):
                yield client
        finally:
            with suppress(TimeoutError):  # what is left ends with this process
                cluster.close(timeout=_CLOSE_S)


@contextmanager
def _killed_when_interrupted(cluster: Any) -> Iterator[None]:
    """Kill this machine's workers on Ctrl-C: runs survive it, and nobody waits for a frame."""
    from distributed.core import Status

    try:
        yield
    except KeyboardInterrupt:
        for worker in cluster.workers.values():
            if getattr(worker, "pid", None):  # a process of ours; SLURM's jobs are not
                worker.status = Status.closing_gracefully  # not to be started again
                with suppress(OSError):  # it is gone already
                    os.kill(worker.pid, _KILL)
        raise


def _environment(threads: int) -> dict[str, str]:
    """What a worker's process is started with: its threads, and no progress bars of its own."""
    return {**dict.fromkeys(_THREADS, str(threads)), "TQDM_DISABLE": "1"}


def _local(workers: int, threads: int) -> Any:
    """Worker processes of this machine; with GPUs each sees one of its own."""
    from distributed import LocalCluster, Nanny, Scheduler, SpecCluster
    from distributed.deploy.spec import close_clusters

    # what a worker that is told to end says of it is no news
    env = {**_environment(threads), "DASK_LOGGING__DISTRIBUTED": "critical"}
    gpus = visible_gpus()
    if not gpus:
        try:
            return LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                memory_limit=0,
                dashboard_address=":0",
                env=env,
            )
        except KeyboardInterrupt:  # half begun, it can't be closed, and ends with this process
            atexit.unregister(close_clusters)
            raise
    scheduler = {"cls": Scheduler, "options": {"dashboard_address": ":0"}}
    nannies = {
        gpu: {
            "cls": Nanny,
            "options": {
                "nthreads": 1,
                "memory_limit": 0,
                "env": {**env, "CUDA_VISIBLE_DEVICES": gpu},
            },
        }
        for gpu in gpus[:workers]
    }
    return SpecCluster(workers=nannies, scheduler=scheduler)


def _slurm(workers: int, threads: int, options: Mapping[str, str]) -> Any:
    """Jobs of SLURM, one worker each."""
    from dask_jobqueue import SLURMCluster

    unknown = sorted(set(options) - set(_SLURM))
    if unknown:
        raise SamflowError(f"--slurm {unknown[0]!r} is unknown: choose from {', '.join(_SLURM)}.")
    given: dict[str, Any] = {
        key: options[key] for key in ("queue", "account", "walltime") if key in options
    }
    directives = [f"--gres={options['gres']}"] if "gres" in options else []
    cluster = SLURMCluster(
        cores=threads,
        processes=1,
        worker_extra_args=["--nthreads", "1"],
        memory=options.get("memory", "8GB"),
        job_extra_directives=directives,
        job_script_prologue=[f"export {k}={v}" for k, v in _environment(threads).items()],
        scheduler_options={"dashboard_address": ":0"},
        **given,
    )
    cluster.scale(jobs=workers)
    return cluster
