"""A similarity and a gallery index as one integer, so that any top-k of such keys ranks ties by the gallery's order."""

import torch
from torch import Tensor

EMPTY = -(2**63)
"""Below every key: the place has no neighbour yet."""
LARGEST_INDEX = 2**32 - 1


def encode(similarities: Tensor, indices: Tensor) -> Tensor:
    """Keys int64 of finite similarities float32 and indices int64 in [0, 2^32): larger for the larger similarity, and
    among equal ones (0 and -0 too) for the smaller index.
    """
    bits = (similarities + 0.0).view(torch.int32)
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # the bits of negative floats count backwards
    return (ordered.long() << 32) | (LARGEST_INDEX - indices)


def decode(keys: Tensor) -> tuple[Tensor, Tensor]:
    """The similarities and indices of keys; -inf and an index without meaning where a key is EMPTY."""
    ordered = (keys >> 32).int()
    similarities = (ordered ^ ((ordered >> 31) & 0x7FFFFFFF)).view(torch.float32)
    return similarities.masked_fill(keys == EMPTY, -torch.inf), LARGEST_INDEX - (keys & LARGEST_INDEX)
