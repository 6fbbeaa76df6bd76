"""A look across the films of a campaign: one page, one CSV."""

import io
import logging
from pathlib import Path
from typing import Any

import matplotlib.colors
import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure
from PIL import Image

from samflow.campaigns.ledger import LEDGER
from samflow.errors import SamflowError
from samflow.files import write_text
from samflow.results.measures.units import quantity_and_unit
from samflow.results.plots.region_panels import axis_label
from samflow.results.plots.style import tidy
from samflow.results.report.media import data_uri
from samflow.runs import Run
from samflow.video import Video

logger = logging.getLogger(__name__)

# columns of campaign.csv that are no parameters
_OWN = ("film", "state", "frames", "seconds", "drift", "J", "error", "video", "fingerprint")
# columns of measures.csv that are drawn
_DRAWN = ("area_fraction", "interface_length_px", "interface_length_mm", "dimension")
_THUMBNAIL_WIDTH = 320


def write_campaign_report(folder: str | Path, parameter: str | None = None) -> tuple[Path, Path]:
    """Write `report.html` and `quantities.csv` in a campaign's folder.

    Parameters
    ----------
    folder : str or Path
        With its `campaign.csv`.
    parameter : str, optional
        Column of the campaign's table that quantities are drawn over; by default the first one, or
        the films' names where there is none.

    Returns
    -------
    tuple of Path
        The page and the table. In the table there is a row for each film, strategy and region with
        the parameters and the mean over frames of each quantity, named as in `measures.csv`.

    Raises
    ------
    SamflowError
        When the folder holds no campaign, no film of it is done, or the parameter is none of its
        columns.
    """
    folder = Path(folder)
    path = folder / LEDGER
    if not path.is_file():
        raise SamflowError(f"{folder} has no {LEDGER}: give the folder of samflow campaign.")
    films = pd.read_csv(path, dtype={"film": str})
    parameters = [column for column in films.columns if column not in _OWN]
    if parameter is not None and parameter not in parameters:
        known = ", ".join(parameters) or "none, it has film and prompts alone"
        raise SamflowError(f"{parameter!r} is no parameter of this campaign: it has {known}.")
    done = films[films["state"] == "done"]
    if done.empty:
        raise SamflowError(f"no film of {folder} is done: run samflow campaign first.")
    quantities = _quantities(folder, done, parameters)
    over = parameter or (parameters[0] if parameters else "film")
    table = folder / "quantities.csv"
    write_text(table, quantities.to_csv(index=False, lineterminator="\n"))
    page = _template().render(
        name=folder.resolve().name,
        done=len(done),
        over=over,
        parameters=parameters,
        films=[_film(folder, row) for row in films.to_dict("records")],
        plot=_figure_uri(plot_over(quantities, over)),
    )
    report = folder / "report.html"
    write_text(report, page)
    return report, table


def _quantities(folder: Path, done: pd.DataFrame, parameters: list[str]) -> pd.DataFrame:
    """Means over frames, one row for each film, strategy and region."""
    parts = []
    for row in done.to_dict("records"):
        run = folder / str(row["film"])
        if not (run / "measures.csv").is_file():
            logger.warning("%s has no measures.csv: samflow measure %s makes it", run, run)
            continue
        names = {region.id: region.name for region in Run(run).result_regions}
        measures = pd.read_csv(run / "measures.csv").drop(columns=["frame", "time_s"])
        means = measures.groupby(["strategy", "region"], as_index=False, sort=False).mean()
        means["region"] = means["region"].map(names)
        for place, key in enumerate(("film", *parameters)):
            means.insert(place, key, row[key])
        parts.append(means)
    if not parts:
        raise SamflowError(f"no film of {folder} is measured: run samflow measure on its runs.")
    return pd.concat(parts, ignore_index=True)


def plot_over(quantities: pd.DataFrame, over: str) -> Figure:
    """Draw quantities of films over a parameter.

    Parameters
    ----------
    quantities : pandas.DataFrame
        As in `quantities.csv`.
    over : str
        A column of it: numbers, or words that are put in their order.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each quantity: the median over the strategies with a bar from the lowest to the
        highest, in one colour for each region.
    """
    drawn = [column for column in _DRAWN if column in quantities.columns]
    figure = Figure(figsize=(3.6 * max(1, len(drawn)), 3.2), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, max(1, len(drawn))))
    words = not pd.api.types.is_numeric_dtype(quantities[over])
    keys = sorted(quantities[over].astype(str).unique()) if words else []
    colors = list(matplotlib.colors.TABLEAU_COLORS)
    for axes, column in zip(panels, drawn, strict=False):
        for number, (region, rows) in enumerate(quantities.groupby("region", sort=False)):
            found = rows.groupby(["film", over])[column].agg(["median", "min", "max"])
            found = found.reset_index().dropna()
            x = found[over].astype(str).map(keys.index) if words else found[over]
            low, high = found["median"] - found["min"], found["max"] - found["median"]
            color = colors[number % len(colors)]
            axes.errorbar(
                x, found["median"], [low, high], fmt="o", color=color, capsize=3, label=str(region)
            )
        quantity, unit = quantity_and_unit(column)
        axes.set(xlabel=over, ylabel=axis_label(quantity, "" if unit == "1" else unit))
        if words:
            axes.set_xticks(range(len(keys)), keys, rotation=30, ha="right")
        tidy(axes)
    panels[0].legend(frameon=False, fontsize=8)
    return figure


def _figure_uri(figure: Figure) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110, metadata={"Software": None})
    return data_uri(stream.getvalue(), "image/png")


def _film(folder: Path, row: dict[Any, Any]) -> dict[str, Any]:
    """What the page says of a film."""
    run = folder / str(row["film"])
    known = {str(key): "" if value != value else value for key, value in row.items()}
    report = run / "report.html"
    return {
        **known,
        "report": f"{run.name}/report.html" if report.is_file() else None,
        "thumbnail": _thumbnail(run / "comparison.mp4"),
    }


def _thumbnail(path: Path) -> str | None:
    """The middle frame of a comparison video, small; None where there is none."""
    try:
        video = Video(path)
        image = Image.fromarray(video[len(video) // 2])
    except SamflowError:
        return None
    image.thumbnail((_THUMBNAIL_WIDTH, _THUMBNAIL_WIDTH))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=80)
    return data_uri(stream.getvalue(), "image/jpeg")


def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("samflow.campaigns", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("campaign_page.html")
