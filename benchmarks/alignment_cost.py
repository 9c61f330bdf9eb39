"""What aligned scores cost: probes against a large gallery by each method, over the plain product of cosines.

The gallery is enrolled: its directions, and for aligned scores its statistics, are known. The probes are not: their
statistics are taken from the candidates in the measured time. A sample of aligned scores is checked in float64.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import tyro
from torch import Tensor

from benchmarks.face_mining import clustered
from benchmarks.tables import RESULTS, markdown_table, write_results
from benchmarks.timing import ROUNDS, least, seconds
from law_rl.counters import torch_generator
from law_rl.distillation.vectors import unit
from law_rl.face.ida.aligner import METHODS, ScoreAligner

MOST, AIM = 1.5, 1.2
PLAIN, DEFAULT = "cosine", "shift"
LEARNED = "shift, learned"
TAUGHT, EACH = 2_000, 4
"""How many candidates the learned estimator is fitted on, and how many of them are one identity's: what it is like
does not change its time.
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is timed."""

    gallery: int = 100_000
    probes: int = 1_000
    candidates: int = 10_000
    width: int = 512
    threads: int = 2
    rounds: int = ROUNDS
    checked: int = 1_000
    """How many scores of each method are compared with float64."""
    out: Path = RESULTS


@dataclass(frozen=True, kw_only=True)
class Vectors:
    """Unit vectors [N, D] of the three kinds."""

    gallery: Tensor
    probes: Tensor
    candidates: Tensor

    @classmethod
    def drawn(cls, options: Options) -> "Vectors":
        gallery = clustered(options.gallery, options.width, "alignment cost")
        noise = torch.randn(options.probes, options.width, generator=torch_generator(0, "alignment cost probes"))
        people = torch.arange(options.probes) % len(gallery)
        return cls(
            gallery=gallery,
            probes=gallery[people] + noise / options.width**0.5,
            candidates=clustered(options.candidates, options.width, "alignment cost candidates"),
        )


def aligners(vectors: Vectors) -> dict[str, ScoreAligner]:
    """A fitted aligner of each method, and the default one with a learned estimator."""
    fitted = {name: ScoreAligner(method=name).fit(vectors.candidates) for name in METHODS}
    identities = torch.arange(len(vectors.candidates)) // EACH
    taught = ScoreAligner(method=DEFAULT, estimator="learned").fit(vectors.candidates[:TAUGHT], identities[:TAUGHT])
    return fitted | {LEARNED: taught}


def cases(vectors: Vectors, by_name: Mapping[str, ScoreAligner]) -> dict[str, Callable[[], float]]:
    """What is timed; galleries are enrolled before, those of equal statistics once."""
    found: dict[str, Callable[[], float]] = {PLAIN: partial(seconds, lambda: unit(vectors.probes) @ vectors.gallery.T)}
    enrolled = {}
    for name, aligner in by_name.items():
        key = aligner.estimator, aligner.effective_support
        if key not in enrolled:
            enrolled[key] = aligner.enrol(vectors.gallery)
        found[name] = partial(seconds, partial(aligner.transform, vectors.probes, enrolled[key]))
    return found


def largest_error(vectors: Vectors, aligner: ScoreAligner, count: int) -> float:
    """Of `count` aligned scores of the table the largest difference from those of cosines in float64."""
    generator = torch_generator(0, "alignment cost check")
    rows, columns = (
        torch.randint(len(side), (count,), generator=generator) for side in (vectors.probes, vectors.gallery)
    )
    distinct, places = torch.unique(columns, return_inverse=True)
    probes, faces = vectors.probes, vectors.gallery[distinct]
    cosines = (unit(probes[rows].double()) * unit(faces[places].double())).sum(1)
    expected = aligner.align(cosines, aligner.statistics(probes).at(rows), aligner.statistics(faces).at(places))
    return float((aligner.transform(probes, faces)[rows, places] - expected).abs().max())


def verdict(ratio: float) -> str:
    """How the default's time over the cosine's, at the full size, stands to what was asked."""
    limit = "within" if ratio <= MOST else "NOT within"
    aim = "within" if ratio <= AIM else "above"
    return (
        f"The default, {DEFAULT}, takes {ratio:.2f} times the time of the cosine: {limit} the limit of {MOST}, and "
        f"{aim} the aim of {AIM}."
    )


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    before = torch.get_num_threads()
    torch.set_num_threads(options.threads)
    try:
        vectors = Vectors.drawn(options)
        by_name = aligners(vectors)
        times = least(cases(vectors, by_name), "alignment", options.rounds)
        errors = {name: largest_error(vectors, aligner, options.checked) for name, aligner in by_name.items()}
    finally:
        torch.set_num_threads(before)
    report(options, times, errors)


def report(options: Options, times: Mapping[str, float], errors: Mapping[str, float]) -> None:
    rows = [
        (name, f"{time:.3f}", f"{time / times[PLAIN]:.2f}", f"{errors[name]:.1e}" if name in errors else "")
        for name, time in times.items()
    ]
    what = f"{options.probes:,} probes x {options.gallery:,} faces"
    table = markdown_table((f"{what}, {options.width} wide", "seconds", "over the cosine", "largest error"), rows)
    text = (
        f"Seconds are the least of {options.rounds} rounds, with {options.threads} threads; the probes' statistics "
        f"among {options.candidates:,} candidates are part of them, the gallery's are known. Errors are those of "
        f"{options.checked:,} aligned scores against float64."
    )
    full = all(
        getattr(options, name) == getattr(Options, name) for name in ("gallery", "probes", "candidates", "width")
    )
    if full:
        text = f"{text}\n\n{verdict(times[DEFAULT] / times[PLAIN])}"
    sizes = {name: getattr(options, name) for name in ("gallery", "probes", "candidates", "width", "threads", "rounds")}
    measured = {"seconds": dict(times), "errors": dict(errors)}
    write_results(options.out, "alignment_cost", sizes | measured, f"{table}\n\n{text}")
    print(f"{table}\n\n{text}")


if __name__ == "__main__":
    main()
