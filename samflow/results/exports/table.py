"""CSV: the quantities of a measured run with one value in a row."""

from collections.abc import Sequence
from pathlib import Path

from samflow.errors import SamflowError
from samflow.results.csv_tables import read_table, write_table
from samflow.results.measures import quantity_and_unit
from samflow.runs import Run

_KEYS = ["strategy", "frame", "time_s", "region"]


def write_quantities(run: Run, names: Sequence[str], folder: Path) -> None:
    """Write `quantities.csv` from the run's `measures.csv`.

    Raises
    ------
    SamflowError
        When the run was not measured, or not the strategies that are asked for.
    """
    path = run.folder / "measures.csv"
    if not path.is_file():
        raise SamflowError(f"{run.folder} has no measures.csv: run samflow measure on it first.")
    wide = read_table(path, _KEYS, "samflow measure")
    absent = [name for name in names if name not in set(wide["strategy"])]
    if absent:
        raise SamflowError(f"{path} has no strategy '{absent[0]}': run samflow measure again.")
    wide = wide[wide["strategy"].isin(names)]
    long = wide.melt(_KEYS, var_name="column", value_name="value")
    parts = {column: quantity_and_unit(column) for column in long["column"].unique()}
    long[["quantity", "unit"]] = [parts[column] for column in long["column"]]
    long["region_name"] = long["region"].map({r.id: r.name for r in run.result_regions})
    order = [*_KEYS, "region_name", "quantity", "unit", "value"]
    write_table(long[order], folder / "quantities.csv")
