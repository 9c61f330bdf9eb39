"""Storage: the same at a path and at a URI, and refused where a node does not see it."""

from pathlib import Path
from types import ModuleType

import pytest

from law_rl.cluster.storage import Storage, blind_nodes, check_shared


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_files_come_back(tmp_path: Path, scheme: str) -> None:
    storage = Storage(f"{scheme}{tmp_path}/runs of all")
    assert storage.folders() == []
    storage.check_writable()
    inner = storage / "b"
    assert inner.read("x") is None
    inner.write("x", b"abc")
    assert inner.read("x") == b"abc"
    assert storage.folders() == ["b"]
    assert inner.split() == (storage.uri, "b")
    (inner / "deep").write("y", b"")
    inner.download(tmp_path / "copy")
    assert (tmp_path / "copy" / "deep" / "y").is_file()
    inner.delete_folders()
    assert inner.folders() == []
    assert (tmp_path / "copy" / "x").read_bytes() == b"abc"


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Storage("here").uri == str(tmp_path / "here")


def test_the_options_of_a_uri_stay_at_its_end() -> None:
    inner = Storage("s3://bucket/runs?region=x") / "a"
    assert inner.uri == "s3://bucket/runs/a?region=x"
    assert inner.split() == ("s3://bucket/runs?region=x", "a")


@pytest.mark.parametrize(("place", "words"), [("nowhere://x/y", "cannot be opened"), ("/proc/x", "cannot be written")])
def test_what_cannot_be_used_is_refused(place: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Storage(place).check_writable()


@pytest.mark.ray
def test_nodes_that_do_not_see_a_file_are_named(
    ray_session: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = ray_session.nodes()
    (tmp_path / "there").touch()
    assert blind_nodes(nodes, tmp_path / "there") == []
    assert blind_nodes(nodes, tmp_path / "missing") == [nodes[0]["NodeManagerAddress"]]
    check_shared(Storage(str(tmp_path)))
    monkeypatch.setattr(ray_session, "nodes", lambda: nodes * 2)
    check_shared(Storage(str(tmp_path)))
    monkeypatch.setattr("law_rl.cluster.storage.blind_nodes", lambda nodes, path: ["10.0.0.2"])
    with pytest.raises(ValueError, match=r"1 of 2 nodes \(10.0.0.2\) do not see .*--storage"):
        check_shared(Storage(str(tmp_path)))
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
