"""What Ray's processes find in their environment, and where they share decoded data."""

import stat
import tempfile
from pathlib import Path

import pytest

from law_rl.cluster.session import share_decoded_data, worker_environment
from law_rl.data.node_cache import cache_folder
from law_rl.data.places import NODE_CACHE
from law_rl.resources import Resources


def test_workers_find_the_project_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/other")
    assert worker_environment(Path("/project"), Resources(cpus=3)) == {
        "PYTHONPATH": "/project:/other",
        "OMP_NUM_THREADS": "3",
    }
    monkeypatch.delenv("PYTHONPATH")
    assert worker_environment(Path("/project"), Resources())["PYTHONPATH"] == "/project"


def test_decoded_data_are_shared_in_a_folder_of_the_user_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv(NODE_CACHE, "")
    monkeypatch.delenv(NODE_CACHE)
    share_decoded_data()
    folder = cache_folder()
    assert folder is not None
    assert folder.parent == tmp_path
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_the_user_names_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(NODE_CACHE, str(tmp_path / "mine"))
    share_decoded_data()
    assert cache_folder() == tmp_path / "mine"
