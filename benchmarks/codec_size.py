"""How much larger files are than the models that ship estimate: whole files of real pictures, beside likelihoods."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from benchmarks.running import bar
from benchmarks.tables import RESULTS, markdown_table, write_results
from law_rl.compression.codec import Codec, load_codec
from law_rl.compression.pictures import ENDINGS, read_picture
from law_rl.compression.shipped import shipped_models

MOST, SPARE, AIM = 0.005, 64, 0.001
"""The share of the estimate that a file may be above it, beside so many bytes, and the share aimed at."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is encoded."""

    pictures: tyro.conf.Positional[Path]
    """A folder of pictures, such as Kodak's."""
    threads: int = 2
    out: Path = RESULTS


def sizes(codec: Codec, paths: Sequence[Path]) -> list[tuple[int, float]]:
    """Of each picture the bytes of its file, and those estimated."""
    pictures = [read_picture(path) for path in paths]
    return [(len(codec.encode(picture)), codec.estimated_bits(picture) / 8) for picture in pictures]


def row(quality: int, found: Sequence[tuple[int, float]]) -> tuple[str, ...]:
    """Total bytes, how far above the estimate in all, at worst without the spare bytes, and whether all are within."""
    total, estimated = sum(size for size, _ in found), sum(estimate for _, estimate in found)
    worst = max((size - SPARE - estimate) / estimate for size, estimate in found)
    within = sum(size <= (1 + MOST) * estimate + SPARE for size, estimate in found)
    shares = (f"{100 * share:+.3f} %" for share in (total / estimated - 1, worst))
    return (f"quality {quality}", f"{total:,}", *shares, f"{within} of {len(found)}")


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    torch.set_num_threads(options.threads)
    paths = sorted(path for path in options.pictures.iterdir() if path.suffix.lower() in ENDINGS)
    found = {}
    with bar("files", len(shipped_models())) as line:
        for done, quality in enumerate(shipped_models(), 1):
            found[quality] = sizes(load_codec(quality), paths)
            line.show(done)
    header = ("model", "bytes of all files", "over the estimate", f"worst file less {SPARE} bytes", "within the limit")
    table = markdown_table(header, [row(quality, each) for quality, each in found.items()])
    text = f"{len(paths)} pictures. The limit is {100 * MOST:g} % and {SPARE} bytes, the aim {100 * AIM:g} %."
    write_results(options.out, "codec_size", {"sizes": found}, f"{table}\n\n{text}", command="codec_size PICTURES")
    print(f"{table}\n\n{text}")


if __name__ == "__main__":
    main()
