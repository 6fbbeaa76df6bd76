"""How a notebook shows its figures: as JPEG, and with what has to be said about them."""

from typing import Any

from matplotlib.figure import Figure

from samflow.results.plots import with_note


def show_figures_inline(note: str) -> None:
    """Show every figure of the notebook as JPEG, with `note` over it where there is one.

    Photographs as PNG would make a notebook large. Outside of a notebook this does nothing.

    Parameters
    ----------
    note : str
        Such as that the demo weights know dye clips only; empty for none.
    """
    from IPython import get_ipython

    if get_ipython() is None:
        return
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    set_matplotlib_formats("jpeg")
    if not note:
        return
    formatter = get_ipython().display_formatter.formatters["image/jpeg"]
    draw = formatter.lookup_by_type(Figure)

    def draw_with_note(figure: Figure) -> Any:
        return draw(with_note(figure, note))

    formatter.for_type(Figure, draw_with_note)
