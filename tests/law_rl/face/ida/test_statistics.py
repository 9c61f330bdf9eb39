"""Neighbour statistics: picked, joined and set against columns, each number with its face."""

import pytest
import torch

from law_rl.face.ida.statistics import NeighbourStatistics


def numbered(count: int) -> NeighbourStatistics:
    faces = torch.arange(count).float()
    return NeighbourStatistics(mean=faces, std=faces + 0.1, evidence=faces + 0.2, count=torch.arange(count) + 7)


def test_faces_are_picked_with_all_their_numbers() -> None:
    picked = numbered(5).at(torch.tensor([3, 1, 3]))
    assert len(picked) == 3
    for name, tensor in picked.tensors().items():
        assert torch.equal(tensor, numbered(5).tensors()[name][[3, 1, 3]]), name
    assert torch.equal(numbered(5).at(slice(1, 3)).count, torch.tensor([8, 9]))


def test_a_column_stands_for_the_rows_of_a_table() -> None:
    column = numbered(3).as_column()
    assert {tuple(tensor.shape) for tensor in column.tensors().values()} == {(3, 1)}
    assert torch.equal((column.mean + numbered(2).mean)[:, 1], torch.tensor([1.0, 2.0, 3.0]))


def test_parts_are_joined_in_order() -> None:
    whole = numbered(5)
    joined = NeighbourStatistics.joined([whole.at(slice(0, 2)), whole.at(slice(2, 5))])
    for name, tensor in joined.tensors().items():
        assert torch.equal(tensor, whole.tensors()[name]), name


def test_shapes_that_differ_are_refused() -> None:
    faces = torch.zeros(3)
    with pytest.raises(ValueError, match="give one number of each kind for each face"):
        NeighbourStatistics(mean=faces, std=faces, evidence=faces[:2], count=faces.long())
