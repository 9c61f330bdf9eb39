"""What the correlation-congruence loss costs, forward and backward, against torchdistill's way of computing it.

torchdistill builds the kernel matrix row by row in Python, from features as they are, and takes the norm of the
difference over N^2. That is restated here; `--torchdistill` times the package itself in an environment that has it.
"""

import json
import math
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from torch import Tensor
from torch.nn import functional

from benchmarks.tables import RESULTS, markdown_table, write_results
from benchmarks.timing import ROUNDS, least, seconds
from law_rl.counters import torch_generator
from law_rl.distillation.congruence import correlation_congruence_loss

GAMMA, ORDER = 0.4, 2
OURS, AUTOGRAD, ROWS, PACKAGE = "law-rl", "matrices, autograd", "torchdistill's rows, restated", "torchdistill"

_PACKAGE_TIMER = """
import json, sys, time
import torch
from torchdistill.losses.mid_level import CCKDLoss

batch, width, order, rounds, gamma = *map(int, sys.argv[1:5]), float(sys.argv[5])
torch.set_num_threads(1)
generator = torch.Generator().manual_seed(0)
student = torch.randn(batch, width, generator=generator, requires_grad=True)
teacher = torch.randn(batch, width, generator=generator)
kernel = {"type": "gaussian", "gamma": gamma, "max_p": order}
loss = CCKDLoss("linear", "linear", kernel_config=kernel, reduction="batchmean")
times = []
for _ in range(rounds):
    student.grad = None
    start = time.perf_counter()
    loss({"linear": {"output": student}}, {"linear": {"output": teacher}}).backward()
    times.append(time.perf_counter() - start)
print(json.dumps(min(times)))
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is timed."""

    batch: int = 512
    width: int = 128
    rounds: int = ROUNDS
    torchdistill: Path | None = None
    """The Python of an environment with torchdistill; none: only the restatement is timed."""
    out: Path = RESULTS


def row_by_row(student: Tensor, teacher: Tensor) -> Tensor:
    """torchdistill 1.1.5's loss (Gaussian kernel, batch mean): a Python loop over the rows of both matrices."""
    return torch.dist(kernel_rows(student), kernel_rows(teacher)) / len(student) ** 2


def kernel_rows(features: Tensor) -> Tensor:
    rows = []
    for feature in features:
        products = feature @ features.T
        terms = ((2 * GAMMA) ** p / math.factorial(p) * products**p for p in range(1, ORDER + 1))
        rows.append(math.exp(-2 * GAMMA) * (1 + sum(terms)))
    return torch.stack(rows)


def matrices(student: Tensor, teacher: Tensor) -> Tensor:
    """Equations (6) and (9) of arXiv 1904.01802 term by term over whole matrices, left to autograd."""
    difference = kernel_matrix(student) - kernel_matrix(teacher)
    return difference.square().mean()


def kernel_matrix(features: Tensor) -> Tensor:
    features = functional.normalize(features)
    cosines = features @ features.T
    terms = [(2 * GAMMA) ** p / math.factorial(p) * cosines**p for p in range(ORDER + 1)]
    return math.exp(-2 * GAMMA) * torch.stack(terms).sum(0)


def ours(student: Tensor, teacher: Tensor) -> Tensor:
    return correlation_congruence_loss(student, teacher, gamma=GAMMA, order=ORDER)


def embeddings(options: Options, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Random embeddings of a student, with gradient, and of a teacher; equal ones for every dtype."""
    generator = torch_generator(0, "congruence cost")
    student, teacher = torch.randn(2, options.batch, options.width, generator=generator).to(dtype)
    return student.requires_grad_(), teacher


def timed(loss: Callable[[Tensor, Tensor], Tensor], options: Options) -> Callable[[], float]:
    student, teacher = embeddings(options, torch.float32)

    def step() -> None:
        student.grad = None
        loss(student, teacher).backward()  # type: ignore[no-untyped-call]

    return lambda: seconds(step)


def errors(options: Options) -> dict[str, float]:
    """How far our float32 loss and gradient are from the term-by-term float64 ones, relative to their size."""
    values = []
    for loss, dtype in ((ours, torch.float32), (matrices, torch.float64)):
        student, teacher = embeddings(options, dtype)
        value = loss(student, teacher)
        values.append((value.detach().double(), torch.autograd.grad(value, student)[0].double()))
    (value, gradient), (reference, slope) = values
    return {
        "loss": float((value - reference).abs() / reference),
        "gradient": float((gradient - slope).norm() / slope.norm()),
    }


def package_seconds(python: Path, options: Options) -> float | None:
    """Seconds of torchdistill's own class under another interpreter; None, with a line, where it cannot be imported."""
    numbers = (options.batch, options.width, ORDER, options.rounds, GAMMA)
    command = [str(python), "-c", _PACKAGE_TIMER, *map(str, numbers)]
    try:
        process = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        print(f"torchdistill is left out: {python} does not start ({error}).")
        return None
    if process.returncode:
        print(f"torchdistill is left out: under {python} {process.stderr.strip().splitlines()[-1]}")
        return None
    return float(json.loads(process.stdout.splitlines()[-1]))


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    torch.set_num_threads(1)
    losses = {OURS: ours, AUTOGRAD: matrices, ROWS: row_by_row}
    times = least({name: timed(loss, options) for name, loss in losses.items()}, "losses", options.rounds)
    if options.torchdistill is None:
        print("torchdistill itself is not timed: name an interpreter that has it with --torchdistill.")
    elif (package := package_seconds(options.torchdistill, options)) is not None:
        times[PACKAGE] = package
    wrong = errors(options)
    table = markdown_table(
        (f"loss, batch {options.batch} x {options.width}", "forward and backward, ms", "over law-rl"),
        [(name, f"{1000 * time:.2f}", f"{time / times[OURS]:.1f}") for name, time in times.items()],
    )
    text = f"Our float32 loss is {wrong['loss']:.1e} from float64, its gradient {wrong['gradient']:.1e} (relative)."
    result = {"batch": options.batch, "width": options.width, "rounds": options.rounds, "seconds": times}
    write_results(options.out, "congruence_cost", result | {"relative_errors": wrong}, f"{table}\n\n{text}")
    print(f"{table}\n\n{text}")


if __name__ == "__main__":
    main()
