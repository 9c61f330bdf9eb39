"""The arrows between modules point one way: who may never import what, read from every import statement."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("law_rl", "envs", "policies", "experiments")

COMMAND_LINE = ("law_rl.commands", "law_rl.cli")
ABOVE_LEARNER = tuple(f"law_rl.{name}" for name in ("stage_env", "search", "evaluate", "cluster", "commands", "cli"))
NOT_IN_INNER_LOOPS = ("gymnasium", "stable_baselines3", "ray", *ABOVE_LEARNER)
CLASSIFICATION, DISTILLATION = "law_rl.classification", "law_rl.distillation"
FACE, COMPRESSION = "law_rl.face", "law_rl.compression"

# importer -> what neither it nor anything inside it may import
FORBIDDEN: dict[str, tuple[str, ...]] = {
    "law_rl": ("envs", "policies", "experiments"),
    "envs": ("policies", "experiments"),
    "policies": ("envs", "experiments"),
    "law_rl.commands": ("law_rl.cli",),
    "law_rl.cluster": COMMAND_LINE,
    "law_rl.search": ("law_rl.cluster", *COMMAND_LINE),
    "law_rl.evaluate": ("law_rl.cluster", *COMMAND_LINE),
    "law_rl.stage_env": ("law_rl.search", "law_rl.evaluate", "law_rl.cluster", *COMMAND_LINE),
    **{
        f"law_rl.{name}": ABOVE_LEARNER
        for name in ("learner", "actions", "features", "rewards", "schedule", "weighting")
    },
    "law_rl.data": (*NOT_IN_INNER_LOOPS, CLASSIFICATION, DISTILLATION, FACE, COMPRESSION),
    CLASSIFICATION: (*NOT_IN_INNER_LOOPS, DISTILLATION, FACE, COMPRESSION),
    DISTILLATION: (*NOT_IN_INNER_LOOPS, FACE, COMPRESSION),
    FACE: (*NOT_IN_INNER_LOOPS, "law_rl.report", COMPRESSION),
    COMPRESSION: (*NOT_IN_INNER_LOOPS, "law_rl.report", FACE),
}

# library -> the only places that may import it
RESERVED: dict[str, tuple[str, ...]] = {
    "ray": ("law_rl.cluster",),
    "stable_baselines3": ("policies", "law_rl.search", "law_rl.cluster"),
}


def module_name(file: Path, root: Path) -> str:
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_names(file: Path, root: Path) -> Iterator[str]:
    """Full dotted names that a file imports anywhere in it; `from a import b` gives `a.b`."""
    package = file.relative_to(root).parent.parts
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*parents, *([node.module] if node.module else [])))
            yield from (f"{base}.{alias.name}" for alias in node.names)


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def all_imports(root: Path) -> list[tuple[str, str]]:
    """Pairs of (importing module, imported name) over the packages under `root`."""
    files = (file for package in PACKAGES for file in sorted((root / package).rglob("*.py")))
    return [(module_name(file, root), name) for file in files for name in imported_names(file, root)]


def wrong_arrows(imports: list[tuple[str, str]], importer: str) -> list[str]:
    return [
        f"{module} imports {name}"
        for module, name in imports
        if inside(module, importer) and any(inside(name, forbidden) for forbidden in FORBIDDEN[importer])
    ]


def wrong_places(imports: list[tuple[str, str]], library: str) -> list[str]:
    return [
        f"{module} imports {name}"
        for module, name in imports
        if inside(name, library) and not any(inside(module, place) for place in RESERVED[library])
    ]


@pytest.fixture(scope="module")
def imports() -> list[tuple[str, str]]:
    return all_imports(ROOT)


@pytest.mark.parametrize("importer", FORBIDDEN)
def test_arrows_point_one_way(imports: list[tuple[str, str]], importer: str) -> None:
    assert wrong_arrows(imports, importer) == []


@pytest.mark.parametrize("library", RESERVED)
def test_libraries_stay_in_their_place(imports: list[tuple[str, str]], library: str) -> None:
    assert wrong_places(imports, library) == []


@pytest.mark.parametrize("name", sorted({*FORBIDDEN, *RESERVED["ray"], *RESERVED["stable_baselines3"]}))
def test_the_rules_name_modules_that_exist(name: str) -> None:
    path = ROOT.joinpath(*name.split("."))
    assert path.is_dir() or path.with_suffix(".py").is_file()


@pytest.mark.parametrize(
    ("file", "source", "caught"),
    [
        ("law_rl/learner.py", "from law_rl import search", "law_rl.learner"),
        ("law_rl/learner.py", "from . import cluster", "law_rl.learner"),
        ("law_rl/learner.py", "from .stage_env import StageEnv", "law_rl.learner"),
        ("law_rl/learner.py", "def f():\n    import law_rl.cli as c", "law_rl.learner"),
        ("law_rl/data/cifar.py", "from ..classification import train", "law_rl.data"),
        ("law_rl/data/__init__.py", "from ..face import pairs", "law_rl.data"),
        ("law_rl/classification/arc.py", "from ray import tune", "law_rl.classification"),
        ("law_rl/classification/arc.py", "from ..distillation.kd import kd_loss", "law_rl.classification"),
        ("law_rl/distillation/kd.py", "import gymnasium as gym", "law_rl.distillation"),
        ("law_rl/distillation/hint.py", "from law_rl.face.heads import ArcFace", "law_rl.distillation"),
        ("law_rl/face/heads/arc.py", "from law_rl.stage_env import StageEnv", "law_rl.face"),
        ("law_rl/face/task.py", "from ..compression import codec", "law_rl.face"),
        ("law_rl/compression/codec.py", "from law_rl.face.embedder import Embedder", "law_rl.compression"),
        ("law_rl/compression/task.py", "from ..report import plots", "law_rl.compression"),
        ("law_rl/cli.py", "import envs", "law_rl"),
    ],
)
def test_a_wrong_arrow_is_caught(tmp_path: Path, file: str, source: str, caught: str) -> None:
    write(tmp_path / file, source)
    assert len(wrong_arrows(all_imports(tmp_path), caught)) == 1


def test_an_allowed_arrow_is_not(tmp_path: Path) -> None:
    write(tmp_path / "law_rl/face/a.py", "from law_rl.distillation.kd import kd_loss\nimport law_rl.classification")
    assert wrong_arrows(all_imports(tmp_path), FACE) == []


def test_a_library_out_of_place_is_caught(tmp_path: Path) -> None:
    write(tmp_path / "law_rl/cluster/workers.py", "import ray")
    write(tmp_path / "law_rl/cluster_report.py", "import ray.tune")
    assert wrong_places(all_imports(tmp_path), "ray") == ["law_rl.cluster_report imports ray.tune"]


def write(file: Path, source: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source, encoding="utf-8")


def test_a_schedule_needs_only_torch_and_numpy() -> None:
    heavy = ["gymnasium", "stable_baselines3", "ray", "pandas", "matplotlib", "sklearn"]
    loaded = modules_after("import law_rl; assert law_rl.Schedule.__name__ == 'Schedule'")
    assert loaded.isdisjoint(heavy)


def test_a_training_needs_no_scikit_learn() -> None:
    """It takes each process a second to import, and each worker of a search is a process."""
    loaded = modules_after(
        "from tests.conftest import make_tiny_experiment; from law_rl.learner import BASELINE; "
        "learner = make_tiny_experiment().task.learner(0); learner.train_stage(BASELINE); learner.snapshot()"
    )
    assert loaded.isdisjoint(["sklearn", "pandas"])


def test_the_package_alone_imports_nothing() -> None:
    assert modules_after("import law_rl").isdisjoint(["torch", "numpy", "law_rl.schedule"])


def modules_after(statement: str) -> set[str]:
    """Names in `sys.modules` once a fresh interpreter at the repository's root has run `statement`."""
    script = f"import sys; {statement}; print(*sys.modules)"
    process = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return set(process.stdout.split())
