import copy
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from law_rl.classification.networks import (
    Classifier,
    CounterDropout,
    NetworkConfig,
    NetworkName,
    build_network,
    seed_dropout,
)
from law_rl.classification.networks.layers import Conv2d, Linear
from law_rl.classification.networks.resnet import BasicBlock, PaddedShortcut
from law_rl.classification.networks.wide_resnet import PreActivationBlock
from law_rl.counters import torch_generator

CIFAR = (3, 32, 32)
SMALL = ("mlp", "cnn", "resnet20", "resnet18")


def build(name: NetworkName, seed: int = 0, image_shape: tuple[int, int, int] = CIFAR, classes: int = 10) -> Classifier:
    width = 8 if name in ("mlp", "cnn") else 128
    network = build_network(NetworkConfig(name=name, width=width), image_shape=image_shape, classes=classes, seed=seed)
    assert isinstance(network, Classifier)
    return network


def images(count: int, image_shape: tuple[int, int, int] = CIFAR) -> Tensor:
    return torch.randn(count, *image_shape, generator=torch.Generator().manual_seed(7))


def parameter_count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def convolution_and_norm(inputs: int, outputs: int, size: int) -> int:
    return inputs * outputs * size**2 + 2 * outputs


def cifar_resnet_count(blocks: int) -> int:
    count = convolution_and_norm(3, 16, 3)
    for inputs, outputs in ((16, 16), (16, 32), (32, 64)):
        count += convolution_and_norm(inputs, outputs, 3) + (2 * blocks - 1) * convolution_and_norm(outputs, outputs, 3)
    return count + 64 * 10 + 10


def resnet18_count(stem_size: int, classes: int) -> int:
    count = convolution_and_norm(3, 64, stem_size) + 4 * convolution_and_norm(64, 64, 3)
    for outputs in (128, 256, 512):
        inputs = outputs // 2
        count += convolution_and_norm(inputs, outputs, 3) + 3 * convolution_and_norm(outputs, outputs, 3)
        count += convolution_and_norm(inputs, outputs, 1)
    return count + 512 * classes + classes


def wrn28_10_count() -> int:
    count = 3 * 16 * 9
    for inputs, outputs in ((16, 160), (160, 320), (320, 640)):
        norms = 2 * inputs + 7 * 2 * outputs
        count += norms + inputs * outputs * 9 + 7 * outputs * outputs * 9 + inputs * outputs
    return count + 2 * 640 + 640 * 10 + 10


def test_parameter_counts_are_those_of_the_papers() -> None:
    assert parameter_count(build("resnet20")) == cifar_resnet_count(3) == 269_722
    assert parameter_count(build("resnet32")) == cifar_resnet_count(5) == 464_154
    assert parameter_count(build("resnet18")) == resnet18_count(3, 10) == 11_173_962
    imagenet = build("resnet18", image_shape=(3, 64, 64), classes=1000)
    assert parameter_count(imagenet) == resnet18_count(7, 1000) == 11_689_512


def test_wide_resnet_has_the_papers_count_and_runs_on_tiny_images_with_dropout() -> None:
    config = NetworkConfig(name="wrn28_10", dropout=0.3)
    network = build_network(config, image_shape=(3, 8, 8), classes=10, seed=0)
    assert parameter_count(network) == wrn28_10_count() == 36_479_194
    seed_dropout(network, 0, 0, 0)
    assert sum(isinstance(module, CounterDropout) for module in network.modules()) == 12
    with torch.no_grad():
        logits = network(images(2, (3, 8, 8)))
    assert logits.shape == (2, 10) and logits.isfinite().all()


def test_mlp_and_cnn_follow_width_and_depth() -> None:
    mlp = build_network(NetworkConfig(width=5, depth=3), image_shape=(1, 4, 3), classes=7, seed=0)
    assert parameter_count(mlp) == (12 * 5 + 5) + 2 * (5 * 5 + 5) + (5 * 7 + 7)
    cnn = build_network(NetworkConfig(name="cnn", width=4), image_shape=(1, 8, 8), classes=7, seed=0)
    norms = 2 * (4 + 8 + 16)
    assert parameter_count(cnn) == 9 * (1 * 4 + 4 * 8 + 8 * 16) + norms + 16 * 7 + 7


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("image_shape", [(3, 32, 32), (1, 8, 8), (2, 7, 5)])
def test_every_parameter_of_every_network_gets_a_gradient(name: NetworkName, image_shape: tuple[int, int, int]) -> None:
    network = build(name, image_shape=image_shape, classes=4)
    logits = network(images(3, image_shape))
    assert logits.shape == (3, 4) and logits.dtype == torch.float32
    torch.autograd.backward(nn.functional.cross_entropy(logits, torch.tensor([0, 1, 3])))
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())


@pytest.mark.parametrize(("side", "size"), [(63, 63), (64, 16)])
def test_resnet18_takes_the_imagenet_stem_from_64_pixels(side: int, size: int) -> None:
    network = build("resnet18", image_shape=(1, side, side + 9))
    seen: list[torch.Size] = []
    first = next(module for module in network.modules() if isinstance(module, BasicBlock))
    first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    with torch.no_grad():
        network(images(1, (1, side, side + 9)))
    assert seen[0][1:3] == (64, size)


def test_padded_shortcut_takes_every_second_pixel_and_adds_zero_channels() -> None:
    features = images(2, (3, 5, 4))
    out = PaddedShortcut(2, stride=2)(features)
    assert out.shape == (2, 5, 3, 2)
    assert torch.equal(out[:, :3], features[:, :, 0::2, 0::2])
    assert not out[:, 3:].any()


def draw(block: nn.Module) -> None:
    for index, parameter in enumerate(block.parameters()):
        nn.init.normal_(parameter, generator=torch_generator(1, "test", index))


def normalise(features: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    centred = features - features.mean((0, 2, 3), keepdim=True)
    scaled = centred / (centred.square().mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()
    return scaled * norm.weight[:, None, None] + norm.bias[:, None, None]


def convolve(features: Tensor, layer: Conv2d, stride: int = 1) -> Tensor:
    """A convolution as an explicit sum over kernel positions."""
    size = layer.weight.shape[-1]
    padded = nn.functional.pad(features, (size // 2,) * 4)
    height, width = features.shape[2], features.shape[3]
    out = torch.zeros(1, dtype=features.dtype)
    for row in range(size):
        for column in range(size):
            window = padded[:, :, row : row + height : stride, column : column + width : stride]
            out = out + torch.einsum("nihw,oi->nohw", window, layer.weight[:, :, row, column])
    return out


@pytest.mark.parametrize(("outputs", "stride"), [(3, 1), (6, 2)])
@pytest.mark.parametrize("project", [False, True])
def test_basic_block_computes_its_definition(outputs: int, stride: int, project: bool) -> None:
    block = BasicBlock(3, outputs, stride, project=project).double()
    draw(block)
    features = images(2, (3, 5, 4)).double()
    hidden = normalise(convolve(features, block.conv1, stride), block.norm1).relu()
    shortcut = features
    if stride == 2 and isinstance(block.shortcut, nn.Sequential):
        convolution, norm = block.shortcut
        assert isinstance(convolution, Conv2d) and isinstance(norm, nn.BatchNorm2d)
        shortcut = normalise(convolve(features, convolution, 2), norm)
    elif stride == 2:
        shortcut = torch.cat([features[:, :, ::2, ::2], torch.zeros(2, 3, 3, 2)], dim=1)
    expected = (normalise(convolve(hidden, block.conv2), block.norm2) + shortcut).relu()
    torch.testing.assert_close(block(features), expected, rtol=1e-10, atol=1e-10)
    assert sum(isinstance(module, Conv2d) for module in block.modules()) == (3 if project and stride == 2 else 2)


@pytest.mark.parametrize(("outputs", "stride"), [(3, 1), (6, 1), (6, 2)])
def test_pre_activation_block_computes_its_definition(outputs: int, stride: int) -> None:
    block = PreActivationBlock(3, outputs, stride, dropout=0.0).double()
    draw(block)
    features = images(2, (3, 5, 4)).double()
    active = normalise(features, block.norm1).relu()
    hidden = normalise(convolve(active, block.conv1, stride), block.norm2).relu()
    shortcut = features if block.shortcut is None else convolve(active, block.shortcut, stride)
    torch.testing.assert_close(block(features), convolve(hidden, block.conv2) + shortcut, rtol=1e-10, atol=1e-10)
    assert (block.shortcut is None) == (outputs == 3)


@pytest.mark.parametrize("name", SMALL)
def test_equal_seeds_give_equal_networks_and_other_seeds_do_not(name: NetworkName) -> None:
    first, again, other = build(name, 3), build(name, 3), build(name, 4)
    for key, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key
    assert not torch.equal(first.classifier.weight, other.classifier.weight)


@pytest.mark.parametrize("name", ("resnet20", "cnn", "mlp"))
def test_layers_of_one_network_are_drawn_apart(name: NetworkName) -> None:
    layers = [module for module in build(name).modules() if isinstance(module, (Conv2d, Linear))]
    directions = [nn.functional.normalize(layer.weight.detach().flatten()[:16], dim=0) for layer in layers]
    likeness = torch.stack(directions) @ torch.stack(directions).T
    assert likeness.fill_diagonal_(0.0).max() < 0.99


@pytest.mark.parametrize("name", SMALL)
def test_building_and_dropout_leave_the_global_generator_alone(name: NetworkName) -> None:
    before = torch.get_rng_state()
    build(name)
    dropped = build_network(NetworkConfig(dropout=0.5), image_shape=(1, 4, 4), classes=2, seed=0)
    seed_dropout(dropped, 0, 0, 0)
    dropped(images(2, (1, 4, 4)))
    assert torch.equal(before, torch.get_rng_state())


def test_initial_values_follow_the_stated_distributions() -> None:
    resnet = build("resnet18")
    for module in resnet.modules():
        if isinstance(module, Conv2d) and module.weight.numel() > 30_000:
            fan_out = module.out_channels * module.kernel_size[0] ** 2
            assert module.weight.double().std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.03)
            assert abs(module.weight.double().mean().item()) < 0.03 * (2 / fan_out) ** 0.5
        if isinstance(module, nn.BatchNorm2d):
            assert module.weight.eq(1).all() and module.bias.eq(0).all()
            assert module.running_mean is not None and module.running_mean.eq(0).all()
            assert module.running_var is not None and module.running_var.eq(1).all()
    mlp = build_network(NetworkConfig(width=256), image_shape=CIFAR, classes=100, seed=0)
    first, second, last = (module for module in mlp.modules() if isinstance(module, Linear))
    for layer, std in ((first, (2 / 3072) ** 0.5), (second, (2 / 256) ** 0.5), (last, 0.01)):
        assert layer.weight.double().std().item() == pytest.approx(std, rel=0.03)
        assert layer.bias.eq(0).all()
    assert resnet.classifier.weight.double().std().item() == pytest.approx(0.01, rel=0.05)


def test_first_layer_is_the_stream_named_by_seed_and_layer() -> None:
    network = build_network(NetworkConfig(width=4, depth=1), image_shape=(1, 2, 4), classes=2, seed=11)
    first, last = (module for module in network.modules() if isinstance(module, Linear))
    expected = torch.empty(4, 8).normal_(0.0, 0.5, generator=torch_generator(11, "initialisation", 0))
    assert torch.equal(first.weight, expected)
    expected = torch.empty(2, 4).normal_(0.0, 0.01, generator=torch_generator(11, "initialisation", 1))
    assert torch.equal(last.weight, expected)


@pytest.mark.parametrize("name", SMALL)
def test_bfloat16_images_and_autocast_are_taken(name: NetworkName) -> None:
    network = build(name).eval()
    batch = images(2).bfloat16()
    with torch.no_grad():
        exact = network(batch.float())
        assert torch.equal(network(batch), exact)
        with torch.autocast("cpu", torch.bfloat16):
            rough = network(batch)
    assert rough.dtype == torch.bfloat16
    assert (rough.float() - exact).abs().max() < 0.1 * exact.abs().max()


@pytest.mark.parametrize("name", ("cnn", "resnet20", "resnet18"))
def test_channels_last_computes_the_same(name: NetworkName) -> None:
    network = build(name).double().eval()
    batch = images(2).double()
    with torch.no_grad():
        contiguous = network(batch)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        channels_last = network(batch.to(memory_format=torch.channels_last))
    torch.testing.assert_close(channels_last, contiguous, rtol=1e-9, atol=1e-12)


def test_forward_is_the_classifier_on_the_embedding() -> None:
    network = build("resnet20").eval()
    embedding = network.embed(images(2))
    assert embedding.shape == (2, 64)
    assert torch.equal(network(images(2)), network.classifier(embedding))


def dropout_network() -> nn.Module:
    return build_network(NetworkConfig(width=64, dropout=0.25), image_shape=(1, 4, 4), classes=3, seed=0)


def test_equal_counters_give_equal_dropout_and_a_fork_goes_on_alike() -> None:
    first, second, batch = dropout_network(), dropout_network(), images(5, (1, 4, 4))
    seed_dropout(first, 1, 2, 3)
    seed_dropout(second, 1, 2, 3)
    torch.rand(9)
    assert torch.equal(first(batch), second(batch))
    fork = copy.deepcopy(first)
    assert torch.equal(first(batch), fork(batch))


@pytest.mark.parametrize("counters", [(0, 2, 3), (1, 0, 3), (1, 2, 0)])
def test_each_counter_changes_the_dropout(counters: tuple[int, int, int]) -> None:
    network, batch = dropout_network(), images(5, (1, 4, 4))
    seed_dropout(network, 1, 2, 3)
    reference = network(batch)
    seed_dropout(network, *counters)
    assert not torch.equal(network(batch), reference)


def test_dropout_layers_draw_apart() -> None:
    network = nn.Sequential(CounterDropout(0.5), CounterDropout(0.5), nn.Linear(1, 1))
    seed_dropout(network, 0, 0, 0)
    ones = torch.ones(64)
    assert not torch.equal(network[0](ones), network[1](ones))


def test_dropout_keeps_the_mean_and_is_the_identity_in_evaluation() -> None:
    network = nn.Sequential(CounterDropout(0.25), nn.Linear(1, 1))
    seed_dropout(network, 0, 0, 0)
    ones = torch.ones(100_000, dtype=torch.float64)
    dropped = network[0](ones)
    assert dropped.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.01)
    assert torch.equal(network.eval()[0](ones), ones)


def test_unseeded_dropout_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match="seed_dropout"):
        dropout_network()(images(1, (1, 4, 4)))


@pytest.mark.parametrize("name", sorted(set(get_args(NetworkName)) - {"mlp"}))
def test_settings_that_a_network_does_not_use_are_refused(name: NetworkName) -> None:
    with pytest.raises(ValueError, match="depth is 3"):
        NetworkConfig(name=name, depth=3)
    if name != "cnn":
        with pytest.raises(ValueError, match="width is 64"):
            NetworkConfig(name=name, width=64)
    if name != "wrn28_10":
        with pytest.raises(ValueError, match=r"dropout is 0\.1"):
            NetworkConfig(name=name, dropout=0.1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "vgg"}, "name is 'vgg'"),
        ({"width": 0}, "width is 0"),
        ({"depth": 0}, "depth is 0"),
        ({"dropout": 1.0}, r"dropout is 1\.0"),
        ({"dropout": float("nan")}, "dropout is nan"),
    ],
)
def test_values_out_of_range_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NetworkConfig(**settings)  # type: ignore[arg-type]


def test_empty_images_and_single_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="image_shape"):
        build_network(NetworkConfig(), image_shape=(3, 0, 8), classes=10, seed=0)
    with pytest.raises(ValueError, match="classes is 1"):
        build_network(NetworkConfig(), image_shape=(3, 8, 8), classes=1, seed=0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_initial_values_are_the_same_on_cuda() -> None:
    on_cuda = build_network(NetworkConfig(name="resnet20"), image_shape=CIFAR, classes=10, seed=5, device="cuda")
    for key, value in build("resnet20", 5).state_dict().items():
        assert torch.equal(on_cuda.state_dict()[key].cpu(), value), key
