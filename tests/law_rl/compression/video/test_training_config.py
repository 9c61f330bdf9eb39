"""Stages of a training of predicted frames, and settings that are refused."""

import pytest

from law_rl.compression.video.training_config import VideoTrainingConfig


def test_stages_follow_each_other() -> None:
    config = VideoTrainingConfig(flow=0.2, motion=0.1, compensation=0.3)
    stages = [config.stage(progress) for progress in (0.0, 0.19, 0.21, 0.29, 0.31, 0.59, 0.61, 1.0)]
    assert stages == ["flow", "flow", "motion", "motion", "compensation", "compensation", "all", "all"]
    assert VideoTrainingConfig(flow=0, motion=0, compensation=0).stage(0.0) == "all"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"flow": -0.1}, "flow is -0.1"),
        ({"motion": 1.0}, "motion is 1.0"),
        ({"flow": 0.5, "motion": 0.3, "compensation": 0.2}, "leave no share"),
        ({"reference": "first"}, "reference is 'first'"),
        ({"crop": 100}, "crop is 100"),
        ({"lambda_": 0.0}, "lambda_ is 0.0"),
    ],
)
def test_bad_settings_are_refused(values: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        VideoTrainingConfig(**values)  # type: ignore[arg-type]
