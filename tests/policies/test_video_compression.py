"""Baselines of video codecs: what they direct in each stage."""

import pytest

from law_rl.learner import BASELINE
from law_rl.weighting import LinearTanh
from policies.video_compression import VIDEO_CODECS, PredictionFirst
from tests.policies.test_compression import directives


def test_the_first_directs_as_the_twin_does() -> None:
    assert directives(VIDEO_CODECS[0]) == [BASELINE] * 5 and VIDEO_CODECS[0].name == "uniform"
    assert len({each.name for each in VIDEO_CODECS}) == len(VIDEO_CODECS)


def test_the_prediction_counts_less_and_less_and_in_the_end_not() -> None:
    directed = directives(PredictionFirst(strength=0.8))
    assert [each.losses["prediction"] for each in directed] == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.0])
    assert all(set(each.losses) == {"prediction"} for each in directed)


def test_moving_frames_count_more_throughout() -> None:
    (moving,) = (each for each in VIDEO_CODECS if each.name == "moving_frames")
    for each in directives(moving):
        assert isinstance(each.weighting, LinearTanh) and each.weighting.features == ("motion",)
        assert each.weighting.weights[0] > 0 and not each.losses
