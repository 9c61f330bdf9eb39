"""Trainings of predicted frames learn, and go on after a stop as if there had been none, references included."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from law_rl.compression.training import Moment, Training, train_together
from law_rl.compression.training_step import BLOCK
from law_rl.compression.video.network.video_network import VideoNetwork, build_video
from law_rl.compression.video.objective import intra_frames
from law_rl.compression.video.training import video_training
from law_rl.compression.video.training_config import VideoTrainingConfig
from tests.law_rl.compression.video.tiny import CONFIG, clip_set, intra_model

TRAINING = VideoTrainingConfig(
    lambda_=512.0, batch=2, crop=64, steps=4 * BLOCK, flow=0.25, motion=0.25, compensation=0.0, learning_rate=1e-3
)


def training(
    config: VideoTrainingConfig = TRAINING, checkpoint: Path | None = None, start: VideoNetwork | None = None
) -> Training[VideoNetwork]:
    clips = clip_set()
    decoded = intra_frames(clips.frames, intra_model().network())
    return video_training(CONFIG, config, clips, decoded, checkpoint, start)


def weights(one: Training[VideoNetwork]) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in one.network().parameters()])


def test_the_cost_falls() -> None:
    moments: list[Moment] = []
    config = replace(TRAINING, steps=6 * BLOCK, flow=0.0, motion=0.0)
    train_together([training(config)], lambda _, moment: moments.append(moment), seconds=0)
    assert moments[-1].cost < 0.9 * moments[0].cost


def test_a_stopped_training_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole = training()
    train_together([whole], lambda *_: None)
    stopped = training(checkpoint=tmp_path / "checkpoint")
    for _ in range(3):
        stopped.run_block()
    stopped.save()
    stopped.run_block()  # lost, as after a kill
    again = training(checkpoint=tmp_path / "checkpoint")
    assert again.step == 3 * BLOCK
    train_together([again], lambda *_: None)
    assert torch.equal(weights(whole), weights(again))


def test_it_goes_on_from_another_network() -> None:
    start = build_video(CONFIG, 5)
    gone_on = training(replace(TRAINING, learning_rate=1e-9, final_learning_rate=1e-9), start=start)
    gone_on.run_block()
    for name, parameter in gone_on.network().named_parameters():
        torch.testing.assert_close(parameter.detach(), dict(start.named_parameters())[name].detach(), atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="same configuration"):
        training(start=build_video(replace(CONFIG, compensation=0), 0))


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    first = training(checkpoint=tmp_path / "checkpoint")
    first.run_block()
    first.save()
    with pytest.raises(ValueError, match="other settings"):
        training(replace(TRAINING, reference="original"), checkpoint=tmp_path / "checkpoint")
