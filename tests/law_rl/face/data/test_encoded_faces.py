"""Faces on the disk, decoded a batch at a time: order, memory, and what is left out."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from law_rl.face.data.encoded_faces import AHEAD, decoded_batches, decoder, listed_faces, open_faces
from law_rl.face.data.identity_folders import read_identity_folders
from tests.law_rl.commands.faces import SIZE, write_folders


def numbered(index: int) -> torch.Tensor:
    return torch.full((1, 2, 2), index, dtype=torch.uint8)


@given(count=st.integers(1, 40), batch=st.integers(1, 12), broken=st.sets(st.integers(0, 39)))
def test_batches_hold_all_that_can_be_read_in_order(count: int, batch: int, broken: set[int]) -> None:
    def decode(index: int) -> torch.Tensor:
        if index in broken:
            raise ValueError(f"image {index}")
        return numbered(index)

    skipped: list[str] = []
    found = list(decoded_batches(count, decode, batch, skipped))
    wanted = [index for index in range(count) if index not in broken]
    assert [row for rows, _ in found for row in rows] == wanted
    assert all(images[:, 0, 0, 0].tolist() == rows and 0 < len(rows) <= batch for rows, images in found)
    assert skipped == [f"image {index}" for index in range(count) if index in broken]


def test_only_a_few_batches_are_decoded_ahead() -> None:
    decoded: list[int] = []

    def decode(index: int) -> torch.Tensor:
        decoded.append(index)
        return numbered(index)

    batches = decoded_batches(100, decode, 5)
    for used in range(1, 6):
        next(batches)
        assert len(decoded) <= 5 * (used + AHEAD)
    batches.close()
    assert len(decoded) <= 5 * (5 + AHEAD)


def test_the_first_broken_image_is_raised_as_it_is() -> None:
    def decode(index: int) -> torch.Tensor:
        if index in (3, 7):
            raise FileNotFoundError(f"image {index}")
        return numbered(index)

    with pytest.raises(FileNotFoundError, match="image 3"):
        list(decoded_batches(10, decode, 4))


def test_folders_are_as_when_read_whole(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "faces", persons=3, images=4, size=20)
    (root / "none").mkdir()
    faces, wanted = open_faces(root), read_identity_folders(root, size=SIZE, channels=3)
    decode = decoder(faces, size=SIZE, channels=3)
    assert torch.equal(torch.stack([decode(index) for index in range(faces.count)]), wanted.images)
    assert faces.identities is not None and torch.equal(faces.identities, wanted.identities)
    assert faces.identity_names == wanted.names and faces.names is not None and faces.names[5] == "ann1/1.png"


def test_a_list_is_taken_as_it_comes(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "faces", persons=1, images=3)
    faces = listed_faces(root, ("ann0/2.png", "ann0/0.png", "gone.png"))
    decode, alone = decoder(faces, size=SIZE, channels=1), open_faces(root / "ann0")
    wanted = decoder(alone, size=SIZE, channels=1)
    assert torch.equal(decode(0), wanted(2)) and torch.equal(decode(1), wanted(0))
    with pytest.raises(FileNotFoundError, match=r"gone\.png does not exist: put it there, or take it off the list"):
        decode(2)
