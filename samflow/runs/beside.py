"""Work beside the models: frames fetched ahead, results written while the next are made."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

_Item = TypeVar("_Item")
_END = object()


def one_ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """Give the items of an iterator, each fetched by a thread while the one before is used.

    Examples
    --------
    >>> list(one_ahead(iter("abc")))
    ['a', 'b', 'c']
    """
    with ThreadPoolExecutor(1, "samflow-ahead") as thread:
        coming = thread.submit(next, items, _END)
        while (item := coming.result()) is not _END:
            coming = thread.submit(next, items, _END)
            yield item  # type: ignore[misc]  # mypy does not follow the sentinel


class Beside:
    """A thread that does one thing after another, in a `with` block, which ends when it has.

    At most one thing waits for it, so that memory does not grow. What the thread raises is raised
    by the next `do`, or by the end of the block.
    """

    def __enter__(self) -> "Beside":
        self._thread = ThreadPoolExecutor(1, "samflow-beside")
        self._latest: Future[Any] | None = None
        return self

    def do(self, work: Callable[..., Any], *given: Any) -> None:
        """Have `work(*given)` done, once what was asked before is done."""
        self._wait()
        self._latest = self._thread.submit(work, *given)

    def _wait(self) -> None:
        latest, self._latest = self._latest, None
        if latest is not None:
            latest.result()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._thread.shutdown(wait=True)
        if kind is None:
            self._wait()
