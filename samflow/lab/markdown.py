"""Tables as text."""

from collections.abc import Iterable, Sequence


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Give a table in Markdown.

    Examples
    --------
    >>> print(markdown_table(["clip", "J"], [["gentle", "0.91"]]))
    | clip | J |
    | --- | --- |
    | gentle | 0.91 |
    """
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows))
