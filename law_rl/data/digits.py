"""The 1,797 handwritten digits of 8 x 8 pixels that scikit-learn carries."""

from importlib.metadata import distribution

import numpy as np
import torch

from law_rl.data.official import OfficialParts, Part
from law_rl.data.splits import fixed_order, split_stratified

FILE = "sklearn/datasets/data/digits.csv.gz"
TEST_IMAGES = 500


def read_digits() -> OfficialParts:
    """Images uint8 [N, 1, 8, 8] with values 0..16. There is no official test part: a fixed stratified 500 is one.

    Read from scikit-learn's file without importing scikit-learn, which takes every process a second.
    """
    file = distribution("scikit-learn").locate_file(FILE)
    rows = torch.from_numpy(np.loadtxt(str(file), delimiter=",", dtype=np.uint8))
    images, targets = rows[:, :-1].reshape(-1, 1, 8, 8), rows[:, -1].to(torch.int64)
    test, train = (
        indices.sort().values for indices in split_stratified(fixed_order(len(targets)), targets, TEST_IMAGES)
    )
    return OfficialParts(
        class_names=tuple(str(digit) for digit in range(10)),
        train=Part(targets=targets[train], images=images[train].__getitem__),
        test=Part(targets=targets[test], images=images[test].__getitem__),
    )
