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

    # None: on a terminal alone; a notebook's output is none
    in_notebook = any(kind.__module__ == "tqdm.notebook" for kind in tqdm.__mro__)
    disable = False if in_notebook else None
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
