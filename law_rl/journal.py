"""The journal of a search: every finished training in a file of its own, and now and then the state of the agent."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from law_rl.agent import Episode
from law_rl.files import load_tree, save_tree
from law_rl.twins import Curve

SHARE_OF_TIME = 0.02


class Journal:
    """Files in `directory` from which a killed search goes on; each is written whole or not at all.

    A training is on the disk before anything is learned from it. The state, which grows with the agent, is saved so
    rarely that this takes at most 2 % of the time; what was learned since is learned again from the trainings.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._state = directory / "search.safetensors"
        self._next_save = 0.0

    @property
    def exists(self) -> bool:
        return self._state.is_file()

    def add_twin(self, seed: int, curve: Curve) -> None:
        save_tree(self.directory / "twins" / f"{seed}.safetensors", {"seed": seed, "curve": list(curve)})

    def add_episode(self, index: int, episode: Episode) -> None:
        save_tree(self.directory / "episodes" / f"{index:06}.safetensors", {"index": index, **episode.to_tree()})

    def twins(self) -> dict[int, Curve]:
        """The curves of the finished twins by seed."""
        trees = self._trees("twins")
        return {tree["seed"]: tuple(tree["curve"]) for tree in trees}

    def episodes(self) -> dict[int, Episode]:
        """The finished episodes by index."""
        return {tree.pop("index"): Episode.from_tree(tree) for tree in self._trees("episodes")}

    def _trees(self, folder: str) -> list[dict[str, Any]]:
        return [load_tree(path) for path in sorted((self.directory / folder).glob("*.safetensors"))]

    @property
    def is_due(self) -> bool:
        """Whether the state should be saved again."""
        return time.monotonic() >= self._next_save

    def save_state(self, state: Mapping[str, Any]) -> None:
        started = time.monotonic()
        save_tree(self._state, state)
        ended = time.monotonic()
        self._next_save = ended + (ended - started) / SHARE_OF_TIME

    def load_state(self) -> dict[str, Any]:
        return load_tree(self._state)
