"""Tiny trainings of video codecs on drawn clips, for the tests that train one."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch

from law_rl.compression.network.codec_network import CodecConfig
from law_rl.compression.video.crops import CropConfig, CropDataset, Crops
from law_rl.compression.video.learner import VideoLearner, VideoLearnerConfig
from law_rl.compression.video.network.flow import FlowConfig
from law_rl.compression.video.network.video_network import VideoConfig
from law_rl.compression.video.task import VideoTask
from law_rl.learner import BASELINE, Directive
from tests.law_rl.compression.patch_trainings import OPTIMISER, drawn

NETWORK = VideoConfig(
    flow=FlowConfig(channels=(4,), kernel=3, levels=2, finest=4),
    motion=3,
    compensation=2,
    residual=CodecConfig(width=4, latents=6, attention="none"),
)
CONFIG = VideoLearnerConfig(network=NETWORK, lambda_=256.0, optimiser=OPTIMISER, batch_size=4, epochs=2, stages=3)
TASK = VideoTask(data=CropConfig(train=4, validation=2, test=2, frames=3), training=CONFIG)


def crops(count: int, seed: int) -> Crops:
    """Clips of three frames that move right by 0, 1, 2 ... pixels a frame, decoded a little darker."""
    still = drawn(count, seed)
    moved = [torch.stack([still[n].roll(n * time, 2) for n in range(count)]) for time in range(3)]
    frames = torch.stack(moved, 1)
    return Crops(frames=frames, intra=frames - (frames > 2).to(torch.uint8))


@lru_cache(maxsize=1)
def dataset() -> CropDataset:
    return CropDataset(name="drawn", train=crops(5, 0), validation=crops(3, 1), test=crops(2, 2))


def make(seed: int = 0, **changes: Any) -> VideoLearner:
    return replace(CONFIG, **changes).learner(dataset(), seed)


def train(learner: VideoLearner, directive: Directive = BASELINE, until: int | None = None) -> VideoLearner:
    while learner.stage < (learner.stages if until is None else until):
        assert not learner.train_stage(directive).failure
    return learner
