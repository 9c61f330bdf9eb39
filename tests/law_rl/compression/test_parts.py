"""The hash of a data set: equal for equal pixels, and for no others."""

import torch

from law_rl.compression.parts import content_hash


def test_a_hash_tells_name_shape_order_and_pixels() -> None:
    one, other = torch.arange(12, dtype=torch.uint8), torch.zeros(3, dtype=torch.uint8)
    first = content_hash("a", (one, other))
    assert first == content_hash("a", (one.clone(), other)) and len(first) == 64
    changed = [("b", (one, other)), ("a", (other, one)), ("a", (one.view(3, 4), other)), ("a", (one, other + 1))]
    assert len({first, *(content_hash(*each) for each in changed)}) == 5


def test_a_hash_does_not_depend_on_the_layout_in_memory() -> None:
    images = torch.arange(48, dtype=torch.uint8).view(1, 3, 4, 4)
    assert content_hash("a", (images,)) == content_hash("a", (images.contiguous(memory_format=torch.channels_last),))
