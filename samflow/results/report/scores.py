"""Scores of a run read back from its `scores.csv`."""

import pandas as pd

from samflow.errors import SamflowError
from samflow.runs import Run

_COLUMNS = ("strategy", "frame", "region", "J", "F")


def read_scores(run: Run) -> pd.DataFrame | None:
    """Read `scores.csv` of a run.

    Parameters
    ----------
    run : Run

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
    if not path.is_file():
        return None
    try:
        table = pd.read_csv(path)
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise SamflowError(
            f"{path} is no table ({reason}): run samflow score again, or delete it."
        ) from error
    missing = [column for column in _COLUMNS if column not in table.columns]
    if missing or table.empty:
        raise SamflowError(
            f"{path} has {len(table)} rows and lacks the columns {missing}: run samflow score "
            "again, or delete it."
        )
    return table
