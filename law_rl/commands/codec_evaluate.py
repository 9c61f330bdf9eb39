"""The codec measured on pictures."""

import json
import math
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from law_rl.commands.codec_arguments import CodecEvaluateCommand
from law_rl.commands.codec_batch import run_batch
from law_rl.commands.codec_files import sources
from law_rl.commands.codec_models import chosen_codec
from law_rl.compression.codec import Codec
from law_rl.compression.measured import Measured, measure
from law_rl.compression.pictures import ENDINGS, read_picture
from law_rl.compression.rate_curve import mean_or_none

HEADINGS = ("picture", "pixels", "bytes", "bits per pixel", "PSNR, dB", "MS-SSIM", "encode, s", "decode, s")
NUMBERS = ("bytes", "bpp", "psnr", "ms_ssim", "encode_s", "decode_s")


def evaluate(command: CodecEvaluateCommand) -> None:
    """Prints a row for each picture, and the means."""
    found = sources(command.pictures, ENDINGS)
    codec = chosen_codec(command.quality, command.model, command.device)
    _warm_up(codec, found)
    batch = run_batch(
        found,
        lambda path: measure(str(path), read_picture(path), codec.encode, codec.decode),
        workers=1,
        name="evaluate",
        console=Console(stderr=command.json),
    )
    if command.json:
        print(json.dumps(to_json(batch.results), indent=2))
    else:
        Console().print(_table(batch.results))
    batch.end()


def _warm_up(codec: Codec, found: Sequence[Path]) -> None:
    """Codes a picture unmeasured, as the first of all is slower than the rest; those that fail are named later."""
    for path in found:
        with suppress(ValueError, OSError):
            codec.decode(codec.encode(read_picture(path)))
            return


def means(measured: Sequence[Measured]) -> dict[str, float | None]:
    """The mean of every number; None where a picture lacks it."""
    return {name: mean_or_none([getattr(each, name) for each in measured]) for name in NUMBERS}


def to_json(measured: Sequence[Measured]) -> dict[str, Any]:
    """The rows and their means; what is infinite (the PSNR of exact pictures) is null."""
    rows = [_finite(asdict(each)) for each in measured]
    return {"pictures": rows, "mean": _finite(means(measured))}


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    endless = [name for name, value in row.items() if isinstance(value, float) and not math.isfinite(value)]
    return row | dict.fromkeys(endless)


def _table(measured: Sequence[Measured]) -> Table:
    table = Table()
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == "picture" else "right", overflow="fold")
    for name, each in zip(short_names([each.name for each in measured]), measured, strict=True):
        table.add_row(escape(name), f"{each.width}x{each.height}", *_cells(asdict(each)))
    table.add_section()
    table.add_row(f"mean of {len(measured)}", "", *_cells(means(measured)), style="bold")
    return table


def short_names(names: Sequence[str]) -> list[str]:
    """Paths without the folder that all of them are in."""
    folder = os.path.commonpath([os.path.dirname(os.path.abspath(name)) for name in names])
    return [os.path.relpath(name, folder) for name in names]


def _cells(row: dict[str, Any]) -> list[str]:
    digits = {"bytes": ",.0f", "bpp": ".4f", "psnr": ".2f", "ms_ssim": ".4f", "encode_s": ".3f", "decode_s": ".3f"}
    return ["" if row[name] is None else f"{row[name]:{digits[name]}}" for name in NUMBERS]
