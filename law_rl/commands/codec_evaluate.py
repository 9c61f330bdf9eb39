"""The codec measured on pictures."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from law_rl.commands.codec_arguments import CodecEvaluateCommand
from law_rl.commands.codec_batch import run_batch
from law_rl.commands.codec_files import sources
from law_rl.commands.codec_models import chosen_codec
from law_rl.commands.codec_rows import Column, Rows
from law_rl.compression.codec import Codec
from law_rl.compression.measured import measure
from law_rl.compression.pictures import ENDINGS, read_picture

COLUMNS = (
    Column(field="bytes", heading="bytes", digits=",.0f"),
    Column(field="bpp", heading="bits/\npixel", digits=".4f"),
    Column(field="psnr", heading="PSNR,\ndB", digits=".2f"),
    Column(field="ms_ssim", heading="MS-SSIM", digits=".4f"),
    Column(field="encode_s", heading="encode,\ns", digits=".3f"),
    Column(field="decode_s", heading="decode,\ns", digits=".3f"),
)


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
    rows = Rows(noun="picture", columns=COLUMNS, measured=batch.results)
    if command.json:
        print(json.dumps(rows.to_json(), indent=2))
    else:
        Console().print(rows.table())
    batch.end()


def _warm_up(codec: Codec, found: Sequence[Path]) -> None:
    """Codes a picture unmeasured, as the first of all is slower than the rest; those that fail are named later."""
    for path in found:
        with suppress(ValueError, OSError):
            codec.decode(codec.encode(read_picture(path)))
            return
