"""What changes over a training follows its progress, by steps or by time."""

import math
from typing import Any

import pytest

from law_rl.compression.training_config import TrainingConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": None}, "steps and minutes are both None: give at least one of them"),
        ({"lambda_": 0.0}, "lambda_ is 0.0: give a number above 0"),
        ({"steps": 0}, "steps is 0: give a number above 0"),
        ({"minutes": math.nan}, "minutes is nan: give a number above 0"),
        ({"learning_rate": math.inf}, "learning_rate is inf: give a number above 0"),
        ({"warmup": 1.5}, "warmup is 1.5: give a number from 0 to below 1"),
        ({"average": 1.0}, "average is 1.0: give a number from 0 to below 1"),
        ({"crop": 100}, "crop is 100: give a multiple of 64"),
        ({"distortion": "ms_ssim", "crop": 128}, "crop is 128: give 192 at least"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingConfig(**settings)


def test_progress_is_the_nearer_of_steps_and_time() -> None:
    both = TrainingConfig(steps=100, minutes=2)
    assert both.progress(50, 0) == 0.5
    assert both.progress(10, 90) == 0.75
    assert both.progress(10, 1e9) == 1
    assert TrainingConfig(steps=None, minutes=1).progress(10**9, 30) == 0.5
    assert TrainingConfig(steps=10).progress(5, 1e9) == 0.5


def test_the_learning_rate_rises_then_falls_to_its_last_value() -> None:
    config = TrainingConfig(learning_rate=1.0, final_learning_rate=0.1, warmup=0.2)
    assert config.learning_rate_at(0.1) == pytest.approx(0.5)
    assert config.learning_rate_at(0.2) == pytest.approx(1.0)
    assert config.learning_rate_at(0.6) == pytest.approx(0.55)
    assert config.learning_rate_at(1.0) == pytest.approx(0.1)
    assert config.learning_rate_at(0.0) > 0
    assert TrainingConfig(warmup=0.0).learning_rate_at(0.0) == TrainingConfig.learning_rate
