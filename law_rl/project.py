"""The project: the directory that holds the user's `envs`, `policies` and `experiments`."""

import difflib
import importlib
import sys
from pathlib import Path
from types import ModuleType


class ProjectError(ValueError):
    """A project or an experiment that cannot be used; the message says why and what to do, in one sentence."""


def find_root(start: Path | None = None) -> Path:
    """The nearest of `start` (default: the working directory) and its parents that holds `experiments/`.

    Raises ProjectError where there is none.
    """
    start = (start or Path.cwd()).resolve()
    for directory in (start, *start.parents):
        if (directory / "experiments").is_dir():
            return directory
    raise ProjectError(
        f"no directory `experiments` in {start} or above it: change to a project, or make one with `law-rl new DIR`."
    )


def activate(root: Path) -> None:
    """Put `root` first on `sys.path`, once, so that the project's packages are the ones imported."""
    entry = str(root.resolve())
    sys.path[:] = [entry, *(other for other in sys.path if other != entry)]


def load_experiment(name_or_path: str, root: Path) -> object:
    """The attribute `experiment` of a module, as `load_module` finds it; ProjectError where it defines none."""
    module = load_module(name_or_path, root)
    if not hasattr(module, "experiment"):
        raise ProjectError(f"{module.__file__} defines no `experiment`: assign its configuration to that name.")
    return module.experiment


def load_module(name_or_path: str, root: Path) -> ModuleType:
    """A module in `root/experiments`, with the project activated.

    Takes `experiments/quickstart.py`, `quickstart` and `experiments.quickstart` alike; a path is read from the working
    directory or from the root. The module is imported by name, so that workers import the same one. Raises ProjectError
    where there is no such module, and where another `experiments` package is in the way.
    """
    root = root.resolve()
    name = _experiment_name(name_or_path, root)
    _check_exists(name, root)
    activate(root)
    _check_package(root)
    return importlib.import_module(f"experiments.{name}")


def _experiment_name(name_or_path: str, root: Path) -> str:
    path = Path(name_or_path)
    if path.is_file() and path.resolve().is_relative_to(root):
        path = path.resolve().relative_to(root)
    return path.as_posix().removesuffix(".py").replace("/", ".").removeprefix("experiments.")


def _check_exists(name: str, root: Path) -> None:
    folder = root / "experiments"
    files = (path.relative_to(folder).with_suffix("") for path in folder.rglob("*.py") if path.name != "__init__.py")
    names = sorted(".".join(file.parts) for file in files)
    if name in names:
        return
    close = difflib.get_close_matches(name, names)
    hint = f"did you mean {' or '.join(close)}, of " if close else "choose from "
    raise ProjectError(f"no experiment {name!r} in {folder}: {hint}{', '.join(names) or 'none (the folder is empty)'}.")


def _check_package(root: Path) -> None:
    package = importlib.import_module("experiments")
    places = [*getattr(package, "__path__", []), package.__file__]
    if Path(places[0]).resolve() != root / "experiments":
        raise ProjectError(
            f"Python's package `experiments` is the one at {places[0]}, not {root / 'experiments'}: "
            "start a new process in the project, and keep an `__init__.py` in its `experiments`."
        )
