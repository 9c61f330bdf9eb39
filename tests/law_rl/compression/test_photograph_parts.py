"""Photographs in parts: where the samples are cut, and what is refused."""

import numpy as np
import pytest

from law_rl.compression.photograph_files import sample_photographs
from law_rl.compression.photograph_parts import check_source, photograph_parts


def test_the_samples_are_cut_into_strips_side_by_side() -> None:
    files, parts = sample_photographs(), photograph_parts("samples", "")
    assert [[strip.shape[1] for strip in part] for part in parts] == [[384, 384], [128, 128], [128, 128]]
    for whole, *strips in zip((*files.train, *files.validation), *parts, strict=True):
        assert np.array_equal(np.concatenate(strips, 1), whole)


def test_a_name_that_is_no_source_is_refused() -> None:
    check_source("bsds")
    with pytest.raises(ValueError, match="name is 'kodak': use samples, which need no file, or bsds"):
        check_source("kodak")
