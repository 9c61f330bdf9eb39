"""The codec beside JPEG, WebP and AVIF, and on Kodak's pictures beside what others published."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from law_rl.commands.codec_arguments import CodecCompareCommand
from law_rl.commands.codec_batch import run_batch
from law_rl.commands.codec_curves import Setting, curves, curves_json, rates_table
from law_rl.commands.codec_files import sources
from law_rl.commands.codec_models import compared_codecs
from law_rl.compression.codec import Codec
from law_rl.compression.comparison import Comparison
from law_rl.compression.measured import Measured, measure, point
from law_rl.compression.peers import PEERS, Peer
from law_rl.compression.pictures import ENDINGS, Pixels, read_picture
from law_rl.compression.published import is_kodak, published_kodak

NAME = "EDIC (law-rl)"
PictureSetting = Setting[Pixels, Measured]


def compare(command: CodecCompareCommand) -> None:
    """Prints the BD-rates against every other codec, and writes the report where one is asked for."""
    found = sources(command.pictures, ENDINGS)
    settings = [*_own_settings(command), *(each for peer in PEERS if peer.available for each in _settings(peer))]
    console = Console(stderr=command.json)
    batch = run_batch(
        found, lambda path: _measured(path, settings), workers=command.workers, name="compare", console=console
    )
    codec, *peers = curves(settings, batch.results, point)
    if not batch.failed and is_kodak(found):
        peers += published_kodak()
    comparison = Comparison(noun="picture", count=len(batch.results), codec=codec, peers=tuple(peers))
    if command.report is not None:
        from law_rl.report.codec_page import write_codec_report

        write_codec_report(command.report, "Bits and pictures", comparison)
    if command.json:
        print(json.dumps({"pictures": comparison.count, **curves_json(comparison)}, indent=2))
    else:
        console.print(f"bits of {comparison.codec.name} at the same quality, {comparison.what}")
        console.print(rates_table(comparison))
    missing = [peer.name for peer in PEERS if not peer.available]
    if missing:
        console.print(f"not compared, as this Pillow lacks it: {', '.join(missing)}; pip install -U pillow brings it")
    if command.report is not None:
        console.print(f"report: {command.report}", highlight=False, markup=False, soft_wrap=True)
    batch.end()


def _own_settings(command: CodecCompareCommand) -> list[PictureSetting]:
    def of(codec: Codec) -> Callable[[str, Pixels], Measured]:
        return lambda path, pixels: measure(path, pixels, codec.encode, codec.decode)

    codecs = compared_codecs(command.models, command.device)
    return [PictureSetting(codec=NAME, setting=name, measure=of(codec)) for name, codec in codecs]


def _settings(peer: Peer) -> list[PictureSetting]:
    def at(quality: int) -> Callable[[str, Pixels], Measured]:
        return lambda path, pixels: measure(
            path,
            pixels,
            lambda each: peer.encode(each, quality),
            lambda content: peer.decode(content, grey=pixels.ndim == 2),
        )

    return [
        PictureSetting(codec=peer.name, setting=f"quality {quality}", measure=at(quality)) for quality in peer.qualities
    ]


def _measured(path: Path, settings: Sequence[PictureSetting]) -> list[Measured]:
    pixels = read_picture(path)
    return [each.measure(str(path), pixels) for each in settings]
