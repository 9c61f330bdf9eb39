"""Ranking keys: their order is that of similarities, ties by index, and nothing is lost on the way."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from law_rl.face.ranking_keys import EMPTY, LARGEST_INDEX, decode, encode

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
PAIRS = st.lists(st.tuples(FLOATS, st.integers(0, LARGEST_INDEX)), min_size=2, max_size=20)


def keys_of(pairs: list[tuple[float, int]]) -> torch.Tensor:
    similarities, indices = zip(*pairs, strict=True)
    return encode(torch.tensor(similarities, dtype=torch.float32), torch.tensor(indices))


@given(PAIRS)
def test_keys_order_by_similarity_and_then_by_the_smaller_index(pairs: list[tuple[float, int]]) -> None:
    order = keys_of(pairs).sort(descending=True, stable=True).indices.tolist()
    assert order == sorted(range(len(pairs)), key=lambda place: (-pairs[place][0], pairs[place][1]))


@given(PAIRS)
def test_keys_give_back_what_they_are_made_of(pairs: list[tuple[float, int]]) -> None:
    keys = keys_of(pairs)
    assert (keys > EMPTY).all()
    similarities, indices = decode(keys)
    assert list(zip(similarities.tolist(), indices.tolist(), strict=True)) == pairs


def test_both_zeros_are_equal_and_an_empty_place_is_minus_infinity() -> None:
    assert keys_of([(-0.0, 3), (0.0, 4)]).tolist() == keys_of([(0.0, 3), (-0.0, 4)]).tolist()
    assert decode(torch.tensor([EMPTY]))[0].item() == -math.inf
