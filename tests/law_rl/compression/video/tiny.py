"""Tiny video models and clips for tests."""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.network.codec_network import CodecConfig, build_codec
from law_rl.compression.video.clips import ClipSet
from law_rl.compression.video.model_file import VideoModel
from law_rl.compression.video.network.flow import FlowConfig
from law_rl.compression.video.network.video_network import VideoConfig, build_video

CONFIG = VideoConfig(
    flow=FlowConfig(channels=(4,), levels=2, finest=4),
    motion=4,
    compensation=4,
    residual=CodecConfig(width=8, latents=8, attention="z", components=2),
    enhancement=4,
)


@cache
def intra_model() -> CodecModel:
    return CodecModel.export(build_codec(CodecConfig(width=8, latents=8, attention="none"), 0), lambda_=1024, quality=1)


@cache
def video_model() -> VideoModel:
    """Weights near those of a start, with compensation and enhancement that change something."""
    network = build_video(CONFIG, 0, lambda_=1024.0)
    with torch.no_grad():
        for number, (name, parameter) in enumerate(network.named_parameters()):
            if name.startswith(("compensation.tail", "enhancement.body.2")):
                parameter.normal_(std=3e-4, generator=torch.Generator().manual_seed(number))
    return VideoModel.export(network, lambda_=1024, quality=2, intra=intra_model().hash, provenance={"by": "test"})


def moving(count: int, height: int = 70, width: int = 90, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Frames uint8 [H, W, 3] of a picture that moves by (1, 0.5) pixels a frame."""
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    frames = []
    for time in range(count):
        xs, ys = columns + time + seed, rows + 0.5 * time
        planes = [np.sin(xs / a) * np.cos(ys / b) for a, b in ((14, 27), (26, 15), (19, 18))]
        frames.append((127 + 110 * np.stack(planes, 2)).astype(np.uint8))
    return frames


def clip_set(count: int = 3, frames: int = 3, size: int = 64) -> ClipSet:
    """Such clips with their true flow."""
    clips = [np.stack(moving(frames, size, size, seed=7 * number)) for number in range(count)]
    flow = torch.tensor([1.0, 0.5], dtype=torch.float16).view(1, 1, 2, 1, 1)
    return ClipSet(
        frames=torch.from_numpy(np.stack(clips)).permute(0, 1, 4, 2, 3).contiguous(),
        flows=flow.expand(count, frames - 1, 2, size, size).contiguous(),
    )
