"""Curves and BD-rates of a codec and its peers, from what was measured at each of their settings."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from rich.table import Table

from law_rl.compression.bd_rate import BdRate
from law_rl.compression.comparison import Comparison, in_words
from law_rl.compression.rate_curve import RateCurve, RatePoint

Source = TypeVar("Source")
Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Setting(Generic[Source, Row]):
    """A codec at one setting; `measure` takes a picture's or clip's name and content."""

    codec: str
    setting: str
    measure: Callable[[str, Source], Row]


def curves(
    settings: Sequence[Setting[Source, Row]],
    rows: Sequence[Sequence[Row]],
    point: Callable[[str, Sequence[Row]], RatePoint],
) -> tuple[RateCurve, ...]:
    """A curve for each codec, in the order of the settings; `rows` holds a row for each of them of each picture, and
    `point` takes the mean.
    """
    points = [
        (each.codec, point(each.setting, column))
        for each, column in zip(settings, zip(*rows, strict=True), strict=True)
    ]
    names = dict.fromkeys(codec for codec, _ in points)
    return tuple(RateCurve(name=name, points=tuple(each for codec, each in points if codec == name)) for name in names)


def curves_json(comparison: Comparison) -> dict[str, Any]:
    """Every point, and the BD-rates; null where curves do not overlap, and for what is infinite."""
    return {
        "curves": {
            curve.name: {
                "published": curve.published,
                "points": [
                    asdict(each) | {"psnr": each.psnr if math.isfinite(each.psnr) else None} for each in curve.points
                ],
            }
            for curve in comparison.curves
        },
        "bd_rates": rates_json(comparison),
    }


def rates_json(comparison: Comparison) -> dict[str, Any]:
    """The BD-rates against each peer; null where curves do not overlap."""
    return {
        each.name: {
            metric: asdict(rate) if isinstance(rate, BdRate) else None
            for metric, rate in (("psnr", each.psnr), ("ms_ssim", each.ms_ssim))
        }
        for each in comparison.against()
    }


def rates_table(comparison: Comparison, beside: Mapping[str, Sequence[str]] = MappingProxyType({})) -> Table:
    """The BD-rates for the terminal, a row a peer; `beside` has more columns, by their headings."""
    against = comparison.against()
    columns = {
        "PSNR": [in_words(each.psnr) for each in against],
        "over, dB": [
            "" if isinstance(each.psnr, str) else f"{each.psnr.low:.1f} to {each.psnr.high:.1f}" for each in against
        ],
        "MS-SSIM": [in_words(each.ms_ssim) for each in against],
        **beside,
    }
    table = Table()
    table.add_column("against", no_wrap=True)
    for heading in columns:
        table.add_column(heading, justify="right", overflow="fold")
    for each, *cells in zip(against, *columns.values(), strict=True):
        table.add_row(each.name, *cells)
    return table
