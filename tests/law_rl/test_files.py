import errno
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from law_rl.files import atomic_file, load_tree, read_metadata, renamed, save_tree, write_atomic, write_json


@pytest.mark.parametrize(("private", "mode"), [(True, 0o600), (False, 0o644)])
def test_a_private_file_is_the_owners_alone_whatever_was_there(tmp_path: Path, private: bool, mode: int) -> None:
    path, before = tmp_path / "file", os.umask(0o022)
    path.touch(0o666)
    try:
        write_atomic(path, b"content", private=private)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == mode and path.read_bytes() == b"content"


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from(["tensor:", "tensor:0", "text:", "text:tensor:1"])
)
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool, torch.uint8]


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    values = torch.arange(math.prod(shape)).reshape(shape)
    return values.to(draw(st.sampled_from(DTYPES)))


TREES = st.dictionaries(
    st.text(),
    st.recursive(
        SCALARS | tensors(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(tree=TREES)
def test_a_tree_comes_back_as_it_was_written(tree: dict[str, Any], tmp_path: Path) -> None:
    save_tree(tmp_path / "tree.safetensors", tree)
    assert same(tree, load_tree(tmp_path / "tree.safetensors"))


def test_tuples_come_back_as_lists_and_views_as_whole_tensors(tmp_path: Path) -> None:
    base = torch.arange(6.0).reshape(2, 3)
    save_tree(tmp_path / "t", {"views": (base.t(), base[0], base[0])})
    views = load_tree(tmp_path / "t")["views"]
    assert same(views, [base.t(), base[0], base[0]])


def test_gradients_are_not_written(tmp_path: Path) -> None:
    save_tree(tmp_path / "t", {"w": torch.ones(2, requires_grad=True)})
    assert not load_tree(tmp_path / "t")["w"].requires_grad


def structure(tree: Any) -> bytes:
    return save({"0": torch.ones(2)}, {"tree": json.dumps(tree)})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        b"just some text, longer than a header",
        (2**62).to_bytes(8, "little") + b"{}",
        save({"0": torch.ones(2)}),
        save({"0": torch.ones(2)}, {"tree": "{"}),
        structure([1]),
        structure("tensor:0"),
        structure({"a": "tensor:1"}),
        save({}, {"tree": "[" * 100_000}),
        structure({"a": 1})[:-1],
    ],
)
def test_a_damaged_or_foreign_file_is_named_in_a_value_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.safetensors is damaged or not a file of law-rl"):
        load_tree(path)


def test_metadata_is_read_from_the_header_alone() -> None:
    assert read_metadata(save({"a": torch.ones(2)}, {"x": "y"})) == {"x": "y"}
    assert read_metadata(save({"a": torch.ones(2)})) == {}
    with pytest.raises(ValueError, match="not a table"):
        read_metadata((2).to_bytes(8, "little") + b"[]")


def test_a_write_that_fails_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "folder" / "file"
    write_atomic(path, b"old")

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"No space left on device: .*file'$"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    monkeypatch.undo()
    write_atomic(path, b"newer")
    assert path.read_bytes() == b"newer"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_json_has_no_word_for_nan(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    write_json(path, {"a": [1, 2.5, None]})
    assert json.loads(path.read_text()) == {"a": [1, 2.5, None]}
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="JSON"):
            write_json(path, {"a": value})
    assert json.loads(path.read_text()) == {"a": [1, 2.5, None]}


def test_a_file_is_in_its_place_at_the_end_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic_file(path) as file:
        file.write(b"one")
        assert not path.exists()
        file.write(b" two")
    assert path.read_bytes() == b"one two"
    with pytest.raises(KeyboardInterrupt), atomic_file(path) as file:
        file.write(b"other")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"one two" and list(tmp_path.iterdir()) == [path]


def test_errors_of_other_files_keep_their_names(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="source"), atomic_file(tmp_path / "file"):
        (tmp_path / "source").read_bytes()
    with pytest.raises(OSError, match=r"^no errno$"), atomic_file(tmp_path / "file"):
        raise OSError("no errno")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=r"'[^']*folder'$"):
        write_atomic(tmp_path / "folder", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def write_folder(path: Path, name: str) -> None:
    with renamed(path) as temporary:
        temporary.mkdir()
        (temporary / name).touch()


def test_a_folder_takes_the_place_of_an_empty_one_or_of_none(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder"
    write_folder(path, "a")
    with pytest.raises(OSError, match="not empty"):
        write_folder(path, "b")
    assert [entry.name for entry in path.iterdir()] == ["a"]
    (path / "a").unlink()
    write_folder(path, "b")
    assert [entry.name for entry in path.iterdir()] == ["b"] and [*path.parent.iterdir()] == [path]
