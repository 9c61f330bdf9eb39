"""What benchmarks write: a markdown table, a JSON file, and one line on the conditions of the measurement."""

import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import law_rl
from law_rl.files import write_atomic, write_json
from law_rl.statistics import Interval

RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("torch", "numpy", "scikit-learn", "gymnasium", "stable-baselines3", "cmaes", "ray", "optuna")


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A markdown table: the first column to the left, the others to the right."""
    lines = [header, [":--", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def signed(interval: Interval) -> str:
    """A difference with its 95 % interval, signs shown."""
    return f"{interval.mean:+.2f} [{interval.low:+.2f}, {interval.high:+.2f}]"


def excludes_zero(interval: Interval) -> bool:
    return interval.low > 0 or interval.high < 0


def conditions() -> str:
    """What the numbers were measured on and with: CPUs that this process may use, and versions."""
    packages = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    cpus = len(os.sched_getaffinity(0))
    python = f"Python {platform.python_version()}"
    return f"{cpus} CPUs, {platform.system()} {platform.machine()}; law-rl {law_rl.__version__}, {python}, {packages}"


def write_results(folder: Path, name: str, value: dict[str, Any], markdown: str, *, command: str = "") -> None:
    """Writes NAME.json and NAME.md into the folder, the latter with the conditions below; `command` is the benchmark
    with its flags where that is not NAME.
    """
    write_json(folder / f"{name}.json", value | {"conditions": conditions()})
    write_atomic(
        folder / f"{name}.md",
        f"{markdown}\n\nMeasured with `python -m benchmarks.{command or name}` on {conditions()}.\n".encode(),
    )


class Kept:
    """Finished parts of a benchmark in its NAME.json, so that a stopped one goes on where it was.

    A part counts as finished only for the configuration that it was measured with.
    """

    def __init__(self, folder: Path, name: str, *, fresh: bool) -> None:
        self._folder, self._name = folder, name
        path = folder / f"{name}.json"
        self.parts: dict[str, Any] = {}
        if path.is_file() and not fresh:
            self.parts = json.loads(path.read_text())["parts"]

    def has(self, part: str, *configuration: object) -> bool:
        return part in self.parts and self.parts[part]["configuration"] == _digest(configuration)

    def put(self, part: str, value: dict[str, Any], *configuration: object) -> None:
        self.parts[part] = {"configuration": _digest(configuration)} | value

    def write(self, markdown: str, **entries: Any) -> None:
        write_results(self._folder, self._name, {"parts": self.parts, **entries}, markdown)


def _digest(configuration: tuple[object, ...]) -> str:
    return hashlib.sha256(repr((law_rl.__version__, configuration)).encode()).hexdigest()[:16]
