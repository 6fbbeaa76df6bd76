"""A line that says what takes long and for how long it has: loading, encoding a frame on a CPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

# what is done sooner needs no word
_PATIENCE_S = 1.0


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show what is being done, with the seconds that it has taken, while the block runs.

    Parameters
    ----------
    text : str
        Such as "loading SAM vit_h". It appears after a second, on a terminal and in a notebook,
        and goes away at the end; nothing is shown where the output is a file.
    """
    # imported before the thread starts: two threads that import each other's modules may wait
    # for one another
    from tqdm.auto import tqdm

    disable = _hidden(tqdm)
    done = Event()

    def show() -> None:
        if done.wait(_PATIENCE_S):
            return
        form = "{desc}: {elapsed}"
        with tqdm(desc=text, bar_format=form, leave=False, disable=disable) as line:
            while not done.wait(_PATIENCE_S):
                line.refresh()

    thread = Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def counted(steps: range, text: str) -> Iterator[int]:
    """Give the steps of something long, with a bar where `waiting` shows its line.

    Parameters
    ----------
    steps : range
    text : str
        What is being done.
    """
    from tqdm.auto import tqdm

    shown: Iterator[int] = iter(
        tqdm(steps, text, leave=False, unit="step", delay=_PATIENCE_S, disable=_hidden(tqdm))
    )
    return shown


def _hidden(bar: type) -> bool | None:
    """What a bar's `disable` has to be: None shows it on a terminal, and not in a file."""
    # a notebook's output is no terminal
    in_notebook = any(kind.__module__ == "tqdm.notebook" for kind in bar.__mro__)
    return False if in_notebook else None
