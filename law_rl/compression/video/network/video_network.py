"""The network of predicted frames as a whole: DVC's figure in code, with EDIC's parts where they are handed in."""

import math
from dataclasses import dataclass, field, replace
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from law_rl.compression.network.codec_network import HYPER_STRIDE, CodecConfig, CodecNetwork, build_codec
from law_rl.compression.network.enhancement import Enhancement
from law_rl.compression.network.initialisation import set_enhancement, set_prior, set_transforms
from law_rl.compression.network.noise import uniform_noise
from law_rl.compression.network.pyramid import Signal, pyramid
from law_rl.compression.video.network.compensation import FLOW_UNIT, Compensation, Warp
from law_rl.compression.video.network.flow import PAPER_FLOW, FlowConfig, FlowNetwork
from law_rl.compression.video.network.initialisation import set_compensation, set_flow
from law_rl.compression.video.network.motion import MotionCodec, RawMotion

RESIDUALS = Signal(channels=3, along=0.5, across=0.95, spread=0.03, centre=0.5)
"""What prediction leaves, 1/2 added."""

RARE = 4.0
"""Where most latents are 0, the best unit is that of a lambda so many times lower: on synthetic clips at lambda 1024
the start then costs 0.79 in place of 1.02, and 0.92 without any residual."""

MOTION = Signal(channels=2, along=0.98, across=0.0, spread=3.0 / FLOW_UNIT, centre=0.0)


@dataclass(frozen=True, kw_only=True)
class VideoConfig:
    """The parts of the network of predicted frames.

    `motion`: channels of the motion codec, 0: flow is rounded and coded as it is; `compensation`: channels of the
    network that mends the warped frame, 0: the warped frame is the prediction; `residual`: the codec of what is left,
    where EDIC's mixture and attention come in; `enhancement`: channels of EDIC's module on the decoded frame, 0: none.
    """

    flow: FlowConfig = field(default_factory=FlowConfig)
    motion: int = 32
    compensation: int = 16
    residual: CodecConfig = field(default_factory=lambda: CodecConfig(width=64, latents=128, attention="none"))
    enhancement: int = 0
    enhancement_blocks: int = 1

    def __post_init__(self) -> None:
        for name, least in (("motion", 0), ("compensation", 0), ("enhancement", 0), ("enhancement_blocks", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}: give at least {least}")
        if self.residual.enhancement:
            raise ValueError(
                f"residual.enhancement is {self.residual.enhancement}: leave it 0, as enhancement is on the whole frame"
            )


DVC = VideoConfig()
EDIC_DVC = replace(DVC, residual=replace(DVC.residual, components=2, attention="z"), enhancement=16)
PAPER_DVC = VideoConfig(
    flow=PAPER_FLOW,
    motion=128,
    compensation=64,
    residual=CodecConfig(width=128, latents=192, attention="none"),
)
PAPER_EDIC_DVC = replace(
    PAPER_DVC, residual=replace(PAPER_DVC.residual, components=2, attention="z"), enhancement=32, enhancement_blocks=3
)
"""DVC and EDIC inside it, in a size that two cores can train, and in that of DVC's paper."""


class VideoOutput(NamedTuple):
    """What a pass gives: reconstructions, predictions and warped references [B, 3, H, W], not clipped; bits of motion
    and of the residual [B]; and the decoded flow [B, 2, H, W] in pixels."""

    reconstruction: Tensor
    prediction: Tensor
    warped: Tensor
    motion_bits: Tensor
    residual_bits: Tensor
    flow: Tensor

    @property
    def bits(self) -> Tensor:
        """All bits [B]."""
        return self.motion_bits + self.residual_bits


class VideoNetwork(nn.Module):
    """From a frame and its decoded predecessor, the reference, to motion and residual latents, and back to the frame.

    `predict` and `reconstruct` are the decoder's; they consist of layers that `bitstream.fixed_point` can compute
    exactly. The residual codec sees the residual plus 1/2 as if it were an image.
    Source: DVC, arXiv 1812.00101, figure 2; EDIC's parts in it are our reading of arXiv 2002.03370.
    """

    def __init__(self, config: VideoConfig) -> None:
        super().__init__()
        self.config = config
        self.flow = FlowNetwork(config.flow)
        self.motion = MotionCodec(config.motion) if config.motion else RawMotion()
        self.warp = Warp()
        self.compensation = Compensation(config.compensation) if config.compensation else None
        self.residual = CodecNetwork(config.residual)
        self.enhancement = (
            Enhancement(config.enhancement, config.enhancement_blocks) if config.enhancement else nn.Identity()
        )

    def motion_latents(self, frames: Tensor, references: Tensor) -> Tensor:
        """Motion latents [B, C, H/16, W/16] of frames [B, 3, H, W] in 0..1 and their references, not rounded.

        Raises ValueError for frames that are not RGB or whose sides are not multiples of 64.
        """
        if frames.ndim != 4 or frames.shape[1] != 3 or frames.shape[2] % HYPER_STRIDE or frames.shape[3] % HYPER_STRIDE:
            raise ValueError(
                f"the frames have the shape {tuple(frames.shape)}: give [B, 3, H, W] with sides that are multiples "
                f"of {HYPER_STRIDE}"
            )
        return self.motion.analyse(self.flow(frames, references))

    def predict(self, references: Tensor, motion_hat: Tensor) -> Tensor:
        """The prediction [B, 3, H, W] of a frame from its reference and rounded motion latents."""
        return self._predict(references, motion_hat)[0]

    def residual_latents(self, frames: Tensor, predictions: Tensor) -> Tensor:
        """Latents y [B, M, H/16, W/16] of what prediction leaves of the frames, not rounded."""
        return self.residual.analyse(frames - predictions + 0.5)

    def reconstruct(self, predictions: Tensor, y_hat: Tensor) -> Tensor:
        """Frames [B, 3, H, W], not clipped, of predictions and quantised latents; the enhancement included."""
        frames = predictions + (self.residual.synthesise(y_hat) - 0.5)
        return cast(Tensor, self.enhancement(frames)).to(y_hat.dtype)

    def _predict(self, references: Tensor, motion_hat: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        flow = self.motion.synthesise(motion_hat)
        warped = self.warp(references, flow)
        prediction = warped if self.compensation is None else self.compensation(warped, references, flow)
        return prediction, warped, flow

    def compensate(
        self, frames: Tensor, references: Tensor, noise: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Predictions and warped references [B, 3, H, W], flow [B, 2, H, W] and bits of the motion [B]; `noise` as in
        `forward`."""
        m = self.motion_latents(frames, references)
        m_hat = m + (m.round() - m).detach()
        bits = self.motion.prior.bits(m_hat if noise is None else m + uniform_noise(m, noise))
        return *self._predict(references, m_hat), bits.sum((1, 2, 3))

    def forward(self, frames: Tensor, references: Tensor, noise: torch.Generator | None = None) -> VideoOutput:
        """One pass. With `noise` for training: bits of latents plus uniform noise, frames of rounded latents with
        straight-through gradients. Without: what the coder does, with float32 frames."""
        prediction, warped, flow, motion_bits = self.compensate(frames, references, noise)
        coded = self.residual(frames - prediction + 0.5, noise)
        reconstruction = cast(Tensor, self.enhancement(prediction + (coded.reconstruction - 0.5))).float()
        return VideoOutput(reconstruction, prediction, warped, motion_bits, coded.bits, flow)


def build_video(
    config: VideoConfig, seed: int, device: str | torch.device = "cpu", *, lambda_: float = 512.0
) -> VideoNetwork:
    """A float32 network on `device`, channels last: no motion at first, and codecs of motion and residual that start as
    `pyramid`s. Drawn on the CPU from (seed, purpose). Raises ValueError for a lambda not above 0.
    """
    if not 0 < lambda_ < math.inf:
        raise ValueError(f"lambda_ is {lambda_}: give a finite number above 0 (DVC's are 256 to 2048)")
    network = VideoNetwork(config)
    set_flow(network.flow, seed)
    if isinstance(network.motion, MotionCodec):
        start = pyramid(config.motion, config.motion, seed, MOTION)
        set_transforms(network.motion.analysis, network.motion.synthesis, start.layers, MOTION_UNIT, MOTION.centre)
        set_prior(network.motion.prior, (start.spreads / MOTION_UNIT).float())
    if network.compensation is not None:
        set_compensation(network.compensation, seed)
    network.residual = build_codec(config.residual, seed, lambda_=lambda_ / RARE, signal=RESIDUALS)
    set_prior(network.residual.prior, torch.ones(config.residual.width))
    if isinstance(network.enhancement, Enhancement):
        set_enhancement(network.enhancement, seed)
    return network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


MOTION_UNIT = 0.75
"""What one step of a motion latent stands for at the start."""
