"""The three conditions of masked verification."""

import numpy as np
import pytest
import torch

from law_rl.counters import torch_generator
from law_rl.face.evaluation.masked import masked_scores, masked_table


def test_who_meets_whom() -> None:
    plain, masked = torch.eye(3), torch.eye(3)[[1, 2, 0]]
    scores = masked_scores(plain, masked, torch.tensor([0, 0, 1]))
    assert list(scores) == ["plain-plain", "masked-plain", "masked-masked"]
    assert [len(each.genuine) for each in scores.values()] == [1, 2, 1]
    # masked image 0 equals plain image 1, 1 equals 2 and 2 equals 0: no image meets its own
    np.testing.assert_allclose(np.sort(scores["masked-plain"].genuine), [0, 1])
    np.testing.assert_allclose(np.sort(scores["masked-plain"].impostor), [0, 0, 1, 1])


def test_masks_cost_accuracy() -> None:
    identities = torch.arange(90) // 3
    generator = torch_generator(0, "faces")
    plain = torch.randn(30, 16, generator=generator)[identities] + 0.5 * torch.randn(90, 16, generator=generator)
    masked = plain + 2 * torch.randn(90, 16, generator=generator)
    table = masked_table(masked_scores(plain, masked, identities), (0.01,))
    assert list(table["plain-plain"]) == ["TAR@0.01", "EER"]
    tars = [row["TAR@0.01"] for row in table.values()]
    assert tars == sorted(tars, reverse=True)
    errors = [row["EER"] for row in table.values()]
    assert errors == sorted(errors)


def test_both_must_be_of_the_same_images() -> None:
    with pytest.raises(ValueError, match="give both for the same images"):
        masked_scores(torch.eye(3), torch.eye(3)[:, :2], torch.tensor([0, 0, 1]))
