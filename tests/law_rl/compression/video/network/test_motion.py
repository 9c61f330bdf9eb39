"""The motion codec's start: smooth flow survives, and one that is not moving costs little."""

import pytest
import torch

from law_rl.compression.video.network.motion import MotionCodec, RawMotion
from law_rl.compression.video.network.video_network import DVC, build_video


def test_smooth_flow_survives_an_untrained_codec() -> None:
    motion = build_video(DVC, 0).motion
    assert isinstance(motion, MotionCodec)
    ys, xs = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    flow = torch.stack([1.5 + 0.02 * xs, -1.0 + 0.03 * ys])[None].float()
    latents = motion.analyse(flow)
    assert latents.shape == (1, 32, 4, 4)
    decoded = motion.synthesise(latents.round())
    assert (decoded - flow).square().mean().sqrt() < 0.3
    assert motion.prior.bits(latents.round()).sum() / 64**2 < 0.2


def test_no_motion_is_cheap() -> None:
    motion = build_video(DVC, 0).motion
    latents = motion.analyse(torch.zeros(1, 2, 64, 64))
    assert motion.synthesise(latents.round()).abs().max() < 1e-3
    assert motion.prior.bits(latents.round()).sum() / 64**2 < 0.1


def test_raw_motion_is_rounded_to_quarters() -> None:
    motion = RawMotion()
    flow = torch.tensor([0.3, -1.9]).view(1, 2, 1, 1)
    decoded = motion.synthesise(motion.analyse(flow).round())
    assert decoded.flatten().tolist() == pytest.approx([0.25, -2.0])
