"""Pieces of a Markdown page."""

import re
from collections.abc import Iterable


def code(text: str) -> list[str]:
    """The lines of a block of Python."""
    return ["```python", *text.splitlines(), "```"]


def table(rows: Iterable[tuple[str, str]]) -> list[str]:
    """The lines of a table of two columns without headings."""
    return ["| | |", "|---|---|", *(f"| {escaped(name)} | {escaped(value)} |" for name, value in rows)]


def escaped(text: str) -> str:
    """The text on one line, without a meaning for Markdown."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", " ".join(text.split()))
