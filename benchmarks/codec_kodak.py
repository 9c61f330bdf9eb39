"""What the models that ship reach on Kodak's pictures: rate-distortion points and BD-rates.

Reads what `law-rl codec compare KODAK --json` printed, which takes some ten minutes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from benchmarks.tables import RESULTS, markdown_table, write_results

OURS = "EDIC (law-rl)"
MUST, AIM = "JPEG", "WebP"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is read, and where the tables go."""

    compared: tyro.conf.Positional[Path]
    """The JSON that `law-rl codec compare --json` printed."""
    out: Path = RESULTS


def points_table(points: Sequence[Mapping[str, Any]]) -> str:
    rows = [(each["setting"], f"{each['bpp']:.4f}", f"{each['psnr']:.2f}", f"{each['ms_ssim']:.4f}") for each in points]
    return markdown_table(("model", "bits per pixel", "PSNR, dB", "MS-SSIM"), rows)


def rates_table(rates: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [(name, *(_percent(found[metric]) for metric in ("psnr", "ms_ssim"))) for name, found in rates.items()]
    return markdown_table(("bits against", "at the same PSNR", "at the same MS-SSIM"), rows)


def _percent(rate: Mapping[str, float] | None) -> str:
    return "no overlap" if rate is None else f"{rate['percent']:+.1f} %"


def verdict(rates: Mapping[str, Mapping[str, Any]]) -> str:
    """How the BD-rates (PSNR) stand to what was asked: fewer bits than JPEG, and, as the aim, than WebP."""
    words = []
    for name, kind in ((MUST, "must"), (AIM, "aim")):
        rate = rates[name]["psnr"]
        reached = rate is not None and rate["percent"] < 0
        words.append(f"{'fewer' if reached else 'NOT fewer'} bits than {name} ({_percent(rate)}; {kind})")
    return f"The models that ship need {' and '.join(words)}, at the same PSNR."


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    found = json.loads(options.compared.read_text(encoding="utf-8"))
    count = f"Means over {found['pictures']} pictures; bits are those of whole files, 'published' is not measured here."
    parts = [points_table(found["curves"][OURS]["points"]), count, rates_table(found["bd_rates"])]
    text = "\n\n".join([*parts, verdict(found["bd_rates"])])
    write_results(options.out, "codec_kodak", found, text, command="codec_kodak COMPARED.json")
    print(text)


if __name__ == "__main__":
    main()
