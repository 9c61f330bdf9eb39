"""The 1,797 handwritten digits of 8 x 8 pixels that scikit-learn carries."""

import torch
from sklearn.datasets import load_digits

from law_rl.data.official import OfficialParts, Part
from law_rl.data.splits import fixed_order, split_stratified

TEST_IMAGES = 500


def read_digits() -> OfficialParts:
    """Images uint8 [N, 1, 8, 8] with values 0..16. There is no official test part: a fixed stratified 500 is one."""
    bunch = load_digits()
    images = torch.from_numpy(bunch.images).to(torch.uint8).unsqueeze(1)
    targets = torch.from_numpy(bunch.target).to(torch.int64)
    test, train = (
        indices.sort().values for indices in split_stratified(fixed_order(len(targets)), targets, TEST_IMAGES)
    )
    return OfficialParts(
        class_names=tuple(str(digit) for digit in range(10)),
        train=Part(targets=targets[train], images=images[train].__getitem__),
        test=Part(targets=targets[test], images=images[test].__getitem__),
    )
