"""Tables as CSV files: written the same way everywhere, read back with their columns checked."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from samflow.errors import SamflowError
from samflow.files import atomic_path


def write_table(table: pd.DataFrame, path: str | Path, first: Sequence[str] = ()) -> None:
    """Write a table, complete or not at all; numbers with nine significant digits.

    Parameters
    ----------
    table : pandas.DataFrame
        Its index is not written.
    path : str or Path
    first : sequence of str
        Columns that come before the others.
    """
    columns = [*first, *(column for column in table.columns if column not in first)]
    with atomic_path(path) as part:
        table[columns].to_csv(part, index=False, float_format="%.9g", lineterminator="\n")


def read_table(path: Path, columns: Sequence[str], command: str) -> pd.DataFrame:
    """Read a table that a command has written.

    Raises
    ------
    SamflowError
        When the file is no table, is empty or lacks one of `columns`; it names the command.
    """
    try:
        table = pd.read_csv(path)
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise SamflowError(
            f"{path} is no table ({reason}): run {command} again, or delete it."
        ) from error
    missing = [column for column in columns if column not in table.columns]
    if missing or table.empty:
        raise SamflowError(
            f"{path} has {len(table)} rows and lacks the columns {missing}: run {command} again, "
            "or delete it."
        )
    return table
