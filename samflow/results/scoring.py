"""A run against the truth: table, CSV, plot."""

import pandas as pd
from tqdm.auto import tqdm

from samflow.errors import SamflowError
from samflow.maskio import Track
from samflow.results.csv_tables import read_table, write_table
from samflow.results.metrics import score_track, summarise_scores
from samflow.results.plots import plot_scores, save_figure, with_note
from samflow.runs import Run

SCORE_COLUMNS = ("strategy", "frame", "region", "J", "F")


def score(run: Run, truth: Track) -> pd.DataFrame:
    """Score every strategy of a run; writes `scores.csv` and `plots/scores.png` in its folder.

    Parameters
    ----------
    run : Run
    truth : Track
        The true label maps of the run's frames.

    Returns
    -------
    pandas.DataFrame
        What `samflow.results.metrics.summarise_scores` returns for each strategy, with a column
        `strategy` first. The CSV holds J and F of every strategy, region and frame.

    Raises
    ------
    SamflowError
        When the run lacks frames, or the truth's frames are not those of the run.
    """
    ids = [region.id for region in run.result_regions]
    if not ids:
        raise SamflowError(f"all regions of {run.folder} are background: nothing to score.")
    # closed also by an error, so that its message has a line of its own
    with tqdm(run.strategies, unit="strategy", desc="scores") as shown:
        tables = {name: score_track(run.finished_track(name), truth, ids) for name in shown}
    whole = pd.concat(
        [table.assign(strategy=name) for name, table in tables.items()], ignore_index=True
    )
    write_table(whole, run.folder / "scores.csv", SCORE_COLUMNS)
    names = {region.id: region.name for region in run.result_regions}
    figure = with_note(plot_scores(tables, names=names), run.record.note)
    save_figure(figure, run.folder / "plots" / "scores.png")
    summaries = [
        summarise_scores(table).assign(strategy=name).set_index("strategy").reset_index()
        for name, table in tables.items()
    ]
    return pd.concat(summaries, ignore_index=True)


def read_scores(run: Run) -> pd.DataFrame | None:
    """Read `scores.csv` of a run.

    Returns
    -------
    pandas.DataFrame or None
        Columns `strategy`, `frame`, `region`, `J`, `F`; None when the run was not scored.

    Raises
    ------
    SamflowError
        When the file is there and holds something else.
    """
    path = run.folder / "scores.csv"
    return read_table(path, SCORE_COLUMNS, "samflow score") if path.is_file() else None
