"""What became of each film of a campaign: `campaign.csv`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from samflow.campaigns.film_table import Film
from samflow.errors import SamflowError
from samflow.files import write_text

LEDGER = "campaign.csv"
_COLUMNS = ("film", "state", "frames", "seconds", "drift", "J", "error", "video", "fingerprint")


class Ledger:
    """The rows of `campaign.csv`, one for each film of the table.

    Parameters
    ----------
    folder : Path
        Of the campaign.
    films : sequence of Film

    Notes
    -----
    `state` is "waiting", "done", "failed" (the film's own fault: `error` says what) or "lost" (its
    workers died). The file appears whole after each film.
    """

    def __init__(self, folder: Path, films: Sequence[Film]) -> None:
        self.path = folder / LEDGER
        before = _read(self.path)
        self.rows: dict[str, dict[str, Any]] = {}
        for film in films:
            known = before.get(film.name, {})
            same = known.get("fingerprint") == film.fingerprint()
            kept = known if same and known.get("state") in ("done", "failed") else {}
            self.rows[film.name] = {
                "state": "waiting",
                **{key: kept[key] for key in _COLUMNS if key in kept},
                "film": film.name,
                "video": film.video,
                "fingerprint": film.fingerprint(),
                **film.parameters,
            }

    def state(self, name: str) -> str:
        """State of a film."""
        return str(self.rows[name]["state"])

    def note(self, name: str, **found: Any) -> None:
        """Write down what became of a film."""
        row = self.rows[name]
        for key in ("frames", "seconds", "drift", "J", "error"):
            row.pop(key, None)
        row.update(found)
        self.save()

    def save(self) -> None:
        """Write the file."""
        write_text(self.path, self.table().to_csv(index=False, lineterminator="\n"))

    def table(self) -> pd.DataFrame:
        """All rows, in the order of the campaign's table."""
        rows = list(self.rows.values())
        parameters = dict.fromkeys(key for row in rows for key in row if key not in _COLUMNS)
        return pd.DataFrame(rows, columns=[*_COLUMNS, *parameters])


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """Rows of an earlier call by film."""
    if not path.is_file():
        return {}
    try:
        table = pd.read_csv(path, dtype={"film": str, "fingerprint": str})
        rows = table.astype(object).where(table.notna(), None).to_dict("records")
        return {
            str(row["film"]): {str(k): v for k, v in row.items() if v is not None} for row in rows
        }
    except (KeyError, ValueError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise SamflowError(
            f"{path} is damaged ({reason}): delete it; finished runs are kept."
        ) from None
