"""What the network of predicted frames is trained on and for: frames of clips, beside decoded ones as references."""

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from law_rl.compression.network.codec_network import CodecNetwork
from law_rl.compression.rd_cost import RDCost, distortion
from law_rl.compression.video.clips import ClipSet
from law_rl.compression.video.network.video_network import VideoNetwork
from law_rl.compression.video.training_config import VideoTrainingConfig

CHUNK = 64
"""Frames that the intra codec decodes at a time."""


class VideoObjective:
    """The cost of frames of `clips` at the stage of the training, see `training_step.Objective`.

    `decoded` uint8 [N, T, 3, S, S] are the references: at first what is given, such as `intra_frames`, then each frame
    as the network last decoded it; with "original" references the frames themselves, always.
    Source: DVC's buffer, arXiv 1812.00101, section 3.7. Raises ValueError for a training with a flow stage on clips
    without true flow.
    """

    draws, steady = 2, False

    def __init__(self, clips: ClipSet, decoded: Tensor, config: VideoTrainingConfig) -> None:
        if clips.flows is None and config.flow > 0:
            raise ValueError("flow is above 0, but the true flow of the clips is unknown: train on synthetic clips too")
        self.clips, self.config, self.device = clips, config, clips.frames.device
        self.decoded = (clips.frames if config.reference == "original" else decoded).clone()
        start = hashlib.sha256(self.decoded.cpu().numpy().tobytes()).hexdigest()[:16]
        self.content_hash = f"{clips.content_hash} {start}"

    def cost(self, network: VideoNetwork, draws: Tensor, noise: torch.Generator, progress: float) -> RDCost:
        """The costs [B] of the frames that draws [B, 2] choose: a clip, and any but its first frame."""
        count, length = self.clips.frames.shape[:2]
        clip, time = (draws[:, 0] * count).long(), 1 + (draws[:, 1] * (length - 1)).long()
        frames, references = pixels(self.clips.frames[clip, time]), pixels(self.decoded[clip, time - 1])
        stage = self.config.stage(progress)
        if stage == "flow":
            return self._flow_cost(network, frames, references, clip, time)
        if stage == "all":
            output = network(frames, references, noise)
            if self.config.reference == "decoded":
                self.decoded[clip, time] = as_bytes(output.reconstruction)
            return self._cost(frames, output.reconstruction, output.bits)
        prediction, warped, _, bits = network.compensate(frames, references, noise)
        return self._cost(frames, warped if stage == "motion" else prediction, bits)

    def state(self) -> Mapping[str, Tensor]:
        """The references."""
        return {"decoded": self.decoded}

    def _cost(self, frames: Tensor, decoded: Tensor, bits: Tensor) -> RDCost:
        with torch.autocast(self.device.type, enabled=False):
            errors = distortion(decoded.float(), frames, self.config.distortion)
            bpp = bits / (frames.shape[2] * frames.shape[3])
            return RDCost(bpp + self.config.lambda_ * errors, bpp, errors)

    def _flow_cost(
        self, network: VideoNetwork, frames: Tensor, references: Tensor, clip: Tensor, time: Tensor
    ) -> RDCost:
        """The mean length of the flow's error in pixels, summed over the levels, as cost and distortion."""
        assert self.clips.flows is not None
        true = self.clips.flows[clip, time - 1].float()
        cost = torch.zeros(len(frames), device=self.device)
        for flow in network.flow.pyramid(frames, references):
            scale = true.shape[-1] // flow.shape[-1]
            error = flow - functional.avg_pool2d(true, scale) / scale
            cost = cost + (error.square().sum(1) + 1e-4).sqrt().mean((1, 2))
        return RDCost(cost, torch.zeros_like(cost), cost)


@torch.no_grad()
def intra_frames(frames: Tensor, intra: CodecNetwork) -> Tensor:
    """Frames uint8 [N, T, 3, S, S] as the intra codec decodes them, same shape, on their device."""
    network = intra.to(frames.device).eval()
    parts = [as_bytes(network(pixels(chunk)).reconstruction) for chunk in torch.split(frames.flatten(0, 1), CHUNK)]
    return torch.cat(parts).view_as(frames)


def pixels(frames: Tensor) -> Tensor:
    """Frames uint8 as float32 in 0..1, channels last."""
    return (frames.float() / 255).contiguous(memory_format=torch.channels_last)


def as_bytes(frames: Tensor) -> Tensor:
    """Frames in 0..1, not clipped, as uint8, without a gradient."""
    return (frames.detach().float().clamp(0, 1) * 255).round().to(torch.uint8)
