import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from law_rl import template
from law_rl.project import ProjectError, activate, find_root, load_experiment
from law_rl.template import create_project


@pytest.fixture(autouse=True)
def fresh_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test sees its own `experiments`, and the process gets its modules and path back."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "experiments"}
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "experiments"]:
        del sys.modules[name]
    sys.modules.update(before)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_project(tmp_path / "proj", "first")


def make_project(root: Path, value: str) -> Path:
    folder = root / "experiments" / "faces"
    folder.mkdir(parents=True)
    (root / "experiments" / "__init__.py").touch()
    (root / "experiments" / "quickstart.py").write_text(f"experiment = {value!r}\n", encoding="utf-8")
    (root / "experiments" / "empty.py").touch()
    (folder / "arc.py").write_text("experiment = 'arc'\n", encoding="utf-8")
    return root


def test_the_root_is_the_nearest_parent_with_experiments(root: Path) -> None:
    inner = make_project(root / "nested", "second")
    assert find_root(root) == root
    assert find_root(root / "experiments" / "faces") == root
    assert find_root(inner / "experiments") == inner


def test_the_root_is_sought_from_the_working_directory(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root / "experiments")
    assert find_root() == root


def test_no_root_says_where_it_looked_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=rf"`experiments` in {tmp_path} or above it.*law-rl new DIR"):
        find_root(tmp_path)


def test_activate_puts_the_root_first_and_once(root: Path) -> None:
    activate(root)
    sys.path.insert(0, "elsewhere")
    activate(root)
    assert sys.path[:2] == [str(root), "elsewhere"]
    assert sys.path.count(str(root)) == 1


@pytest.mark.parametrize(
    "name", ["quickstart", "experiments.quickstart", "experiments/quickstart.py", "./experiments/quickstart.py"]
)
def test_an_experiment_goes_by_name_or_path(root: Path, name: str) -> None:
    assert load_experiment(name, root) == "first"
    assert "experiments.quickstart" in sys.modules


@pytest.mark.parametrize("name", ["faces.arc", "experiments.faces.arc", "experiments/faces/arc.py"])
def test_an_experiment_may_lie_deeper(root: Path, name: str) -> None:
    assert load_experiment(name, root) == "arc"


@pytest.mark.parametrize("name", ["quickstart.py", "../experiments/quickstart.py", "experiments/quickstart.py"])
def test_a_path_is_read_from_the_working_directory_or_the_root(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(root / "experiments")
    assert load_experiment(name, root) == "first"


def test_an_absolute_path_inside_the_project_is_fine(root: Path) -> None:
    assert load_experiment(str(root / "experiments" / "quickstart.py"), root) == "first"


def test_an_unknown_experiment_lists_the_close_ones_and_all(root: Path) -> None:
    with pytest.raises(ProjectError, match=r"'quikstart'.*did you mean quickstart.*empty, faces\.arc, quickstart"):
        load_experiment("quikstart", root)


def test_a_module_without_an_experiment_is_named(root: Path) -> None:
    with pytest.raises(ProjectError, match=r"empty\.py defines no `experiment`"):
        load_experiment("empty", root)


def test_another_package_of_that_name_is_named(root: Path, tmp_path: Path) -> None:
    other = make_project(tmp_path / "other", "second")
    load_experiment("quickstart", other)
    with pytest.raises(ProjectError, match=rf"the one at {other / 'experiments'}, not {root / 'experiments'}"):
        load_experiment("quickstart", root)


def test_a_module_of_that_name_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("experiments")
    module.__file__ = "/elsewhere/experiments.py"
    monkeypatch.setitem(sys.modules, "experiments", module)
    with pytest.raises(ProjectError, match=r"/elsewhere/experiments\.py"):
        load_experiment("quickstart", root)


@pytest.fixture
def source(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project to copy from, with leftovers in it that a copy must not take."""
    for folder in ("envs", "policies"):
        (root / folder).mkdir()
        (root / folder / "__init__.py").touch()
    for leftover in ("experiments/__pycache__/quickstart.pyc", "experiments/runs/result.json"):
        (root / leftover).parent.mkdir()
        (root / leftover).touch()
    monkeypatch.setattr(template, "_source", lambda: root)
    return root


@pytest.mark.usefixtures("source")
def test_a_new_project_holds_the_folders_and_runs(tmp_path: Path) -> None:
    new = tmp_path / "new"
    written = {path.relative_to(new).as_posix() for path in create_project(new)}
    assert written == {
        ".gitignore",
        "README.md",
        "envs/__init__.py",
        "policies/__init__.py",
        "experiments/__init__.py",
        "experiments/quickstart.py",
        "experiments/empty.py",
        "experiments/faces/arc.py",
    }
    assert all((new / name).is_file() for name in written)
    assert load_experiment("quickstart", find_root(new)) == "first"


@pytest.mark.usefixtures("source")
def test_a_new_project_leaves_what_is_there_alone(tmp_path: Path) -> None:
    (tmp_path / "new" / "data").mkdir(parents=True)
    (tmp_path / "new" / "data" / "mine").touch()
    assert tmp_path / "new" / "data" / "mine" not in create_project(tmp_path / "new")


@pytest.mark.parametrize("name", ["envs", "policies", "experiments", "README.md", ".gitignore"])
@pytest.mark.usefixtures("source")
def test_a_new_project_overwrites_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "new" / name).mkdir(parents=True)
    with pytest.raises(ProjectError, match=f"already holds {name}"):
        create_project(tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == [name]


def test_a_new_project_needs_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ProjectError, match="is a file"):
        create_project(tmp_path / "file")
