"""Damaged .edic files: each must be refused by an error of one sentence, within a second and a GiB.

The files are decoded in a process of their own, whose address space may grow by 1 GiB after the model is loaded.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from numpy.typing import NDArray
from PIL import Image

from benchmarks.running import bar
from benchmarks.tables import RESULTS, markdown_table, write_results
from law_rl.compression.bitstream.container import Container
from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.codec import Codec, DamagedImage, Metadata
from law_rl.compression.network.codec_network import CodecConfig, build_codec
from law_rl.compression.shipped import model_path, shipped_models
from law_rl.counters import numpy_generator

GROWTH = 1 << 30
LONGEST_SECONDS = 1.0
METADATA = Metadata(exif=bytes(range(200)), icc_profile=bytes(100))

Generator = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is decoded."""

    cases: int = 10_000
    model: Path | None = None
    """A model's file; none: the least quality that ships, or an untrained model where none does."""
    child: bool = False
    """Decode in this process and print JSON, as the benchmark's own child does."""
    out: Path = RESULTS


def _truncated(content: bytes, generator: Generator) -> bytes:
    return content[: generator.integers(len(content))]


def _flipped(content: bytes, generator: Generator) -> bytes:
    changed = np.frombuffer(content, np.uint8).copy()
    places = generator.choice(len(changed), generator.integers(1, 9), replace=False)
    changed[places] ^= generator.integers(1, 256, len(places)).astype(np.uint8)
    return changed.tobytes()


def _longer(content: bytes, generator: Generator) -> bytes:
    return content + generator.bytes(int(generator.integers(1, 100)))


def _lying_size(content: bytes, generator: Generator) -> bytes:
    """Another size of up to 64 million pixels, and all checksums but those of the symbols made right."""
    file = Container.decode(content)
    height = int(2 ** generator.uniform(0, 13))
    width = int(2 ** generator.uniform(0, 12.9))
    if (height, width) == (file.header.height, file.header.width):
        height += 1
    return replace(file, header=replace(file.header, height=height, width=width)).encode()


def _huge_size(content: bytes, generator: Generator) -> bytes:
    file = Container.decode(content)
    height, width = (int(2 ** generator.uniform(16, 34)) for _ in range(2))
    return replace(file, header=replace(file.header, height=height, width=width)).encode()


def _lying_header(content: bytes, generator: Generator) -> bytes:
    """Another colour, quality or model."""
    file = Container.decode(content)
    changes: list[dict[str, Any]] = [
        {"grey": not file.header.grey},
        {"quality": (file.header.quality + int(generator.integers(1, 255))) % 256},
        {"model": generator.bytes(8)},
    ]
    return replace(file, header=replace(file.header, **changes[generator.integers(3)])).encode()


def _changed_chunk(content: bytes, generator: Generator) -> bytes:
    """Other compressed bytes with a right checksum, so that the coder reads them."""
    file = Container.decode(content)
    name = ("hyper_latents", "latents")[generator.integers(2)]
    chunk = getattr(file, name)
    change: Callable[[bytes, Generator], bytes] = (_flipped, _truncated, _longer, _random)[generator.integers(4)]
    return replace(file, **{name: replace(chunk, content=change(chunk.content, generator))}).encode()


def _swapped_chunks(content: bytes, generator: Generator) -> bytes:
    file = Container.decode(content)
    return replace(file, hyper_latents=file.latents, latents=file.hyper_latents).encode()


def _lying_metadata(content: bytes, generator: Generator) -> bytes:
    """Metadata that the header denies, or none where it says that there are."""
    file = Container.decode(content)
    metadata = Metadata(exif=generator.bytes(int(generator.integers(1, 300))))
    says, has = ((True, None), (False, metadata))[generator.integers(2)]
    return replace(file, header=replace(file.header, metadata=says), metadata=has).encode()


def _random(content: bytes, generator: Generator) -> bytes:
    return generator.bytes(int(generator.integers(2000)))


def _random_after_magic(content: bytes, generator: Generator) -> bytes:
    return content[: generator.integers(4, 40)] + generator.bytes(int(generator.integers(2000)))


def _other_format(content: bytes, generator: Generator) -> bytes:
    pixels = generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    written = BytesIO()
    Image.fromarray(pixels).save(written, ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")[generator.integers(6)])
    return written.getvalue()


DAMAGES: dict[str, Callable[[bytes, Generator], bytes]] = {
    "truncated": _truncated,
    "flipped bits": _flipped,
    "more bytes at the end": _longer,
    "another size, checksums right": _lying_size,
    "a huge size, checksums right": _huge_size,
    "another header, checksums right": _lying_header,
    "a changed chunk, checksums right": _changed_chunk,
    "swapped chunks, checksums right": _swapped_chunks,
    "lying metadata, checksums right": _lying_metadata,
    "random bytes": _random,
    "random bytes after a right start": _random_after_magic,
    "another format": _other_format,
}


def damaged(content: bytes, number: int) -> tuple[str, bytes]:
    """The kind and the bytes of a case: a whole file's content, damaged in the number's way."""
    kind = list(DAMAGES)[number % len(DAMAGES)]
    return kind, DAMAGES[kind](content, numpy_generator(0, "damaged image", number))


def verdict(codec: Codec, content: bytes) -> str:
    """`refused` for the documented error of one sentence; else what happened instead."""
    try:
        codec.decode(content)
    except DamagedImage as error:
        return "refused" if str(error) and "\n" not in str(error) else f"said {str(error)!r}"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return "a picture"


def sample_image() -> NDArray[np.uint8]:
    """A small picture with edges and smooth parts."""
    down, across = np.mgrid[:150, :230]
    wave = np.sin(down / 11) * np.cos(across / 17) + (across > 2 * down)
    pixels = 90 * np.stack([wave, 0.7 * wave, 1 - wave], -1)
    return pixels.clip(0, 255).astype(np.uint8)


def loaded_model(path: Path | None) -> CodecModel:
    """That of the path; else the least quality that ships, or an untrained one."""
    if path is None and shipped_models():
        path = model_path(min(shipped_models()))
    if path is not None:
        return CodecModel.load(path)
    return CodecModel.export(build_codec(CodecConfig(width=32, latents=48), 0), lambda_=1024, quality=1)


def decode_cases(options: Options) -> None:
    """Decodes all cases here and prints, line by line, [kind, verdict, seconds]."""
    codec = Codec(loaded_model(options.model))
    content = codec.encode(sample_image(), metadata=METADATA)
    codec.decode(content)
    base = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (base + GROWTH, base + GROWTH))
    for number in range(options.cases):
        kind, bad = damaged(content, number)
        start = time.perf_counter()
        said = "the file itself" if bad == content else verdict(codec, bad)
        print(json.dumps([kind, said, time.perf_counter() - start]), flush=True)


def run_child(options: Options) -> list[tuple[str, str, float]]:
    command = [sys.executable, "-m", "benchmarks.codec_fuzz", "--child", "--cases", str(options.cases)]
    command += ["--model", str(options.model.resolve())] if options.model is not None else []
    results = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]) as child:
        assert child.stdout is not None
        with bar("damaged images", options.cases) as line:
            for text in child.stdout:
                results.append(tuple(json.loads(text)))
                line.show(len(results))
    if child.returncode or len(results) < options.cases:
        kind = list(DAMAGES)[len(results) % len(DAMAGES)]
        raise RuntimeError(f"the decoder ended with {child.returncode} in case {len(results)} ({kind})")
    return results


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    if options.child:
        decode_cases(options)
        return
    results = run_child(options)
    rows, failures = [], []
    for kind in DAMAGES:
        mine = [(said, seconds) for name, said, seconds in results if name == kind and said != "the file itself"]
        refused = sum(said == "refused" for said, _ in mine)
        slowest = max((seconds for _, seconds in mine), default=0.0)
        rows.append((kind, len(mine), refused, f"{1000 * slowest:.0f}"))
        failures += [f"{kind}: {said}" for said, _ in mine if said != "refused"]
        failures += [f"{kind}: {seconds:.1f} s" for _, seconds in mine if seconds > LONGEST_SECONDS]
    table = markdown_table(("damage", "files", "refused", "slowest, ms"), rows)
    text = f"{table}\n\n{len(failures)} of {len(results)} were not refused as they should be."
    write_results(options.out, "codec_fuzz", {"cases": options.cases, "rows": rows, "failures": failures[:100]}, text)
    print(text, *failures[:20], sep="\n")


if __name__ == "__main__":
    main()
