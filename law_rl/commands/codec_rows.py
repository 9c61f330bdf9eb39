"""Tables of what a codec's files cost, a row each and the means; as JSON too."""

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from law_rl.compression.measured import Measured
from law_rl.compression.rate_curve import mean_or_none
from law_rl.compression.video.clip_metrics import MeasuredClip

SHORTEST = 8
"""Characters of a row's name that are on one line at least."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A number of each row: its field, what stands over it, and how it is written."""

    field: str
    heading: str
    digits: str


Row = Measured | MeasuredClip


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What was measured on pictures or clips: `noun` says on one of them."""

    noun: str
    columns: tuple[Column, ...]
    measured: Sequence[Row]

    def means(self) -> dict[str, float | None]:
        """The mean of every number; None where a row lacks it."""
        fields = [column.field for column in self.columns]
        return {field: mean_or_none([getattr(each, field) for each in self.measured]) for field in fields}

    def to_json(self) -> dict[str, Any]:
        """The rows and their means; what is infinite (the PSNR of exact pictures) is null."""
        return {f"{self.noun}s": [finite(asdict(each)) for each in self.measured], "mean": finite(self.means())}

    def table(self) -> Table:
        """For the terminal."""
        table = Table(box=box.SIMPLE_HEAVY, collapse_padding=True, pad_edge=False, show_edge=False)
        table.add_column(self.noun, overflow="fold", min_width=SHORTEST)
        for heading in ("pixels", *(column.heading for column in self.columns)):
            table.add_column(heading, justify="right", no_wrap=True)
        for name, each in zip(short_names([each.name for each in self.measured]), self.measured, strict=True):
            table.add_row(escape(name), f"{each.width}x{each.height}", *self._cells(asdict(each)))
        table.add_section()
        table.add_row(f"mean of {len(self.measured)}", "", *self._cells(self.means()), style="bold")
        return table

    def _cells(self, row: dict[str, Any]) -> list[str]:
        return ["" if row[each.field] is None else f"{row[each.field]:{each.digits}}" for each in self.columns]


def finite(row: dict[str, Any]) -> dict[str, Any]:
    """The row with null for what is infinite."""
    endless = [name for name, value in row.items() if isinstance(value, float) and not math.isfinite(value)]
    return row | dict.fromkeys(endless)


def short_names(names: Sequence[str]) -> list[str]:
    """Paths without the folder that all of them are in."""
    folder = os.path.commonpath([os.path.dirname(os.path.abspath(name)) for name in names])
    return [os.path.relpath(name, folder) for name in names]
