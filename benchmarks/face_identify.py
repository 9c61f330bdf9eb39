"""How fast probes are identified in a large gallery on the disk, against faiss's exact index (IndexFlatIP).

Ours reads a float16 file through the page cache and normalises it in every search. faiss reads the same file once into
float32 rows of length 1 in memory; that build is timed apart from its search. `--faiss` names a Python that has faiss.
"""

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
import tyro
from torch import Tensor

from benchmarks.face_mining import clustered
from benchmarks.tables import RESULTS, markdown_table, write_results
from benchmarks.timing import least, seconds
from law_rl.counters import torch_generator
from law_rl.distillation.vectors import unit
from law_rl.face.embedding_file import EmbeddingFile
from law_rl.face.embedding_writer import HEADER, EmbeddingWriter
from law_rl.face.identify import identify

OURS, FAISS = "law-rl identify", "faiss IndexFlatIP"
LIMIT, AIM = 0.5, 1.0
TIE = 1e-6
PARTS = 2**16

_FAISS_SERVER = """
import json, sys, time
import faiss
import numpy as np

path, offset, rows, width, probes, threads = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5], int(sys.argv[6])
faiss.omp_set_num_threads(threads)
probes = np.load(probes)
start = time.perf_counter()
gallery = np.memmap(path, np.float16, "r", offset, (rows, width))
index = faiss.IndexFlatIP(width)
for first in range(0, rows, 65536):
    part = gallery[first : first + 65536].astype(np.float32)
    part /= np.linalg.norm(part, axis=1, keepdims=True)
    index.add(part)
print(json.dumps({"version": faiss.__version__, "build": time.perf_counter() - start}), flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    similarities, indices = index.search(probes, 1)
    print(json.dumps({"seconds": time.perf_counter() - start, "indices": indices[:, 0].tolist()}), flush=True)
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is timed."""

    gallery: int = 1_000_000
    width: int = 512
    probes: int = 1_000
    threads: int = 2
    rounds: int = 5
    faiss: Path | None = None
    """The Python of an environment with faiss; none: only ours is timed."""
    folder: Path | None = None
    """Where the gallery is written while this runs (1 GB at full size); none: the system's temporary folder."""
    out: Path = RESULTS


@dataclass(kw_only=True)
class Rival:
    """A running process with faiss's index."""

    process: subprocess.Popen[str]
    version: str
    build_seconds: float
    indices: list[int] = field(default_factory=list)

    def search(self) -> float:
        """The seconds of one search; its top-1 indices are kept."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        self.indices = answer["indices"]
        return float(answer["seconds"])


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Least seconds of a search of each; of faiss, where it was timed, its version, the seconds of its build, and for
    how many probes it names another top-1 than ours.
    """

    seconds: dict[str, float]
    faiss: str = ""
    build_seconds: float = 0.0
    differing: int = 0


@contextmanager
def rival(options: Options, gallery: Path, probes: Tensor) -> Iterator[Rival | None]:
    """faiss with its index built; None, with a line, where it is not named or cannot be started."""
    if options.faiss is None:
        print("faiss is not timed: name an interpreter that has it with --faiss.")
        yield None
        return
    saved = gallery.with_name("probes.npy")
    np.save(saved, probes.numpy())
    numbers = (HEADER, options.gallery, options.width)
    command = [options.faiss, "-c", _FAISS_SERVER, gallery, *numbers, saved, options.threads]
    with subprocess.Popen([*map(str, command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        built = process.stdout.readline()
        if not built:
            print(f"faiss is left out: {options.faiss} ended before its index was built.")
            yield None
            return
        facts = json.loads(built)
        yield Rival(process=process, version=facts["version"], build_seconds=facts["build"])
        process.stdin.close()


def write_gallery(path: Path, options: Options) -> EmbeddingFile:
    """A float16 gallery of clustered vectors of length 1 before rounding; part by part, so it is never in memory."""
    with EmbeddingWriter(path, width=options.width) as writer:
        for number, first in enumerate(range(0, options.gallery, PARTS)):
            rows = min(PARTS, options.gallery - first)
            writer.append(clustered(rows, options.width, f"face gallery {number}"))
    return EmbeddingFile.open(path)


def probes_of(gallery: EmbeddingFile, count: int) -> Tensor:
    """Unit vectors float32 [count, D]: other pictures of drawn gallery entries, cosine about 0.7 to them."""
    generator = torch_generator(0, "face probes")
    rows = torch.randint(len(gallery), (count,), generator=generator).tolist()
    mates = torch.cat([gallery.rows(row, row + 1) for row in rows]).float()
    return unit(mates + torch.randn(mates.shape, generator=generator) / gallery.width**0.5)


def differing(gallery: EmbeddingFile, probes: Tensor, ours: Sequence[int], theirs: Sequence[int]) -> int:
    """For how many probes the two name different entries whose cosines, in float64, are more than 1e-6 apart."""
    mine, other = (unit(torch.cat([gallery.rows(i, i + 1) for i in of]).double()) for of in (ours, theirs))
    directions = unit(probes.double())
    gap = ((mine - other) * directions).sum(1).abs()
    return int((gap > TIE).sum())


def measured(options: Options, folder: Path) -> Measured:
    gallery = write_gallery(folder / "gallery.safetensors", options)
    probes = probes_of(gallery, options.probes)
    with rival(options, gallery.path, probes) as other:
        cases: dict[str, Callable[[], float]] = {OURS: lambda: seconds(lambda: identify(probes, gallery))}
        if other is not None:
            cases[FAISS] = other.search
        times = least(cases, "searches", options.rounds)
        if other is None:
            return Measured(seconds=times)
        wrong = differing(gallery, probes, identify(probes, gallery).indices[:, 0].tolist(), other.indices)
        return Measured(seconds=times, faiss=other.version, build_seconds=other.build_seconds, differing=wrong)


def report(result: Measured, options: Options) -> str:
    """The table, and what is in it."""
    ours = result.seconds[OURS]
    rows = [
        (name, f"{time:.2f}", f"{options.probes / time:,.0f}", f"{time / ours:.2f}")
        for name, time in result.seconds.items()
    ]
    size = f"{options.probes:,} probes, {options.gallery:,} x {options.width}"
    table = markdown_table((size, "seconds", "probes per second", "over law-rl"), rows)
    text = (
        f"Top-1, {options.threads} threads, least of {options.rounds} rounds that take turns. Ours reads float16 rows "
        "from the page cache and normalises them in this time; faiss searches float32 rows of length 1 in memory."
    )
    if result.faiss:
        ratio = result.seconds[FAISS] / ours
        words = f"at least the aim of {AIM}" if ratio >= AIM else f"at least {LIMIT}" if ratio >= LIMIT else "too slow"
        text += (
            f" Before that, faiss {result.faiss} took {result.build_seconds:.1f} s to read and index the same file. "
            f"Ours is {ratio:.2f} times as fast: {words}. {result.differing} of {options.probes:,} top-1 differ by "
            f"more than a tie ({TIE:.0e} in the cosine)."
        )
    return f"{table}\n\n{text}"


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        result = measured(options, Path(folder))
    text = report(result, options)
    sizes = {"gallery": options.gallery, "width": options.width, "probes": options.probes}
    write_results(
        options.out,
        "face_identify",
        sizes | {"threads": options.threads, "rounds": options.rounds} | asdict(result),
        text,
        command="face_identify" + (" --faiss PYTHON" if result.faiss else ""),
    )
    print(text)


if __name__ == "__main__":
    main()
