import math
from typing import get_args

import pytest
import torch
from torch import nn

from law_rl.classification.networks import (
    Classifier,
    CosineClassifier,
    NetworkConfig,
    NetworkName,
    build_network,
    seed_dropout,
)
from law_rl.classification.networks.layers import Conv2d, Linear
from law_rl.counters import torch_generator
from tests.law_rl.classification.networks.oracles import CIFAR, build, images, parameter_count

FACES = ("iresnet18", "mobilefacenet", "face_cnn")
SMALL = ("mlp", "cnn", "resnet14", "resnet18", "mobilenetv2_x0_5", *FACES)


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


@pytest.mark.parametrize("name", SMALL)
def test_equal_seeds_give_equal_networks_and_other_seeds_do_not(name: NetworkName) -> None:
    first, again, other = build(name, 3), build(name, 3), build(name, 4)
    for key, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key
    assert not torch.equal(first.classifier.weight, other.classifier.weight)


@pytest.mark.parametrize("name", ("resnet14", "cnn", "mlp", "iresnet18", "face_cnn"))
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


def spread(layer: nn.Module, network: Classifier) -> float:
    if isinstance(layer, Conv2d):
        return math.sqrt(2 / (layer.out_channels // layer.groups * layer.kernel_size[0] ** 2))
    assert isinstance(layer, Linear)
    if layer is network.classifier:
        return 0.01
    return math.sqrt((1 if layer is network.embedding else 2) / layer.in_features)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("embedding", [0, 24])
def test_every_layer_is_the_stream_named_by_seed_and_place(name: NetworkName, embedding: int) -> None:
    network = build(name, seed=11, embedding=embedding)
    layers = [module for module in network.modules() if isinstance(module, (Conv2d, Linear))]
    for index, layer in enumerate(layers):
        generator = torch_generator(11, "initialisation", index)
        expected = torch.empty_like(layer.weight).normal_(0.0, spread(layer, network), generator=generator)
        torch.testing.assert_close(layer.weight.detach(), expected, rtol=1e-6, atol=0.0)
    assert layers[-1] is network.classifier
    assert embedding == 0 or name in FACES or layers[-2] is network.embedding


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


@pytest.mark.parametrize("name", sorted(set(SMALL) - {"mlp"}))
def test_channels_last_computes_the_same(name: NetworkName) -> None:
    network = build(name).double().eval()
    batch = images(2).double()
    with torch.no_grad():
        contiguous = network(batch)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        channels_last = network(batch.to(memory_format=torch.channels_last))
    torch.testing.assert_close(channels_last, contiguous, rtol=1e-9, atol=1e-12)


WIDTHS: dict[NetworkName, int] = {
    "mlp": 8,
    "cnn": 32,
    "resnet14": 64,
    "resnet18": 512,
    "resnet50": 2048,
    "mobilenetv2_x0_5": 1280,
    "iresnet18": 512,
    "mobilefacenet": 512,
    "face_cnn": 64,
}


@pytest.mark.parametrize("name", WIDTHS)
@pytest.mark.parametrize("embedding", [0, 24])
def test_forward_is_the_classifier_on_an_embedding_of_the_stated_width(name: NetworkName, embedding: int) -> None:
    network = build(name, embedding=embedding).eval()
    with torch.no_grad():
        found = network.embed(images(2))
        assert found.shape == (2, network.width) == (2, embedding or WIDTHS[name])
        assert torch.equal(network(images(2)), network.classifier(found))


@pytest.mark.parametrize("name", FACES)
def test_a_network_for_faces_has_no_second_embedding_layer(name: NetworkName) -> None:
    network = build(name, embedding=24)
    assert not any(key.startswith("embedding") for key in network.state_dict())
    layers = [module for module in network.body.modules() if isinstance(module, Linear)]
    assert [layer.out_features for layer in layers] == [24] and layers[0].bias is None
    with torch.no_grad():
        found = network.embed(images(16)).double()
    assert found.mean(0).abs().max() < 1e-6  # the last layer normalises, and no shift is learned yet
    torch.testing.assert_close(found.square().mean(0), torch.ones(24).double(), rtol=1e-2, atol=0.0)


@pytest.mark.parametrize("name", sorted(set(SMALL) - set(FACES)))
def test_an_embedding_layer_is_a_linear_map_of_the_features_of_the_network_without_it(name: NetworkName) -> None:
    plain, network = build(name).eval(), build(name, embedding=24).eval()
    assert not any(key.startswith("embedding") for key in plain.state_dict())
    with torch.no_grad():
        features = plain.embed(images(3))
        linear = network.embedding
        assert isinstance(linear, Linear)
        torch.testing.assert_close(network.embed(images(3)), features @ linear.weight.T + linear.bias)
        assert network.embed(images(3)).min() < 0


@pytest.mark.parametrize("name", get_args(NetworkName))
def test_every_network_takes_an_embedding_layer(name: NetworkName) -> None:
    assert NetworkConfig(name=name, embedding=128).embedding == 128


@pytest.mark.parametrize("name", sorted(set(get_args(NetworkName)) - {"mlp", "face_cnn"}))
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
        ({"embedding": -1}, "embedding is -1"),
        ({"classifier": "arcface"}, "classifier is 'arcface'; use one of linear, cosine"),
        ({"classifier": "cosine", "scale": 0.0}, r"scale is 0\.0; give a finite number above 0"),
        ({"classifier": "cosine", "scale": math.inf}, "scale is inf"),
        ({"classifier": "cosine", "scale": math.nan}, "scale is nan"),
        ({"scale": 30.0}, r"scale is 30\.0, but a linear classifier does not use it"),
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


@pytest.mark.parametrize("embedding", [0, 24])
def test_a_cosine_classifier_is_the_only_difference_to_the_network_with_a_linear_one(embedding: int) -> None:
    config = NetworkConfig(name="face_cnn", width=8, embedding=embedding, classifier="cosine", scale=30.0)
    network = build_network(config, image_shape=CIFAR, classes=10, seed=0)
    linear = build("face_cnn", embedding=embedding)
    assert isinstance(network.classifier, CosineClassifier) and network.classifier.scale == 30.0
    assert network.classifier.out_features == 10 and network.classifier.in_features == network.width
    wanted = {key: value for key, value in linear.state_dict().items() if key != "classifier.bias"}
    found = network.state_dict()
    assert found.keys() == wanted.keys() and all(torch.equal(found[key], wanted[key]) for key in wanted)
    with torch.no_grad():
        embeddings = network.eval().embed(images(3))
        assert torch.equal(network(images(3)), 30 * network.classifier.cosines(embeddings))


def test_configurations_of_linear_classifiers_are_written_as_before_there_were_others() -> None:
    linear = {"name": "cnn", "width": 4, "depth": 2, "dropout": 0.0, "embedding": 0}
    assert NetworkConfig(name="cnn", width=4).to_json() == linear
    cosine = NetworkConfig(name="cnn", width=4, classifier="cosine", scale=30.0)
    assert cosine.to_json() == {**linear, "classifier": "cosine", "scale": 30.0}
    for config in (NetworkConfig(name="cnn", width=4), cosine):
        assert NetworkConfig(**config.to_json()) == config


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_initial_values_are_the_same_on_cuda() -> None:
    on_cuda = build_network(NetworkConfig(name="resnet14"), image_shape=CIFAR, classes=10, seed=5, device="cuda")
    for key, value in build("resnet14", 5).state_dict().items():
        assert torch.equal(on_cuda.state_dict()[key].cpu(), value), key
