"""The video codec measured on clips."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from law_rl.commands.codec_batch import run_clips
from law_rl.commands.codec_clip_settings import ClipSetting, measure_path, model_setting
from law_rl.commands.codec_clips import clips_of
from law_rl.commands.codec_frames import bounds
from law_rl.commands.codec_rows import Column, Rows
from law_rl.commands.codec_video_arguments import CodecEvaluateVideoCommand
from law_rl.commands.codec_video_models import chosen_video_codec

COLUMNS = (
    Column(field="frames", heading="frames", digits=",.0f"),
    Column(field="bytes", heading="bytes", digits=",.0f"),
    Column(field="bpp", heading="bits/\npixel", digits=".4f"),
    Column(field="psnr", heading="PSNR,\ndB", digits=".2f"),
    Column(field="ms_ssim", heading="MS-SSIM", digits=".4f"),
    Column(field="encode_fps", heading="encode,\nfps", digits=".2f"),
    Column(field="decode_fps", heading="decode,\nfps", digits=".2f"),
)


def evaluate_video(command: CodecEvaluateVideoCommand) -> None:
    """Prints a row for each clip, and the means."""
    found = clips_of(command.clips)
    bounds(command.frames)
    codec = chosen_video_codec(command.quality, command.model, command.intra, command.device)
    setting = model_setting("video codec", f"quality {codec.model.quality}", codec, command.gop)
    _warm_up(setting, found)
    batch = run_clips(
        found,
        lambda path, tell: measure_path(path, command.frames, [setting], tell)[0],
        name="evaluate",
        console=Console(stderr=command.json),
    )
    rows = Rows(noun="clip", columns=COLUMNS, measured=batch.results)
    if command.json:
        print(json.dumps(rows.to_json(), indent=2))
    else:
        Console().print(rows.table())
    batch.end()


def _warm_up(setting: ClipSetting, found: Sequence[Path]) -> None:
    """Codes two frames unmeasured, as the first of all are slower than the rest; clips that fail are named later."""
    for path in found:
        with suppress(ValueError, OSError):
            measure_path(path, ":2", [setting], lambda share: None)
            return
