"""How fast images are coded and decoded, against CompressAI's hyperprior and its autoregressive mbt2018.

All have the same channel counts and code the same photograph; a decode goes from the file's bytes to uint8 pixels. No
weights are trained, which changes times little: ours start as a pyramid whose latents cost about a bit per pixel, and
those of CompressAI are set so that their latents have the same standard deviations (`benchmarks.compressai_codecs`).

`--compressai` names a Python with CompressAI. What worked: a virtual environment of its own with the same CPU torch;
`pip install --no-deps compressai==1.2.8 pytorch-msssim`, `pip install torch-geometric pandas einops scipy`, and in
place of torchvision, whose wheels do not go with every CPU torch, an empty package `torchvision` with an empty module
`transforms`.
"""

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
import tyro
from numpy.typing import NDArray

from benchmarks.codec_parts import DECODE, ENCODE, PARTS, coding_cases
from benchmarks.running import ROOT
from benchmarks.tables import RESULTS, markdown_table, write_results
from benchmarks.timing import medians
from benchmarks.untrained_codecs import photograph, untrained_model
from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.codec import Precision
from law_rl.compression.network.codec_network import CodecConfig

HYPERPRIOR, SERIAL = "bmshj2018-hyperprior", "mbt2018"
LIMIT, AIM, TIMES = 1.3, 1.0, 10.0
"""Ours over the hyperprior's decoding time, and how many times faster than mbt2018 it must be."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is timed."""

    height: int = 512
    width: int = 768
    channels: int = 128
    latents: int = 192
    enhancement: int = 16
    """Channels of the enhancement, where a variant has one."""
    threads: int = 2
    rounds: int = 7
    compressai: Path | None = None
    """The Python of an environment with CompressAI; none: only ours are timed."""
    out: Path = RESULTS


def variants(options: Options) -> dict[str, CodecConfig]:
    def config(**changes: Any) -> CodecConfig:
        return CodecConfig(width=options.channels, latents=options.latents, **changes)

    return {
        "K = 1, no attention": config(attention="none"),
        "K = 1": config(),
        "K = 3": config(components=3),
        "K = 3, enhancement": config(components=3, enhancement=options.enhancement),
    }


@dataclass(kw_only=True)
class Rival:
    """A running process with CompressAI's models, and the bytes of their files."""

    process: subprocess.Popen[str]
    version: str
    sizes: dict[str, int]

    def cases(self) -> dict[str, Callable[[], float]]:
        """What is timed; not the encoding of mbt2018, which takes as long as its decoding."""

        def case(text: str) -> Callable[[], float]:
            return lambda: self._seconds(text)

        return {text: case(text) for text in (f"{HYPERPRIOR} encode", f"{HYPERPRIOR} decode", f"{SERIAL} decode")}

    def _seconds(self, text: str) -> float:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Median seconds by "CODEC WAY", bytes by codec; of CompressAI, where it was timed, its version."""

    seconds: dict[str, float]
    sizes: dict[str, int]
    compressai: str = ""


@contextmanager
def rival(options: Options, picture: NDArray[np.uint8], scales: NDArray[np.float32]) -> Iterator[Rival | None]:
    """CompressAI with its models ready; None, with a line, where it is not named or cannot be started."""
    if options.compressai is None:
        print("CompressAI is not timed: name an interpreter that has it with --compressai.")
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "given.npz"
        np.savez(given, picture=picture, scales=scales, sizes=(options.channels, options.latents, options.threads))
        server = (ROOT / "benchmarks" / "compressai_codecs.py").read_text()
        command = [str(options.compressai), "-c", server, str(given)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None and process.stdout is not None
            ready = process.stdout.readline()
            if not ready:
                print(f"CompressAI is left out: {options.compressai} ended before its models were ready.")
                yield None
                return
            facts = json.loads(ready)
            yield Rival(process=process, version=facts["version"], sizes=facts["bytes"])
            process.stdin.close()


def channel_scales(model: CodecModel, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The standard deviation float32 [M] of each latent channel on the picture."""
    with torch.inference_mode():
        latents = model.network().analyse(torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255)
        scales: NDArray[np.float32] = latents.std((0, 2, 3)).numpy()
    return scales


def measured(options: Options) -> Measured:
    """All codecs in rounds in which they take turns."""
    picture = photograph(options.height, options.width)
    models = {name: untrained_model(config) for name, config in variants(options).items()}
    cases: dict[str, Callable[[], float]] = {}
    sizes = {}
    for precision in get_args(Precision):
        for variant, model in models.items():
            name = f"{variant}, {precision}"
            own, sizes[name] = coding_cases(model, picture, precision)
            cases |= {f"{name} {part}": case for part, case in own.items()}
    with rival(options, picture, channel_scales(models["K = 1"], picture)) as other:
        if other is None:
            return Measured(seconds=medians(cases, "codings", options.rounds), sizes=sizes)
        times = medians(cases | other.cases(), "codings", options.rounds)
        return Measured(seconds=times, sizes=other.sizes | sizes, compressai=other.version)


def row(name: str, result: Measured) -> tuple[str, ...]:
    """A codec's line: bytes, milliseconds, what its decoding takes over that of the hyperprior, how many times faster
    than mbt2018 it is, and milliseconds of the parts."""
    times = result.seconds
    decode = times[f"{name} {DECODE}"]
    over, faster = times.get(f"{HYPERPRIOR} {DECODE}"), times.get(f"{SERIAL} {DECODE}")
    return (
        name,
        f"{result.sizes[name]:,}",
        *(_milliseconds(times.get(f"{name} {way}")) for way in (ENCODE, DECODE)),
        "" if over is None else f"{decode / over:.2f}",
        "" if faster is None else f"{faster / decode:.1f}",
        *(_milliseconds(times.get(f"{name} {part}")) for part in PARTS),
    )


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{1000 * seconds:,.0f}"


def verdicts(result: Measured) -> str:
    """Which of ours meet what is asked of their decoding."""
    times = result.seconds
    decoding = {name: times[f"{name} {DECODE}"] for name in result.sizes if name not in (HYPERPRIOR, SERIAL)}
    over = {name: time / times[f"{HYPERPRIOR} {DECODE}"] for name, time in decoding.items()}
    faster = {name: times[f"{SERIAL} {DECODE}"] / time for name, time in decoding.items()}
    asked = {
        f"at most {LIMIT} times the hyperprior's decoding": {name: ratio <= LIMIT for name, ratio in over.items()},
        f"at least {TIMES:g} times faster than mbt2018": {name: ratio >= TIMES for name, ratio in faster.items()},
        "aim, faster than the hyperprior": {name: ratio < AIM for name, ratio in over.items()},
    }
    return "\n".join(f"- {what.capitalize()}: {_all_but(met)}." for what, met in asked.items())


def _all_but(met: dict[str, bool]) -> str:
    missing = [name for name, is_met in met.items() if not is_met]
    if len(missing) == len(met):
        return "none of ours"
    return f"all of ours but {'; '.join(missing)}" if missing else "all of ours"


def report(result: Measured, options: Options) -> str:
    """The table, and what is in it."""
    size = f"{options.width} x {options.height}, {options.channels} / {options.latents} channels"
    header = (size, "bytes", "encode, ms", "decode, ms", "decode over hyperprior", "times faster than mbt2018")
    table = markdown_table((*header, *(f"{part}, ms" for part in PARTS)), [row(name, result) for name in result.sizes])
    text = (
        f"{options.threads} threads, medians of {options.rounds} rounds in which all take turns; untrained weights "
        "whose latents have the same standard deviations in all of them. Attention is on the latents unless it says no "
        "attention; it is part of encoding alone. The last columns are parts of decoding."
    )
    if result.compressai:
        text += f" CompressAI {result.compressai} runs in float32.\n\n{verdicts(result)}"
    return f"{table}\n\n{text}"


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    torch.set_num_threads(options.threads)
    result = measured(options)
    text = report(result, options)
    write_results(
        options.out,
        "codec_rivals",
        {"threads": options.threads, "rounds": options.rounds} | asdict(result),
        text,
        command="codec_rivals" + (" --compressai PYTHON" if result.compressai else ""),
    )
    print(text)


if __name__ == "__main__":
    main()
