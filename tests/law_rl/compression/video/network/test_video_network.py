"""The network of predicted frames: its parts, its bits, its start and its gradients."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from law_rl.compression.network.codec_network import CodecConfig
from law_rl.compression.network.enhancement import Enhancement
from law_rl.compression.video.network.flow import FlowConfig
from law_rl.compression.video.network.motion import RawMotion
from law_rl.compression.video.network.video_network import EDIC_DVC, PAPER_DVC, VideoConfig, VideoNetwork, build_video

TINY = VideoConfig(
    flow=FlowConfig(channels=(4,), levels=2, finest=4),
    motion=8,
    compensation=4,
    residual=CodecConfig(width=8, latents=12, attention="z", components=2),
    enhancement=4,
)


def frames(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(2, 3, 5, 5, generator=generator)
    whole = torch.nn.functional.interpolate(coarse, size=(68, 68), mode="bicubic").clamp(0, 1)
    return whole[:, :, 2:66, 1:65], whole[:, :, :64, :64]


def test_the_pass_is_what_the_decoder_does() -> None:
    network, (frame, reference) = build_video(TINY, 0), frames()
    output = network(frame, reference)
    m_hat = network.motion_latents(frame, reference).round()
    prediction = network.predict(reference, m_hat)
    torch.testing.assert_close(prediction, output.prediction)
    y = network.residual_latents(frame, prediction)
    torch.testing.assert_close(network.reconstruct(prediction, y.round()), output.reconstruction)
    torch.testing.assert_close(output.motion_bits, network.motion.prior.bits(m_hat).sum((1, 2, 3)))
    torch.testing.assert_close(output.bits, output.motion_bits + output.residual_bits)
    assert output.flow.shape == (2, 2, 64, 64)


def test_an_untrained_network_is_a_codec() -> None:
    network, (frame, reference) = build_video(TINY, 0, lambda_=1024.0), frames()
    output = network(frame, reference)
    assert (output.warped - frame).square().mean() < 0.5 * (reference - frame).square().mean()
    assert (output.reconstruction - frame).square().mean() < 1.05 * (output.prediction - frame).square().mean()


def test_training_reaches_every_parameter() -> None:
    network, (frame, reference) = build_video(TINY, 0), frames()
    for name, parameter in network.named_parameters():
        if parameter.abs().sum() == 0:
            torch.nn.init.normal_(parameter, std=0.02)
        assert parameter.requires_grad, name
    output = network(frame, reference, torch.Generator().manual_seed(1))
    (output.bits.mean() / 64**2 + 1024 * (output.reconstruction - frame).square().mean()).backward()
    without = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert not without


def test_noise_changes_bits_and_no_frame() -> None:
    network, (frame, reference) = build_video(TINY, 0), frames()
    one, other = (network(frame, reference, torch.Generator().manual_seed(seed)) for seed in (1, 2))
    assert torch.equal(one.reconstruction, other.reconstruction)
    assert not torch.equal(one.bits, other.bits)


def test_parts_can_be_left_out() -> None:
    network = build_video(replace(TINY, motion=0, compensation=0, enhancement=0), 0)
    assert isinstance(network.motion, RawMotion) and network.compensation is None
    frame, reference = frames()
    output = network(frame, reference)
    assert torch.equal(output.prediction, output.warped)
    names = {name.split(".")[0] for name, _ in network.named_parameters()}
    assert names == {"flow", "motion", "residual"}


def test_plain_dvc_and_edic_differ_by_the_parts_handed_in() -> None:
    edic = VideoNetwork(EDIC_DVC)
    assert isinstance(edic.enhancement, Enhancement) and edic.residual.config.components == 2
    plain = VideoNetwork(VideoConfig())
    assert {n for n, _ in plain.named_parameters()} < {n for n, _ in edic.named_parameters()}


def test_the_paper_size_has_most_of_its_eleven_million_parameters() -> None:
    parameters = sum(parameter.numel() for parameter in VideoNetwork(PAPER_DVC).parameters())
    assert 7e6 < parameters < 11e6


def test_the_start_is_that_of_the_seed() -> None:
    one, again, other = (
        torch.cat([p.detach().flatten() for p in build_video(TINY, s).parameters()]) for s in (1, 1, 2)
    )
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_frames_of_odd_sizes_are_refused() -> None:
    network = VideoNetwork(TINY)
    with pytest.raises(ValueError, match="multiples of 64"):
        network(torch.zeros(1, 3, 60, 64), torch.zeros(1, 3, 60, 64))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"motion": -1}, "motion is -1"),
        ({"compensation": -1}, "compensation is -1"),
        ({"enhancement": -2}, "enhancement is -2"),
        ({"enhancement_blocks": 0}, "enhancement_blocks is 0"),
        ({"residual": CodecConfig(enhancement=4)}, "residual.enhancement is 4"),
    ],
)
def test_bad_parts_are_refused(values: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        VideoConfig(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("lambda_", [0.0, -1.0, float("inf"), float("nan")])
def test_a_lambda_is_above_zero(lambda_: float) -> None:
    with pytest.raises(ValueError, match="lambda_ is"):
        build_video(TINY, 0, lambda_=lambda_)
