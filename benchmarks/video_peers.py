"""What the video models that ship reach beside x264 and x265: rate-distortion points and BD-rates.

Reads what `law-rl codec compare-video CLIPS --json` printed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from benchmarks.codec_kodak import points_table
from benchmarks.tables import RESULTS, markdown_table, write_results

OURS = "video codec (law-rl)"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is read, and where the tables go."""

    compared: tyro.conf.Positional[Path]
    """The JSON that `law-rl codec compare-video --json` printed."""
    out: Path = RESULTS


def rates_table(found: Mapping[str, Any]) -> str:
    """For each peer the BD-rate by PSNR of each clip and their mean, and the mean by MS-SSIM."""
    clips = [clip["name"] for clip in found["each"]]
    rows = [
        (
            peer,
            *(_percent(clip["bd_rates"][peer]["psnr"]) for clip in found["each"]),
            *(_mean(found["mean_bd_rates_of_clips"][peer][metric]) for metric in ("psnr", "ms_ssim")),
        )
        for peer in found["peers"]
    ]
    return markdown_table(("bits against, at the same PSNR", *clips, "mean", "mean at the same MS-SSIM"), rows)


def _without_folders(entry: dict[str, Any]) -> dict[str, Any]:
    """An object of the JSON in which a clip is named without the folders that it was in."""
    return entry | {"name": Path(entry["name"]).name} if "name" in entry else entry


def _percent(rate: Mapping[str, float] | None) -> str:
    return "no overlap" if rate is None else f"{rate['percent']:+.0f} %"


def _mean(rate: float | None) -> str:
    return "no overlap" if rate is None else f"{rate:+.0f} %"


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    found = json.loads(options.compared.read_text(encoding="utf-8"), object_hook=_without_folders)
    frames = ", ".join(f"{clip['name']} {clip['points'][0]['frames']}" for clip in found["each"])
    settings = "\n".join(f"- {name}: {setting}" for name, setting in found["peers"].items())
    text = (
        f"{points_table(found['curves'][OURS]['points'])}\n\nMeans over the clips; GOP {found['gop']} for all codecs. "
        f"Frames: {frames}. Bits are those of whole files, of the peers those of streams.\n\n{rates_table(found)}\n\n"
        f"{settings}"
    )
    write_results(options.out, "video_peers", found, text, command="video_peers COMPARED.json")
    print(text)


if __name__ == "__main__":
    main()
