"""Whole networks in exact arithmetic: alike whatever computes them, on the grid, near the float ones, else refused."""

from collections.abc import Callable
from typing import TypeVar, cast

import pytest
import torch
from torch import Tensor, nn

from law_rl.compression.bitstream.fixed_point import FixedPooling, fixed_point
from law_rl.compression.bitstream.grid import to_grid
from law_rl.compression.network.attention import ChannelAttention
from law_rl.compression.network.codec_network import CodecConfig, CodecNetwork
from law_rl.compression.network.enhancement import Enhancement
from law_rl.compression.network.layers import Conv2d
from law_rl.compression.network.transforms import Analysis, Synthesis
from law_rl.compression.video.network.compensation import Compensation
from law_rl.compression.video.network.flow import FlowConfig
from law_rl.compression.video.network.video_network import VideoConfig, VideoNetwork
from law_rl.counters import torch_generator
from tests.law_rl.compression.bitstream.integers import grid_values, units
from tests.law_rl.compression.bitstream.models import SETTINGS, torch_setting

VIDEO = VideoConfig(
    flow=FlowConfig(channels=(4,), kernel=3, levels=1),
    motion=4,
    compensation=4,
    residual=CodecConfig(width=4, latents=6, attention="both", components=2),
    enhancement=4,
)


Network = TypeVar("Network", bound=nn.Module)


def drawn(network: Network, reach: float = 1.0) -> Network:
    generator = torch_generator(0, "network")
    with torch.no_grad():
        for parameter in network.parameters():
            fan = parameter[0].numel() if parameter.ndim > 1 else 1
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * reach / fan**0.5)
    return network.eval()


def latents(channels: int, batch: int = 1, *, height: int = 2, width: int = 3) -> Tensor:
    values = torch.randn((batch, channels, height, width), generator=torch_generator(0, "latents", channels))
    return (4 * values).round().double()


def images(batch: int = 1, *, height: int = 32, width: int = 48) -> Tensor:
    return to_grid(torch.rand((batch, 3, height, width), generator=torch_generator(0, "images")))


class Decoder(nn.Module):
    """A predicted frame from its latents: all kinds of layers that there are."""

    def __init__(self) -> None:
        super().__init__()
        self.network = drawn(VideoNetwork(VIDEO), 0.4)

    def forward(self, references: Tensor, motion: Tensor, y: Tensor) -> Tensor:
        return self.network.reconstruct(self.network.predict(references, motion), y)


CASES: list[tuple[Callable[[], nn.Module], Callable[[int], tuple[Tensor, ...]]]] = [
    (lambda: drawn(Synthesis(6, 8)), lambda batch: (latents(6, batch),)),
    (lambda: drawn(Enhancement(4, 1)), lambda batch: (images(batch),)),
    (
        lambda: drawn(Compensation(4)),
        lambda batch: (images(batch), images(batch).flip(3), 16 * images(batch)[:, :2]),
    ),
    (Decoder, lambda batch: (images(batch), latents(4, batch), latents(6, batch))),
]


@pytest.mark.parametrize(("build", "inputs"), CASES)
def test_threads_memory_formats_onednn_and_autocast_change_nothing(
    build: Callable[[], nn.Module], inputs: Callable[[int], tuple[Tensor, ...]]
) -> None:
    network, given = build(), inputs(2)
    expected = fixed_point(network)(*given)
    last = build().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    lasts = [values.contiguous(memory_format=torch.channels_last) for values in given]
    for threads, onednn in SETTINGS:
        with torch_setting(threads, onednn=onednn), torch.autocast("cpu", dtype=torch.bfloat16):
            assert (fixed_point(network)(*given) == expected).all()
            assert (fixed_point(last)(*lasts) == expected).all()


@pytest.mark.parametrize(("build", "inputs"), CASES)
def test_one_image_does_not_depend_on_the_others(
    build: Callable[[], nn.Module], inputs: Callable[[int], tuple[Tensor, ...]]
) -> None:
    exact, given = fixed_point(build()), inputs(2)
    parts = [exact(*(values[i : i + 1] for values in given)) for i in range(2)]
    assert (torch.cat(parts) == exact(*given)).all() and (parts[0] != parts[1]).any()


@pytest.mark.parametrize(("build", "inputs"), CASES)
def test_it_is_near_the_float_network(
    build: Callable[[], nn.Module], inputs: Callable[[int], tuple[Tensor, ...]]
) -> None:
    network, given = build(), inputs(1)
    with torch.inference_mode():
        expected = network(*(values.float() for values in given))
    found = fixed_point(network)(*given)
    assert found.dtype == torch.float64 and not found.requires_grad
    assert (found - expected).abs().mean() < 0.005 * expected.std()


@pytest.mark.parametrize(("build", "inputs"), CASES)
def test_every_layer_takes_and_gives_multiples_of_the_step(
    build: Callable[[], nn.Module], inputs: Callable[[int], tuple[Tensor, ...]]
) -> None:
    exact, seen = fixed_point(build()), []

    def look(module: nn.Module, given: tuple[Tensor, ...], found: Tensor) -> None:
        for values in (*given, found):
            units(values)
        seen.append(module)

    for module in exact.modules():
        if not any(True for _ in module.children()):
            module.register_forward_hook(look)
    exact(*inputs(1))
    assert len(seen) > 5 and not list(exact.parameters())


def test_the_network_itself_is_left_as_it_is() -> None:
    network = drawn(VideoNetwork(VIDEO), 0.4)
    before = {name: values.clone() for name, values in network.state_dict().items()}
    fixed_point(network)
    assert all((values == before[name]).all() for name, values in network.state_dict().items())
    assert isinstance(network.residual.analysis, Analysis)


def test_an_encoders_modules_are_left_out() -> None:
    network = drawn(CodecNetwork(CodecConfig(width=4, latents=6, attention="both")))
    exact = cast(CodecNetwork, fixed_point(network))
    left_out = (exact.analysis, exact.hyper_analysis, exact.prior, exact.attention_y, exact.attention_z)
    assert all(module is None for module in left_out)
    assert exact.synthesise(latents(6)).shape == (1, 3, 32, 48)


def test_pooling_is_the_mean_of_four_halves_up() -> None:
    values = grid_values((2, 3, 4, 6), torch_generator(0, "values"), reach=9)
    whole = units(values)
    sums = whole[..., ::2, ::2] + whole[..., ::2, 1::2] + whole[..., 1::2, ::2] + whole[..., 1::2, 1::2]
    assert (units(FixedPooling()(values)) == (sums + 2) // 4).all()


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (lambda: nn.Sequential(Conv2d(4, 4, 1), nn.LeakyReLU()), "has a LeakyReLU"),
        (lambda: nn.Sequential(nn.Sequential(nn.BatchNorm2d(3))), "has a BatchNorm2d"),
        (lambda: nn.Sequential(nn.AvgPool2d(3)), "over 3 pixels"),
        (lambda: nn.Sequential(nn.AvgPool2d(2, stride=1)), "in steps of 1"),
        (lambda: nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear")), "is 'bilinear'"),
        (lambda: nn.MultiheadAttention(4, 1), "has a MultiheadAttention"),
        (lambda: ChannelAttention(4), "is an encoder's"),
    ],
)
def test_layers_without_a_twin_are_refused(network: Callable[[], nn.Module], said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        fixed_point(network())
    assert "\n" not in str(error.value)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("build", "inputs"), CASES)
def test_a_gpu_gives_the_same(build: Callable[[], nn.Module], inputs: Callable[[int], tuple[Tensor, ...]]) -> None:
    exact, given = fixed_point(build()), inputs(2)
    expected = exact(*given)
    found = exact.cuda()(*(values.cuda() for values in given))
    assert (found.cpu() == expected).all()
