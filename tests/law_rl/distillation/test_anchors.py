import gc
import math
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from law_rl.classification.networks import NetworkConfig, build_network
from law_rl.distillation.anchors import (
    Anchors,
    equal_epoch_interval,
    greedy_search,
    mix_logits,
    neighbours,
)
from law_rl.distillation.route import Route, RouteWriter
from law_rl.report.plots import render
from law_rl.report.route import draw_ratios

EPOCHS = 20


class Teacher(nn.Module):
    """A linear classifier with batch normalisation and dropout, which only evaluation mode makes the identity."""

    def __init__(self, seed: int, width: int = 6) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.linear = nn.Linear(width, 3, bias=False)
        self.norm, self.dropout = nn.BatchNorm1d(3, eps=0.0), nn.Dropout(0.5)
        with torch.no_grad():
            self.linear.weight.copy_(torch.randn(3, width, generator=generator))
            self.norm.running_mean.fill_(seed)  # type: ignore[union-attr]

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.dropout(self.norm(self.linear(inputs)))  # type: ignore[no-any-return]


def write(directory: Path, epochs: int = EPOCHS, every: int = 1, width: int = 6) -> Route:
    writer = RouteWriter(directory, network={"width": width}, data="d", every=every, epochs=epochs)
    for epoch in filter(writer.due, range(1, epochs + 1)):
        writer.save(epoch, Teacher(epoch, width), accuracy=50.0)
    return Route.load(directory)


@pytest.fixture(scope="module")
def route(tmp_path_factory: pytest.TempPathFactory) -> Route:
    return write(tmp_path_factory.mktemp("route"))


@pytest.fixture
def inputs() -> torch.Tensor:
    return torch.randn(5, 6, generator=torch.Generator().manual_seed(0))


def expected_logits(index: int, inputs: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return Teacher(index + 1).eval()(inputs)  # type: ignore[no-any-return]


def test_networks_are_the_anchors_frozen_in_evaluation_mode(route: Route, inputs: torch.Tensor) -> None:
    anchors = Anchors(route, lambda: Teacher(0), "cpu")
    for index in (3, 0, 19, 3, 7):
        network = anchors.network(index)
        assert not any(module.training for module in network.modules())
        assert not any(parameter.requires_grad for parameter in network.parameters())
        assert torch.equal(network(inputs), expected_logits(index, inputs))
        assert not network(inputs).requires_grad


def test_a_tour_of_the_route_builds_two_networks_and_moves_no_memory(route: Route, inputs: torch.Tensor) -> None:
    built: list[nn.Module] = []

    def build() -> nn.Module:
        built.append(Teacher(0))
        return built[-1]

    anchors = Anchors(route, build, "cpu")
    assert not built
    anchors.network(0)
    anchors.network(0)
    assert len(built) == 1
    anchors.network(1)
    addresses = [tensor.data_ptr() for network in built for tensor in network.state_dict().values()]
    for step in range(200):
        anchors.network(step * 7 % EPOCHS)(inputs)
    assert len(built) == 2
    assert addresses == [tensor.data_ptr() for network in built for tensor in network.state_dict().values()]


def live_bytes() -> int:
    """Bytes in all storages of tensors that exist."""
    gc.collect()
    storages = {}
    for thing in gc.get_objects():
        if issubclass(type(thing), torch.Tensor):
            storage = thing.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


def test_all_anchors_take_the_memory_of_two(tmp_path: Path) -> None:
    route = write(tmp_path, width=5000)
    one = sum(tensor.nbytes for tensor in Teacher(0, 5000).state_dict().values())
    before = live_bytes()
    anchors = Anchors(route, lambda: Teacher(0, 5000), "cpu")
    for index in range(EPOCHS):
        anchors.network(index)
    assert 2 * one <= live_bytes() - before < 2.05 * one


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_all_anchors_take_the_device_memory_of_two(tmp_path: Path) -> None:
    width = 1_000_000
    route = write(tmp_path, epochs=6, width=width)
    one = sum(tensor.nbytes for tensor in Teacher(0, width).state_dict().values())
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    anchors = Anchors(route, lambda: Teacher(0, width), "cuda")
    for index in range(6):
        anchors.network(index)
    assert torch.cuda.memory_allocated() - before < 2.05 * one
    assert torch.cuda.max_memory_allocated() - before < 3.05 * one


def test_the_network_used_longest_ago_is_replaced(route: Route) -> None:
    anchors = Anchors(route, lambda: Teacher(0), "cpu")
    first, second = anchors.network(0), anchors.network(1)
    assert anchors.network(0) is first
    assert anchors.network(2) is second
    assert anchors.network(0) is first
    assert anchors.network(3) is second
    assert torch.equal(first.get_buffer("norm.running_mean"), torch.full((3,), 1.0))
    assert torch.equal(second.get_buffer("norm.running_mean"), torch.full((3,), 4.0))


def test_a_file_that_fails_leaves_the_others_in_place(tmp_path: Path, inputs: torch.Tensor) -> None:
    route = write(tmp_path, epochs=4)
    anchors = Anchors(route, lambda: Teacher(0), "cpu")
    first, second = anchors.network(0), anchors.network(1)
    (tmp_path / route.anchors[2].file).unlink()
    with pytest.raises(ValueError, match="epoch 3, is missing"):
        anchors.network(2)
    assert anchors.network(0) is first and anchors.network(1) is second
    assert torch.equal(first(inputs), expected_logits(0, inputs))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Teacher(0, width=7), r"linear.weight is \(3, 6\) in the file, \(3, 7\) in the network"),
        (lambda: nn.Linear(6, 3), r"weight is missing in the file, \(3, 6\) in the network"),
    ],
)
def test_another_network_is_refused(route: Route, build: type[nn.Module], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Anchors(route, build, "cpu").network(0)


def test_half_anchors_run_in_the_networks_own_precision(tmp_path: Path, inputs: torch.Tensor) -> None:
    writer = RouteWriter(tmp_path, network={}, data="d", every=1, epochs=1, half=True)
    writer.save(1, Teacher(1), None)
    network = Anchors(Route.load(tmp_path), lambda: Teacher(0), "cpu").network(0)
    assert network(inputs).dtype == torch.float32
    assert torch.allclose(network(inputs), expected_logits(0, inputs), atol=1e-2)


def test_a_library_network_comes_back_to_the_bit(tmp_path: Path) -> None:
    def build(seed: int) -> nn.Module:
        return build_network(NetworkConfig(name="cnn", width=4), image_shape=(1, 8, 8), classes=5, seed=seed)

    RouteWriter(tmp_path, network={}, data="d", every=1, epochs=1).save(1, build(1), None)
    network = Anchors(Route.load(tmp_path), lambda: build(0), "cpu").network(0)
    images = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(images), build(1).eval()(images))


@pytest.mark.parametrize("index", [-1, EPOCHS])
def test_an_anchor_off_the_route_is_refused(route: Route, index: int) -> None:
    with pytest.raises(ValueError, match=f"anchor {index} is not on a route of 20"):
        Anchors(route, lambda: Teacher(0), "cpu").network(index)


@pytest.mark.parametrize(
    ("position", "count", "expected"),
    [
        (0.0, 5, (0, 0, 0.0)),
        (1.0, 5, (4, 4, 0.0)),
        (0.5, 5, (2, 2, 0.0)),
        (0.625, 5, (2, 3, 0.5)),
        (0.0625, 5, (0, 1, 0.25)),
        (0.7, 1, (0, 0, 0.0)),
    ],
)
def test_a_position_lies_between_two_anchors(position: float, count: int, expected: tuple[int, int, float]) -> None:
    assert neighbours(position, count) == expected


@pytest.mark.parametrize("position", [-0.01, 1.01, math.nan])
def test_a_position_off_the_route_is_refused(position: float) -> None:
    with pytest.raises(ValueError, match="position is"):
        neighbours(position, 3)


def test_mixed_logits_have_the_mixture_of_probabilities(inputs: torch.Tensor) -> None:
    easier, harder = (expected_logits(index, inputs) for index in (4, 9))
    mixed = mix_logits(easier, harder, 0.25, 3.0)
    shares = [torch.softmax(logits.double() / 3.0, dim=1) for logits in (easier, harder)]
    expected = 0.75 * shares[0] + 0.25 * shares[1]
    torch.testing.assert_close(torch.softmax(mixed.double() / 3.0, dim=1), expected, rtol=1e-5, atol=1e-6)


def test_extreme_logits_mix_without_infinities() -> None:
    mixed = mix_logits(torch.tensor([[1e4, 0.0]]), torch.tensor([[0.0, 1e4]]), 0.5, 1.0)
    torch.testing.assert_close(mixed.softmax(dim=1), torch.tensor([[0.5, 0.5]]))
    assert mix_logits(torch.tensor([[1e4, 0.0]]), torch.tensor([[2e4, 0.0]]), 0.5, 1.0).isfinite().all()


def test_settings_without_a_meaning_are_refused(route: Route, inputs: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="capacity is 0"):
        Anchors(route, lambda: Teacher(0), "cpu", capacity=0)
    with pytest.raises(ValueError, match="temperature is 0"):
        mix_logits(inputs, inputs, 0.5, 0.0)
    with pytest.raises(ValueError, match="share is 1"):
        mix_logits(inputs, inputs, 1.0, 2.0)


@pytest.mark.parametrize(
    ("every", "epochs", "count", "expected"),
    [
        (10, 240, 4, (60, 120, 180, 240)),
        (10, 240, 1, (240,)),
        (10, 240, 24, tuple(range(10, 241, 10))),
        (20, 100, 2, (40, 100)),  # 50 was not saved: 40 and 60 are as near, 40 is earlier
        (7, 20, 3, (7, 14, 20)),
    ],
)
def test_equal_epoch_intervals(tmp_path: Path, every: int, epochs: int, count: int, expected: tuple[int, ...]) -> None:
    route = write(tmp_path, epochs, every)
    assert route.select(equal_epoch_interval(route, count)).epochs == expected


@pytest.mark.parametrize("count", [0, -1, 4, 9])
def test_intervals_that_the_route_does_not_have_are_refused(tmp_path: Path, count: int) -> None:
    with pytest.raises(ValueError, match=f"count is {count}"):
        equal_epoch_interval(write(tmp_path, 3), count)


STRAIGHT = [  # r doubles with each step, whatever the scale of the row
    [1.0, 2.0, 4.0, 8.0, 16.0],
    [9.0, 0.5, 1.0, 2.0, 4.0],
    [9.0, 9.0, 3.0, 6.0, 12.0],
    [9.0, 9.0, 9.0, 1.0, 2.0],
    [9.0, 9.0, 9.0, 9.0, 7.0],
]


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        (1.5, (0, 1, 2, 3, 4)),  # even the next is too hard: one step all the same
        (2.0, (0, 1, 2, 3, 4)),
        (4.0, (0, 2, 4)),
        (8.0, (0, 3, 4)),
        (15.9, (0, 3, 4)),
        (16.0, (0, 4)),
    ],
)
def test_greedy_search_by_hand(delta: float, expected: tuple[int, ...]) -> None:
    search = greedy_search(torch.tensor(STRAIGHT), delta)
    assert search.indices == expected
    assert search.ratios[1].tolist() == [18.0, 1.0, 2.0, 4.0, 8.0]


def test_the_first_crossing_stops_the_walk() -> None:
    divergences = torch.tensor([[1.0, 1.2, 5.0, 1.1], [1.0, 1.0, 1.0, 9.0], [1.0] * 4, [1.0] * 4])
    assert greedy_search(divergences, 2.0).indices == (0, 1, 2, 3)


def test_entries_below_the_diagonal_need_not_be_measured() -> None:
    divergences = torch.tensor(STRAIGHT)
    divergences[torch.ones(5, 5).tril(-1).bool()] = math.nan
    assert greedy_search(divergences, 4.0).indices == (0, 2, 4)


def test_a_route_of_one_anchor() -> None:
    assert greedy_search(torch.ones(1, 1), 1.0).indices == (0,)


@pytest.mark.parametrize(
    ("divergences", "delta", "message"),
    [
        (torch.ones(2, 3), 1.0, r"must be \[E, E\]"),
        (torch.ones(0, 0), 1.0, r"must be \[E, E\]"),
        (torch.ones(2, 2), 0.0, "delta is 0"),
        (torch.ones(2, 2), math.nan, "delta is nan"),
        (torch.tensor([[1.0, math.nan], [1.0, 1.0]]), 1.0, "must be finite"),
        (torch.tensor([[0.0, 1.0], [1.0, 1.0]]), 1.0, "positive on the diagonal"),
        (torch.tensor([[1.0, -1.0], [1.0, 1.0]]), 1.0, "not negative"),
    ],
)
def test_a_matrix_without_a_meaning_is_refused(divergences: torch.Tensor, delta: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        greedy_search(divergences, delta)


def test_the_plot_shows_the_upper_ratios_and_the_chosen_steps() -> None:
    search = greedy_search(torch.tensor(STRAIGHT), 4.0)
    figure = Figure()
    draw_ratios(figure, search, [10, 20, 30, 40, 50])
    axes = figure.axes[0]
    written = {(text.get_position(), text.get_text()) for text in axes.texts}
    assert len(written) == 15 and ((4, 1), "8.00") in written
    assert sorted(patch.get_xy() for patch in axes.patches) == [(1.5, -0.5), (3.5, 1.5)]  # type: ignore[attr-defined]
    assert axes.get_title("left") == "chosen epochs: 10, 30, 50"
    svg = render(lambda figure: draw_ratios(figure, search, [10, 20, 30, 40, 50]), 5.0, name="route")
    assert svg.startswith("<svg") and "8.00" in svg
