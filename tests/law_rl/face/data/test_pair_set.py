from typing import Any

import pytest
import torch

from law_rl.face.data.pair_set import PairSet


def parts() -> dict[str, Any]:
    return {
        "images": torch.zeros(3, 1, 4, 4, dtype=torch.uint8),
        "pairs": torch.tensor([[0, 2], [1, 1]]),
        "same": torch.tensor([True, False]),
        "fold": torch.tensor([0, 1]),
    }


def test_pairs_that_are_there_are_shared() -> None:
    pairs = PairSet(**parts())
    moved = pairs.to("cpu")
    assert moved.images is pairs.images and torch.equal(moved.pairs, pairs.pairs)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("images", torch.zeros(3, 1, 4, 4), r"PairSet\.images is torch\.float32"),
        ("images", torch.zeros(3, 4, 4, dtype=torch.uint8), r"PairSet\.images is torch\.uint8 \(3, 4, 4\)"),
        ("pairs", torch.tensor([[0, 2, 1]]), r"PairSet\.pairs is torch\.int64 \(1, 3\)"),
        ("pairs", torch.tensor([0, 2]), r"PairSet\.pairs is torch\.int64 \(2,\)"),
        ("pairs", torch.zeros(0, 2, dtype=torch.int64), "give at least one pair"),
        ("pairs", torch.tensor([[0.0, 2.0], [1.0, 1.0]]), r"PairSet\.pairs is torch\.float32"),
        ("pairs", torch.tensor([[0, 3], [1, 1]]), "names image 3: give indices below 3"),
        ("pairs", torch.tensor([[0, 2], [-1, 1]]), "names image -1"),
        ("same", torch.tensor([1, 0]), r"PairSet\.same is torch\.int64 \(2,\): give torch\.bool \[2\]"),
        ("same", torch.tensor([True]), r"PairSet\.same is torch\.bool \(1,\)"),
        ("fold", torch.tensor([0.0, 1.0]), r"PairSet\.fold is torch\.float32"),
        ("fold", torch.tensor([0, -1]), "number the folds from 0"),
    ],
)
def test_what_does_not_fit_is_named(name: str, value: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PairSet(**(parts() | {name: value}))
