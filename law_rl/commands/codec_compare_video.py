"""The video codec beside x264 and x265 on clips."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from law_rl.commands.codec_batch import Tell, run_clips
from law_rl.commands.codec_clip_settings import ClipSetting, measure_path, model_setting, peer_settings
from law_rl.commands.codec_clips import clips_of
from law_rl.commands.codec_curves import curves, curves_json, rates_json, rates_table
from law_rl.commands.codec_frames import bounds
from law_rl.commands.codec_rows import short_names
from law_rl.commands.codec_video_arguments import CodecCompareVideoCommand
from law_rl.commands.codec_video_models import compared_video_codecs
from law_rl.compression.comparison import Comparison
from law_rl.compression.video.clip_comparison import ClipComparison, mean_in_words
from law_rl.compression.video.clip_metrics import MeasuredClip, clip_point
from law_rl.compression.video.peers import VideoPeer, video_peers
from law_rl.compression.video.pyav import check_pyav
from law_rl.compression.video.sources import open_clip

NAME = "video codec (law-rl)"


def compare_video(command: CodecCompareVideoCommand) -> None:
    """Prints the BD-rates against every other codec, and writes the report where one is asked for."""
    check_pyav("comparing with x264 and x265")
    found = clips_of(command.clips)
    bounds(command.frames)
    known = video_peers(command.gop)
    peers = [peer for peer in known if peer.available]
    settings = [*_own_settings(command), *(each for peer in peers for each in peer_settings(peer))]
    console = Console(stderr=command.json)

    def work(path: Path, tell: Tell) -> list[MeasuredClip]:
        if peers:
            _check_even(path)
        return measure_path(path, command.frames, settings, tell)

    batch = run_clips(found, work, name="compare", console=console)
    comparison = _comparison(settings, batch.results, command.gop, peers)
    if command.json:
        print(json.dumps(_to_json(comparison, settings, batch.results), indent=2))
    else:
        _print(console, comparison)
    missing = [peer.name for peer in known if not peer.available]
    if missing:
        console.print(f"not compared, as PyAV's FFmpeg lacks it: {', '.join(missing)}")
    if command.report is not None:
        from law_rl.report.codec_video_page import write_video_report

        write_video_report(command.report, "Bits and clips", comparison)
        console.print(f"report: {command.report}", highlight=False, markup=False, soft_wrap=True)
    batch.end()


def _own_settings(command: CodecCompareVideoCommand) -> list[ClipSetting]:
    models = compared_video_codecs(command.models, command.intra, command.device)
    return [model_setting(NAME, name, model, command.gop) for name, model in models]


def _check_even(path: Path) -> None:
    """ValueError for a clip that the peers cannot code, before any time goes into it."""
    clip = open_clip(path)
    if clip.width % 2 or clip.height % 2:
        raise ValueError(
            f"{path} is {clip.width} x {clip.height}, and x264 and x265 halve the colours of even sides: crop it by a "
            "pixel"
        )


def _comparison(
    settings: Sequence[ClipSetting], rows: Sequence[Sequence[MeasuredClip]], gop: int, peers: Sequence[VideoPeer]
) -> ClipComparison:
    def of(rows: Sequence[Sequence[MeasuredClip]]) -> Comparison:
        codec, *others = curves(settings, rows, clip_point)
        return Comparison(noun="clip", count=len(rows), codec=codec, peers=tuple(others))

    names = short_names([row[0].name for row in rows])
    return ClipComparison(
        gop=gop,
        mean=of(rows),
        clips={name: of([row]) for name, row in zip(names, rows, strict=True)},
        settings={peer.name: f"{peer.version}: {peer.settings}" for peer in peers},
    )


def _to_json(
    comparison: ClipComparison, settings: Sequence[ClipSetting], rows: Sequence[Sequence[MeasuredClip]]
) -> dict[str, Any]:
    """The curves that are means over clips, then every point of every clip; null where curves do not overlap."""
    clips = [
        {
            "name": row[0].name,
            "points": [
                {"codec": at.codec, "setting": at.setting, **asdict(each)}
                for at, each in zip(settings, row, strict=True)
            ],
            "bd_rates": rates_json(own),
        }
        for row, own in zip(rows, comparison.clips.values(), strict=True)
    ]
    means = {
        each.name: {
            metric: None if isinstance(rate, str) else rate
            for metric, rate in (("psnr", each.psnr), ("ms_ssim", each.ms_ssim))
        }
        for each in comparison.against()
    }
    return {
        "clips": comparison.mean.count,
        "gop": comparison.gop,
        "peers": dict(comparison.settings),
        **curves_json(comparison.mean),
        "mean_bd_rates_of_clips": means,
        "each": clips,
    }


def _print(console: Console, comparison: ClipComparison) -> None:
    against = comparison.against()
    columns = {
        "PSNR,\nby clip": [mean_in_words(each.psnr) for each in against],
        "MS-SSIM,\nby clip": [mean_in_words(each.ms_ssim) for each in against],
    }
    console.print(f"bits of {comparison.mean.codec.name} at the same quality, {comparison.mean.what}")
    console.print(rates_table(comparison.mean, columns))
    lines = [
        "PSNR and MS-SSIM: BD-rates of curves that are means over the clips. By clip: the mean of each clip's "
        "BD-rate, as papers report it.",
        comparison.terms,
        *(f"{name} is {settings}" for name, settings in comparison.settings.items()),
    ]
    console.print(*lines, sep="\n", highlight=False, markup=False)
