"""Where data files are looked for, and where decoded ones are shared."""

import os
from collections.abc import Iterable
from pathlib import Path

NODE_CACHE = "LAW_RL_NODE_CACHE"
"""The environment variable that names the folder where processes of a node share decoded data."""

TEACHERS = "LAW_RL_TEACHERS"
"""The environment variable that names the folder where trained teachers are kept."""


def data_places(root: str) -> tuple[Path, ...]:
    """`root` alone where one is given; else $LAW_RL_DATA, ./data, ../shared/data and ~/.cache/law_rl, in this order."""
    if root:
        return (Path(root).expanduser().absolute(),)
    named = os.environ.get("LAW_RL_DATA", "")
    here = Path.cwd()
    usual = (here / "data", here.parent / "shared" / "data", Path.home() / ".cache" / "law_rl")
    return (Path(named).expanduser().absolute(), *usual) if named else usual


def find_file(path: str, places: Iterable[Path]) -> str:
    """`path` from the working directory or else from the first of `places` that has it; as it is where none has."""
    candidates = (Path(path).expanduser(), *(place / path for place in places))
    return next((str(candidate) for candidate in candidates if candidate.is_file()), path)
