"""The video codec's learner: a small network of predicted frames trained on short clips, stage by stage."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from law_rl.batch import Batch
from law_rl.classification.staged_learner import Objective, copy_tree
from law_rl.compression.network.codec_network import CodecConfig
from law_rl.compression.patches import gradient_energy
from law_rl.compression.rd_cost import RDCost, distortion, rd_cost
from law_rl.compression.rd_learner import CHUNK, RateDistortion, RDLearner, RDLearnerConfig, joined
from law_rl.compression.video.crops import CropDataset, Crops
from law_rl.compression.video.network.flow import FlowConfig
from law_rl.compression.video.network.video_network import VideoConfig, VideoNetwork, VideoOutput, build_video
from law_rl.compression.video.objective import as_bytes, pixels
from law_rl.counters import torch_generator
from law_rl.features import OF_CODECS
from law_rl.learner import Snapshot

NETWORK = VideoConfig(
    flow=FlowConfig(channels=(8, 8), kernel=3, levels=4, finest=4),
    motion=8,
    compensation=4,
    residual=CodecConfig(width=16, latents=24, attention="none"),
)
STILL = 1e-2
"""Frames that move by fewer pixels count as moving by this many."""


@dataclass(frozen=True, kw_only=True)
class VideoLossTerms(RateDistortion):
    """The weights of the loss terms besides the bits per pixel, those of the twin.

    `distortion` and `prediction` multiply lambda and the mean squared error of the decoded frame, and the sum of those
    of the warped reference and of the prediction.
    Source: `prediction` is that of DVC's re-implementations, 0.1 there.
    """

    prediction: float = 0.0


@dataclass(frozen=True, kw_only=True)
class VideoLearnerConfig(RDLearnerConfig):
    """As any codec's training, with the network of predicted frames and its loss terms."""

    known: ClassVar[tuple[str, ...]] = ("loss", "loss_rank", *OF_CODECS)
    network: VideoConfig = NETWORK
    losses: VideoLossTerms = field(default_factory=VideoLossTerms)
    features: tuple[str, ...] = tuple(OF_CODECS)

    def learner(self, dataset: CropDataset, seed: int) -> "VideoLearner":
        """A fresh learner that is trained so."""
        return VideoLearner(self, dataset, seed)


class VideoLearner(RDLearner):
    """Trains a network of predicted frames; the samples are frames of `Crops`.

    A frame is predicted from the one before as it was decoded last, at first by the image codec. Measured frames follow
    their own decoded predecessors, from the image codec's first one on.
    Source: DVC's buffer, arXiv 1812.00101, section 3.7.
    """

    config: VideoLearnerConfig
    dataset: CropDataset
    network: VideoNetwork

    def __init__(self, config: VideoLearnerConfig, dataset: CropDataset, seed: int) -> None:
        super().__init__(config, dataset, seed)
        frames = self.dataset.train.frames
        self._decoded = self.dataset.train.intra.clone()
        self._energy = gradient_energy(frames.flatten(0, 1)).view(frames.shape[:2])

    def _build_network(self) -> VideoNetwork:
        config = self.config
        return build_video(config.network, self.seed, config.device, lambda_=config.lambda_)

    def _objective_of(self, ids: Tensor, iteration: int) -> Objective:
        clips, times = self.dataset.train.places(ids)
        frames, references = pixels(self.dataset.train.frames[clips, times]), pixels(self._decoded[clips, times - 1])
        noise = torch_generator(self.seed, "quantisation noise", iteration, device=self.config.device)
        output = self.network(frames, references, noise)
        self._decoded[clips, times] = as_bytes(output.reconstruction)
        cost = rd_cost(frames, output, self.config.lambda_)
        batch = Batch(
            losses=cost.cost.detach(),
            ids=ids,
            bits=cost.bpp.detach(),
            distortion=cost.distortion.detach(),
            gradient_energy=self._energy[clips, times],
            motion=log_motion(output.flow),
        )
        return Objective(losses=self._losses(frames, output, cost), batch=batch)

    def _losses(self, frames: Tensor, output: VideoOutput, cost: RDCost) -> Tensor:
        """What each frame [B] of the batch is trained on, under the stage's weights."""
        errors = self._weights["distortion"] * cost.distortion
        if self._weights["prediction"]:
            predicted = distortion(output.warped.float(), frames) + distortion(output.prediction.float(), frames)
            errors = errors + self._weights["prediction"] * predicted
        return cost.bpp + self.config.lambda_ * errors

    @torch.no_grad()
    def _rounded(self, data: Crops) -> RDCost:
        """The costs of all predicted frames, chunks of clips at a time."""
        self.network.eval()
        chunks = zip(torch.split(data.frames, CHUNK), torch.split(data.intra[:, 0], CHUNK), strict=True)
        return joined([self._follow(frames, first) for frames, first in chunks])

    def _follow(self, frames: Tensor, first: Tensor) -> RDCost:
        """The costs [B (T - 1)] of clips [B, T, 3, S, S], each frame predicted from the decoded one before."""
        reference, costs = first, []
        for shown in frames[:, 1:].unbind(1):
            images = pixels(shown)
            with self._autocast():
                output = self.network(images, pixels(reference))
            costs.append(rd_cost(images, output, self.config.lambda_))
            reference = as_bytes(output.reconstruction)
        return RDCost(*(torch.stack(values, 1).flatten() for values in zip(*costs, strict=True)))

    def snapshot(self) -> Snapshot:
        """As any learner's, with the frames decoded last."""
        return {**super().snapshot(), "decoded": self._decoded.clone()}

    def restore(self, snapshot: Snapshot) -> None:
        """Goes on from a snapshot of a learner with the same configuration, data and seed, bit for bit."""
        super().restore(snapshot)
        self._decoded = copy_tree(snapshot["decoded"])

    def fork(self) -> "VideoLearner":
        """A second learner in the same state, sharing the data."""
        twin = VideoLearner(self.config, self.dataset, self.seed)
        twin.restore(self.snapshot())
        return twin


def log_motion(flow: Tensor) -> Tensor:
    """The log of the mean length float32 [B], in pixels, of flows [B, 2, H, W]: how far each frame moved."""
    lengths = flow.detach().float().square().sum(1).sqrt()
    return lengths.mean((1, 2)).clamp_min(STILL).log()
