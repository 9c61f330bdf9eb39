"""A new project: a copy of the ready environments, policies and experiments, for the user to change."""

import shutil
from pathlib import Path

from law_rl.project import ProjectError

FOLDERS = ("envs", "policies", "experiments")
FILES = {
    ".gitignore": "runs/\n__pycache__/\n",
    "README.md": """\
# A law-rl project

`envs/` holds tasks, `policies/` holds agents and learned schedules, `experiments/` holds runs. Start with

    law-rl search experiments/quickstart.py

Results appear in `runs/`. All of it is yours to change.
""",
}


def create_project(directory: Path) -> list[Path]:
    """Lay a project out in `directory`, made where missing, and return the files written.

    Raises ProjectError where something that the project would hold is already there.
    """
    if directory.exists() and not directory.is_dir():
        raise ProjectError(f"{directory} is a file: name a directory for the project.")
    taken = [name for name in (*FOLDERS, *FILES) if (directory / name).exists()]
    if taken:
        raise ProjectError(f"{directory} already holds {', '.join(taken)}: name a new directory for the project.")
    for folder in FOLDERS:
        shutil.copytree(_source() / folder, directory / folder, ignore=shutil.ignore_patterns("__pycache__", "runs"))
    for name, text in FILES.items():
        (directory / name).write_text(text, encoding="utf-8")
    return sorted(path for path in directory.rglob("*") if path.is_file() and _is_ours(path.relative_to(directory)))


def _source() -> Path:
    """The folders to copy: packed beside this module in a wheel, at the repository's root in a checkout."""
    packed = Path(__file__).with_name("template")
    return packed if packed.is_dir() else Path(__file__).parents[1]


def _is_ours(relative: Path) -> bool:
    return relative.parts[0] in (*FOLDERS, *FILES)
