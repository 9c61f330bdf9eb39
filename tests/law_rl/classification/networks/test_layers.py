import copy
import math

import pytest
import torch
from torch import Tensor, nn

from law_rl.classification.networks import CounterDropout, NetworkConfig, build_network, seed_dropout
from law_rl.classification.networks.layers import (
    Classifier,
    Conv2d,
    CosineClassifier,
    GlobalAveragePool,
    GlobalDepthwise,
    Linear,
    halved,
    initialise,
)
from tests.law_rl.classification.networks.oracles import convolve, draw, images


def test_a_convolution_in_groups_joins_only_channels_of_one_group() -> None:
    layer = Conv2d(6, 9, 3, stride=2, groups=3).double()
    draw(layer)
    features = images(2, (6, 5, 4)).double()
    assert layer.weight.shape == (9, 2, 3, 3)
    torch.testing.assert_close(layer(features), convolve(features, layer, 2), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("groups", [1, 4, 1024])
def test_a_convolution_starts_with_the_fan_out_of_one_group(groups: int) -> None:
    layer = Conv2d(1024, 1024, 3, groups=groups)
    initialise(Classifier((nn.Sequential(layer, GlobalAveragePool()), 1024), 2), seed=0)
    fan_out = 1024 // groups * 9
    assert layer.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.03)


def test_the_embedding_layer_starts_with_the_gain_of_a_linear_layer() -> None:
    body = nn.Sequential(nn.Flatten(), Linear(12, 400), nn.ReLU())
    network = Classifier((body, 400), 2, embedding=300)
    initialise(network, seed=0)
    assert isinstance(network.embedding, Linear) and network.embedding.bias.eq(0).all()
    assert network.embedding.weight.std().item() == pytest.approx(400**-0.5, rel=0.03)


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


def test_a_global_depthwise_convolution_weights_each_place_of_each_channel() -> None:
    pool = GlobalDepthwise(3, (5, 4)).double()
    draw(pool)
    features = images(6, (3, 5, 4)).double()
    convolution, norm, _ = pool
    assert isinstance(convolution, Conv2d) and isinstance(norm, nn.BatchNorm2d)
    sums = torch.einsum("nchw,chw->nc", features, convolution.weight[:, 0])
    centred = sums - sums.mean(0)
    expected = centred / (centred.square().mean(0) + 1e-5).sqrt() * norm.weight + norm.bias
    torch.testing.assert_close(pool(features), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (112, 112), (7, 5), (1, 1)])
def test_halved_is_the_size_after_convolutions_of_stride_2(size: tuple[int, int]) -> None:
    features = torch.zeros(1, 1, *size)
    for times in range(5):
        assert tuple(features.shape[2:]) == halved(size, times)
        features = nn.functional.conv2d(features, torch.zeros(1, 1, 3, 3), stride=2, padding=1)


def cosine_classifier(width: int = 6, classes: int = 5, scale: float = 30.0) -> CosineClassifier:
    classifier = CosineClassifier(width, classes, scale)
    draw(classifier)
    return classifier


def test_a_cosine_classifier_gives_scaled_cosines() -> None:
    classifier, embedding = cosine_classifier(), images(4, (6, 1, 1)).flatten(1)
    expected = torch.tensor(
        [
            [math.fsum(a * b for a, b in zip(x, w, strict=True)) / math.hypot(*x) / math.hypot(*w) for w in weights]
            for weights in [classifier.weight.tolist()]
            for x in embedding.tolist()
        ]
    )
    torch.testing.assert_close(classifier.cosines(embedding).detach(), expected, rtol=0, atol=1e-6)
    assert torch.equal(classifier(embedding), 30 * classifier.cosines(embedding))
    some = torch.tensor([1, 4])
    torch.testing.assert_close(classifier.cosines(embedding, some), classifier.cosines(embedding)[:, some])
    assert classifier.bias is None and classifier.out_features == 5


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_cosines_are_float32_under_autocast(dtype: torch.dtype) -> None:
    classifier, embedding = cosine_classifier(), images(4, (6, 1, 1)).flatten(1).to(dtype).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        cosines, logits = classifier.cosines(embedding), classifier(embedding)
    assert cosines.dtype == logits.dtype == torch.float32
    torch.testing.assert_close(cosines, classifier.cosines(embedding.float()))
    (gradient,) = torch.autograd.grad(logits.sum(), embedding)
    assert gradient.dtype == dtype and gradient.any()


@pytest.mark.parametrize("length", [0.0, 1e-30, 1e-13])
def test_vectors_without_length_have_cosine_0_and_no_gradient(length: float) -> None:
    classifier = cosine_classifier()
    embedding = images(4, (6, 1, 1)).flatten(1)
    embedding[1] *= length
    embedding.requires_grad_()
    with torch.no_grad():
        classifier.weight[2] *= length
    logits = classifier(embedding)
    assert not logits[1].any() and not logits[:, 2].any() and logits[0, 0] != 0
    logits.square().sum().backward()
    for tensor, row in ((embedding, 1), (classifier.weight, 2)):
        assert tensor.grad is not None and tensor.grad.isfinite().all()
        assert not tensor.grad[row].any() and tensor.grad[0].any()


def test_cosines_do_not_depend_on_lengths_and_their_gradients_are_right() -> None:
    classifier = cosine_classifier().double()
    embedding = images(3, (6, 1, 1)).flatten(1).double()
    lengths = torch.tensor([[1e-9], [1.0], [1e9]], dtype=torch.float64)
    torch.testing.assert_close(classifier.cosines(embedding * lengths), classifier.cosines(embedding))

    def cosines(embedding: Tensor, weight: Tensor) -> Tensor:
        return torch.func.functional_call(classifier, {"weight": weight}, (embedding,))

    weight = classifier.weight.detach().requires_grad_()
    assert torch.autograd.gradcheck(cosines, (embedding.requires_grad_(), weight))
