"""Whole .edicv files of the video models that ship: their size beside the estimate, their frames, and the times.

Encodes clips, decodes each file twice in other processes with other numbers of threads, and compares every frame with
the reference that the encoder had.
"""

import hashlib
import io
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import tyro
from numpy.typing import NDArray

from benchmarks.running import bar
from benchmarks.tables import RESULTS, markdown_table, write_results
from law_rl.compression.image_metrics import psnr
from law_rl.compression.video.container import VideoReader
from law_rl.compression.video.shipped import shipped_video_models, video_model_path
from law_rl.compression.video.sources import open_clip
from law_rl.compression.video.validation import validate_video
from law_rl.compression.video.video_codec import VideoCodec, load_video_codec

Frame = NDArray[np.uint8]
DECODERS = (1, 2)
"""Threads of the decoding processes."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is encoded."""

    clips: tyro.conf.Positional[Path]
    """A folder of clips, each a folder of pictures."""
    models: tuple[str, ...] = ()
    """Qualities or files of models; by default all that ship."""
    frames: int = 60
    """Of each clip at most."""
    gop: int = 10
    threads: int = 2
    decode: Path | None = None
    """Decode this file and print the digest of each frame, as the benchmark's own children do."""
    out: Path = RESULTS


def digests(frames: Sequence[Frame]) -> list[str]:
    return [hashlib.sha256(frame.tobytes()).hexdigest()[:16] for frame in frames]


def measure(model: str, clip: Path, options: Options) -> dict[str, Any]:
    """One file: bytes, estimate, whether both other processes decode the encoder's references, PSNR and frames a
    second."""
    codec, frames = load_video_codec(model), list(islice(open_clip(clip), options.frames))
    content, references, seconds = _encoded(codec, frames, options.gop)
    begun = time.perf_counter()
    decoded = [frame for _, frame in codec.decode(VideoReader(content))]
    network, intra = codec.model.network(), codec.model.intra_model().network()
    estimate = validate_video(network, intra, [frames], options.gop)
    pixels = len(frames) * frames[0].shape[0] * frames[0].shape[1]
    row = {
        "model": Path(model).stem,
        "clip": clip.name,
        "frames": len(frames),
        "bytes": len(content),
        "over_estimate": 8 * len(content) / (estimate.bpp * pixels) - 1,
        "bpp": 8 * len(content) / pixels,
        "psnr": fmean(psnr(frame, each) for frame, each in zip(frames, decoded, strict=True)),
        "encode_fps": len(frames) / seconds,
        "decode_fps": len(frames) / (time.perf_counter() - begun),
    }
    with TemporaryDirectory() as folder:
        path = Path(folder) / "clip.edicv"
        path.write_bytes(content)
        found = [_decoded_elsewhere(path, model, threads) for threads in DECODERS]
    return row | {"exact": all(each == references for each in found) and digests(decoded) == references}


def _encoded(codec: VideoCodec, frames: Sequence[Frame], gop: int) -> tuple[bytes, list[str], float]:
    """The file, the digests of the references that the encoder had, and the seconds that it took."""
    file, references = io.BytesIO(), []
    encode = codec._encode_frame

    def watched(padded: torch.Tensor, reference: torch.Tensor | None) -> tuple[bytes, torch.Tensor]:
        content, result = encode(padded, reference)
        height, width = frames[0].shape[:2]
        references.append(np.ascontiguousarray(result[0, :, :height, :width].permute(1, 2, 0).numpy()))
        return content, result

    codec._encode_frame = watched  # type: ignore[method-assign]
    begun = time.perf_counter()
    codec.encode(frames, file, gop=gop)
    return file.getvalue(), digests(references), time.perf_counter() - begun


def _decoded_elsewhere(path: Path, model: str, threads: int) -> list[str]:
    command = [sys.executable, "-m", "benchmarks.video_files", str(path.parent), "--decode", str(path)]
    command += ["--models", model, "--threads", str(threads)]
    result: list[str] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return result


def report(rows: Sequence[dict[str, Any]]) -> str:
    """A line for each file, and one for all of a model."""
    lines = []
    for model in dict.fromkeys(row["model"] for row in rows):
        own = [row for row in rows if row["model"] == model]
        for row in own:
            numbers = (f"{row['bytes']:,}", f"{100 * row['over_estimate']:+.2f} %", f"{row['bpp']:.4f}")
            speeds = (f"{row['psnr']:.2f}", f"{row['encode_fps']:.2f}", f"{row['decode_fps']:.2f}")
            exact = "all" if row["exact"] else "**not all**"
            lines.append((f"{model}, {row['clip']}", row["frames"], *numbers, *speeds, exact))
    header = ("model, clip", "frames", "bytes", "over the estimate", "bpp", "PSNR", "encode fps", "decode fps", "exact")
    return markdown_table(header, lines)


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    torch.set_num_threads(options.threads)
    if options.decode is not None:
        reader = VideoReader(options.decode.read_bytes())
        print(json.dumps(digests([frame for _, frame in load_video_codec(options.models[0]).decode(reader)])))
        return
    chosen = [video_model_path(model) for model in options.models] or shipped_video_models().values()
    models = [str(path) for path in chosen]
    jobs = [(model, clip) for model in models for clip in sorted(options.clips.iterdir())]
    rows = []
    with bar("files", len(jobs)) as line:
        for done, (model, clip) in enumerate(jobs, 1):
            rows.append(measure(model, clip, options))
            line.show(done)
    table = report(rows)
    text = (
        f"{table}\n\nGOP {options.gop}, {options.threads} threads. Exact: every frame is, byte for byte, the reference "
        f"of the encoder, in this process and in two others, with {' and '.join(map(str, DECODERS))} threads."
    )
    write_results(options.out, "video_files", {"rows": rows}, text, command="video_files CLIPS")
    print(text)


if __name__ == "__main__":
    main()
