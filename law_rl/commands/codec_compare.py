"""The codec beside JPEG, WebP and AVIF, and on Kodak's pictures beside what others published."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from law_rl.commands.codec_arguments import CodecCompareCommand
from law_rl.commands.codec_batch import run_batch
from law_rl.commands.codec_files import sources
from law_rl.commands.codec_models import compared_codecs
from law_rl.compression.bd_rate import BdRate
from law_rl.compression.codec import Codec
from law_rl.compression.comparison import Comparison, in_words
from law_rl.compression.measured import Measured, measure, point
from law_rl.compression.peers import PEERS, Peer
from law_rl.compression.pictures import ENDINGS, Pixels, read_picture
from law_rl.compression.published import is_kodak, published_kodak
from law_rl.compression.rate_curve import RateCurve

NAME = "EDIC (law-rl)"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A codec at one setting."""

    codec: str
    setting: str
    measure: Callable[[str, Pixels], Measured]


def compare(command: CodecCompareCommand) -> None:
    """Prints the BD-rates against every other codec, and writes the report where one is asked for."""
    found = sources(command.pictures, ENDINGS)
    settings = [*_own_settings(command), *(each for peer in PEERS if peer.available for each in _settings(peer))]
    console = Console(stderr=command.json)
    batch = run_batch(
        found, lambda path: _measured(path, settings), workers=command.workers, name="compare", console=console
    )
    comparison = _comparison(settings, batch.results, kodak=not batch.failed and is_kodak(found))
    if command.report is not None:
        from law_rl.report.codec_page import write_codec_report

        write_codec_report(command.report, "Bits and pictures", comparison)
    if command.json:
        print(json.dumps(to_json(comparison), indent=2))
    else:
        console.print(f"bits of {comparison.codec.name} at the same quality, {comparison.pictures} pictures")
        console.print(_table(comparison))
    missing = [peer.name for peer in PEERS if not peer.available]
    if missing:
        console.print(f"not compared, as this Pillow lacks it: {', '.join(missing)}; pip install -U pillow brings it")
    if command.report is not None:
        console.print(f"report: {command.report}", highlight=False, markup=False, soft_wrap=True)
    batch.end()


def _own_settings(command: CodecCompareCommand) -> list[Setting]:
    def of(codec: Codec) -> Callable[[str, Pixels], Measured]:
        return lambda path, pixels: measure(path, pixels, codec.encode, codec.decode)

    codecs = compared_codecs(command.models, command.device)
    return [Setting(codec=NAME, setting=name, measure=of(codec)) for name, codec in codecs]


def _settings(peer: Peer) -> list[Setting]:
    def at(quality: int) -> Callable[[str, Pixels], Measured]:
        return lambda path, pixels: measure(
            path,
            pixels,
            lambda each: peer.encode(each, quality),
            lambda content: peer.decode(content, grey=pixels.ndim == 2),
        )

    return [Setting(codec=peer.name, setting=f"quality {quality}", measure=at(quality)) for quality in peer.qualities]


def _measured(path: Path, settings: Sequence[Setting]) -> list[Measured]:
    pixels = read_picture(path)
    return [each.measure(str(path), pixels) for each in settings]


def _comparison(settings: Sequence[Setting], rows: Sequence[Sequence[Measured]], *, kodak: bool) -> Comparison:
    columns = list(zip(*rows, strict=True))
    curves = [
        RateCurve(
            name=name,
            points=tuple(
                point(each.setting, column)
                for each, column in zip(settings, columns, strict=True)
                if each.codec == name
            ),
        )
        for name in dict.fromkeys(each.codec for each in settings)
    ]
    return Comparison(pictures=len(rows), codec=curves[0], peers=(*curves[1:], *(published_kodak() if kodak else ())))


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Every point, and the BD-rates; null where curves do not overlap, and for what is infinite."""
    return {
        "pictures": comparison.pictures,
        "curves": {
            curve.name: {
                "published": curve.published,
                "points": [
                    asdict(each) | {"psnr": each.psnr if math.isfinite(each.psnr) else None} for each in curve.points
                ],
            }
            for curve in comparison.curves
        },
        "bd_rates": {
            each.name: {
                metric: asdict(rate) if isinstance(rate, BdRate) else None
                for metric, rate in (("psnr", each.psnr), ("ms_ssim", each.ms_ssim))
            }
            for each in comparison.against()
        },
    }


def _table(comparison: Comparison) -> Table:
    table = Table()
    for heading in ("against", "PSNR", "over, dB", "MS-SSIM"):
        table.add_column(heading, justify="left" if heading == "against" else "right")
    for each in comparison.against():
        span = "" if isinstance(each.psnr, str) else f"{each.psnr.low:.1f} to {each.psnr.high:.1f}"
        table.add_row(each.name, in_words(each.psnr), span, in_words(each.ms_ssim))
    return table
