"""The wheel: what it holds, and that an installed copy runs a search in a new project without the checkout."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
SHORT_SEARCH = [  # the smallest search that `law-rl search` accepts, with a tiny training
    *("--search.episodes", "4", "--search.candidates", "1", "--env.pool", "2", "--evaluation.seeds", "2"),
    *("--task.data.train", "100", "--task.data.validation", "60", "--task.training.network.width", "8"),
    *("--task.training.epochs", "2", "--task.training.stages", "3"),
]

OWN_TASK = """
import os, pathlib
from law_rl.classification.task import ClassificationTask

pathlib.Path({folder!r}, str(os.getpid())).touch()

class OwnTask(ClassificationTask):
    pass
"""
OWN_EXPERIMENT = """
from dataclasses import replace
from envs.mine import OwnTask
from experiments.quickstart import experiment as quickstart

task = OwnTask(data=quickstart.task.data, training=quickstart.task.training)
experiment = replace(quickstart, name="mine", task=task)
"""


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> None:
    process = subprocess.run(command, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True)
    assert process.returncode == 0, f"{command} failed:\n{process.stdout}\n{process.stderr}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", folder, wheel, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that sees our dependencies but no editable install, whose path would lead into the checkout."""
    folder = tmp_path_factory.mktemp("python")
    venv.create(folder, symlinks=True)
    own = sysconfig.get_path("purelib", vars={"base": str(folder)})
    Path(own, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder / "bin" / "python"


def test_the_wheel_installs_one_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        top_level = {name.split("/")[0] for name in archive.namelist()}
    assert top_level == {"law_rl", wheel.name.split("-py3")[0] + ".dist-info"}


@pytest.mark.parametrize("folder", ["envs", "policies", "experiments"])
def test_the_wheel_carries_the_template(wheel: Path, folder: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith(f"law_rl/template/{folder}/")}
    sources = {path for path in (ROOT / folder).rglob("*.py")}
    assert sources
    assert packed >= {f"law_rl/template/{path.relative_to(ROOT).as_posix()}" for path in sources}
    assert not [name for name in packed if "__pycache__" in name]


def test_the_wheel_is_marked_as_typed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert "law_rl/py.typed" in archive.namelist()


@pytest.mark.ray
@pytest.mark.slow
def test_an_installed_copy_searches_in_a_new_project(
    ray_session: ModuleType, installed: Path, python: Path, tmp_path: Path
) -> None:
    """Driver and workers import a task of the project's own `envs`, from a subfolder and far from the checkout."""
    imported_by = tmp_path / "imported_by"
    imported_by.mkdir()
    env = {"PYTHONPATH": str(installed), "RAY_ADDRESS": ray_session.get_runtime_context().gcs_address}
    law_rl = (python, "-m", "law_rl.cli")
    run(*law_rl, "new", "proj", cwd=tmp_path, env=env)
    (tmp_path / "proj" / "envs" / "mine.py").write_text(OWN_TASK.format(folder=str(imported_by)), encoding="utf-8")
    (tmp_path / "proj" / "experiments" / "mine.py").write_text(OWN_EXPERIMENT, encoding="utf-8")
    run(*law_rl, "search", "mine", *SHORT_SEARCH, cwd=tmp_path / "proj" / "experiments", env=env)
    assert len(list(imported_by.iterdir())) >= 2, "no worker imported the project's envs"
    assert (tmp_path / "proj" / "runs" / "mine" / "schedule.safetensors").is_file()
