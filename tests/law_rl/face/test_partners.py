"""Random partners: different others, all equally likely."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from law_rl.face.partners import random_partners


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), identities=st.integers(2, 30), data=st.data())
def test_they_are_different_others(seed: int, identities: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, identities - 1))
    partners = random_partners(identities, count, seed)
    assert partners.shape == (identities, count) and partners.dtype == torch.int64
    for own, row in enumerate(partners.tolist()):
        assert len(set(row)) == count
        assert own not in row and set(row) <= set(range(identities))
    assert torch.equal(partners, random_partners(identities, count, seed))


def test_each_set_of_others_is_as_likely() -> None:
    draws = torch.stack([random_partners(5, 2, seed) for seed in range(3000)])
    pairs = draws[:, 2].sort(dim=1).values
    counts = torch.bincount(pairs[:, 0] * 5 + pairs[:, 1], minlength=25)
    assert (counts > 0).sum() == 6
    assert (counts[counts > 0] - 500).abs().max() < 5 * (3000 / 6 * 5 / 6) ** 0.5


def test_too_many_or_no_others_are_refused() -> None:
    with pytest.raises(ValueError, match="count is 5, and an identity has 4 others: give at most 4"):
        random_partners(5, 5, 0)
    with pytest.raises(ValueError, match="there is 1 identity: give at least 2"):
        random_partners(1, 1, 0)
