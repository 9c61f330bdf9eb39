import gc
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from law_rl.classification.networks import Classifier, NetworkConfig, build_network
from law_rl.counters import torch_generator
from law_rl.distillation import teacher_outputs
from law_rl.distillation.route import Route, RouteWriter
from law_rl.distillation.teacher_outputs import TeacherOutput, TeacherOutputs

CONFIG = NetworkConfig(width=6, dropout=0.5)  # outside of evaluation mode its dropout fails
SHAPE, CLASSES, WIDTH, SAMPLES, EPOCHS = (1, 4, 4), 3, 6, 25, 5
OF_ONE = 4 * SAMPLES * (CLASSES + WIDTH)
"""Bytes of one anchor's outputs on the whole set."""


def network(seed: int) -> Classifier:
    built = build_network(CONFIG, image_shape=SHAPE, classes=CLASSES, seed=seed)
    with torch.no_grad():
        built.classifier.weight.mul_(200.0)  # logits of the order of 1
    return built


@pytest.fixture(scope="module")
def route(tmp_path_factory: pytest.TempPathFactory) -> Route:
    directory = tmp_path_factory.mktemp("route")
    writer = RouteWriter(directory, network={}, data="d", every=1, epochs=EPOCHS)
    for epoch in range(1, EPOCHS + 1):
        writer.save(epoch, network(epoch), 50.0)
    return Route.load(directory)


@pytest.fixture(scope="module")
def inputs() -> torch.Tensor:
    return torch.randn(SAMPLES, *SHAPE, generator=torch_generator(0, "inputs"))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher_outputs, "CHUNK", 7)


def make(route: Route, **settings: Any) -> TeacherOutputs:
    return TeacherOutputs(route, lambda: network(0), "cpu", **settings)


def expected(index: int, inputs: torch.Tensor) -> TeacherOutput:
    """In float64."""
    teacher = network(index + 1).double().eval()
    with torch.no_grad():
        return TeacherOutput(logits=teacher(inputs.double()), embedding=teacher.embed(inputs.double()))


def assert_close(output: TeacherOutput, oracle: TeacherOutput) -> None:
    for ours, theirs in ((output.logits, oracle.logits), (output.embedding, oracle.embedding)):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours.double(), theirs.double(), rtol=1e-5, atol=1e-5)


def same(one: TeacherOutput, other: TeacherOutput) -> bool:
    return torch.equal(one.logits, other.logits) and torch.equal(one.embedding, other.embedding)


def draw(step: int, size: int = 8) -> torch.Tensor:
    return torch.randperm(SAMPLES, generator=torch_generator(0, "batch", step))[:size]


class Forwards:
    """Builds networks that count how many samples each forward pass sees."""

    def __init__(self) -> None:
        self.sizes: Counter[int] = Counter()

    def __call__(self) -> Classifier:
        built = network(0)
        built.body.register_forward_hook(lambda _module, passed, _result: self.sizes.update([len(passed[0])]))
        return built


# Values


@pytest.mark.parametrize(("position", "index"), [(0.0, 0), (0.1, 0), (0.125, 1), (0.3, 1), (0.5, 2), (1.0, 4)])
@pytest.mark.parametrize("whole", [False, True])
def test_the_nearest_anchor(route: Route, inputs: torch.Tensor, position: float, index: int, whole: bool) -> None:
    teacher, ids = make(route, inputs=inputs if whole else None, temperature=9.0), draw(0)
    output = teacher.outputs(position, inputs[ids], ids)
    assert output.logits.shape == (8, CLASSES) and output.embedding.shape == (8, WIDTH)
    assert_close(output, expected(index, inputs[ids]))


@pytest.mark.parametrize("whole", [False, True])
def test_mixed_anchors_by_an_oracle(route: Route, inputs: torch.Tensor, whole: bool) -> None:
    temperature, ids = 3.0, draw(0)
    settings: dict[str, Any] = {"between": "mixed", "temperature": temperature, "inputs": inputs if whole else None}
    teacher = make(route, **settings)
    output = teacher.outputs(0.3, inputs[ids], ids)  # a fifth of the way from anchor 1 to anchor 2
    easier, harder = expected(1, inputs[ids]), expected(2, inputs[ids])
    shares = [torch.softmax(each.logits / temperature, 1) for each in (easier, harder)]
    torch.testing.assert_close(
        torch.softmax(output.logits.double() / temperature, 1), 0.8 * shares[0] + 0.2 * shares[1], rtol=1e-5, atol=1e-6
    )
    torch.testing.assert_close(
        output.embedding.double(), 0.8 * easier.embedding + 0.2 * harder.embedding, rtol=1e-5, atol=1e-5
    )
    assert_close(teacher.outputs(0.75, inputs[ids], ids), expected(3, inputs[ids]))


def test_samples_that_are_not_of_the_set_are_forwarded(route: Route, inputs: torch.Tensor) -> None:
    others = torch.randn(4, *SHAPE, generator=torch_generator(1, "inputs"))
    teacher = make(route, inputs=inputs)
    for _ in range(2):
        assert_close(teacher.outputs(1.0, others, None), expected(4, others))
        teacher.outputs(1.0, inputs[:4], torch.arange(4))


@pytest.mark.parametrize("size", [1, 7, 25])
def test_an_anchor_on_a_set_of_any_size(route: Route, inputs: torch.Tensor, size: int) -> None:
    output = make(route).of_anchor(2, inputs[:size])
    assert len(output.logits) == len(output.embedding) == size
    assert_close(output, expected(2, inputs[:size]))


def test_outputs_are_targets_without_gradients(route: Route, inputs: torch.Tensor) -> None:
    student, ids = torch.zeros(8, CLASSES, requires_grad=True), draw(0)
    for teacher in (make(route), make(route, inputs=inputs), make(route, between="mixed", inputs=inputs)):
        output = teacher.outputs(0.3, inputs[ids], ids)
        assert not output.logits.requires_grad and not output.embedding.requires_grad
        (student * output.logits).sum().backward()  # type: ignore[no-untyped-call]


def test_what_consumers_read(route: Route) -> None:
    teacher = make(route)
    assert (teacher.width, teacher.route) == (WIDTH, route)


# The whole set


def test_an_anchor_forwards_the_set_once_and_no_batches(route: Route, inputs: torch.Tensor) -> None:
    count = Forwards()
    teacher = TeacherOutputs(route, count, "cpu", inputs=inputs)
    assert not count.sizes
    for step in range(60):
        ids = draw(step)
        assert_close(teacher.outputs((step % 3) / 2, inputs[ids], ids), expected((step % 3) * 2, inputs[ids]))
    assert count.sizes == {7: 3 * 3, 4: 3}


@pytest.mark.parametrize(("anchors", "passes"), [(5.0, 3), (3.0, 3), (2.9, 4), (1.0, 6)])
def test_the_outputs_asked_for_last_are_kept_as_far_as_there_is_room(
    route: Route, inputs: torch.Tensor, anchors: float, passes: int
) -> None:
    count, ids = Forwards(), draw(0)
    teacher = TeacherOutputs(route, count, "cpu", inputs=inputs, kept_bytes=int(anchors * OF_ONE))
    for index in (0, 1, 0, 2, 0, 1):
        teacher.outputs(index / 4, inputs[ids], ids)
    assert count.sizes[4] == passes


@pytest.mark.parametrize(("between", "anchors"), [("nearest", 0.99), ("mixed", 1.99)])
def test_without_room_batches_are_forwarded(
    route: Route, inputs: torch.Tensor, between: teacher_outputs.Between, anchors: float
) -> None:
    count, ids = Forwards(), draw(0)
    teacher = TeacherOutputs(route, count, "cpu", between=between, inputs=inputs, kept_bytes=int(anchors * OF_ONE))
    plain = make(route, between=between)
    assert same(teacher.outputs(0.3, inputs[ids], ids), plain.outputs(0.3, inputs[ids], ids))
    assert set(count.sizes) == {8}


@pytest.mark.parametrize("between", ["nearest", "mixed"])
def test_a_sample_has_the_same_outputs_whenever_it_is_asked_for(
    route: Route, inputs: torch.Tensor, between: teacher_outputs.Between
) -> None:
    def ask(teacher: TeacherOutputs, step: int) -> TeacherOutput:
        ids = draw(step)
        return teacher.outputs((step * 7 % 20) / 19, inputs[ids], ids)

    settings: dict[str, Any] = {"between": between, "temperature": 2.0, "inputs": inputs}
    first = {step: ask(make(route, **settings), step) for step in range(20)}
    for kept, order in ((5, range(20)), (2, range(19, -1, -1)), (3, [step * 3 % 20 for step in range(20)])):
        shared = make(route, **settings, kept_bytes=kept * OF_ONE, capacity=kept)
        for step in order:
            shared.outputs(0.6, inputs[:3], None)  # of another learner
            assert same(ask(shared, step), first[step])


def test_a_samples_outputs_do_not_depend_on_its_batch(route: Route, inputs: torch.Tensor) -> None:
    teacher = make(route, inputs=inputs)
    whole = teacher.outputs(0.5, inputs, torch.arange(SAMPLES))
    assert same(whole, teacher.of_anchor(2, inputs))
    for ids in (torch.tensor([13]), torch.tensor([2, 24, 13, 13]), draw(1, 20)):
        part = TeacherOutput(logits=whole.logits[ids], embedding=whole.embedding[ids])
        assert same(teacher.outputs(0.5, inputs[ids], ids), part)


def test_each_precision_has_outputs_of_its_own(route: Route, inputs: torch.Tensor) -> None:
    ids = draw(0)
    full = make(route, inputs=inputs).outputs(1.0, inputs[ids], ids)
    shared = make(route, inputs=inputs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = shared.outputs(1.0, inputs[ids], ids)
        forwarded = make(route).outputs(1.0, inputs[ids], ids)
    assert low.logits.dtype == low.embedding.dtype == torch.float32
    assert not torch.equal(low.logits, full.logits)
    torch.testing.assert_close(low.logits, forwarded.logits, rtol=0.02, atol=0.02)
    assert same(shared.outputs(1.0, inputs[ids], ids), full)


# Memory

ANCHORS = 20
LARGE = NetworkConfig(width=2200, depth=3)
"""Three hidden layers of 2200 units on images of 16 x 8 x 8: 11.9 million parameters."""


def large(device: str = "cpu") -> Classifier:
    return build_network(LARGE, image_shape=(16, 8, 8), classes=10, seed=0, device=device)


@pytest.fixture(scope="module")
def large_route(tmp_path_factory: pytest.TempPathFactory) -> Route:
    """Twenty anchors in two files, which take each other's turns."""
    writer = RouteWriter(tmp_path_factory.mktemp("large"), network={}, data="d", every=1, epochs=2, half=True)
    teacher = large()
    for epoch in (1, 2):
        with torch.no_grad():
            teacher.classifier.weight.fill_(epoch)
        writer.save(epoch, teacher, None)
    two = writer.route.anchors
    anchors = tuple(replace(two[place % 2], epoch=place + 1) for place in range(ANCHORS))
    return replace(writer.route, anchors=anchors)


def live_parameters() -> int:
    """Values in all storages of parameters that exist."""
    gc.collect()
    found = {}
    for thing in gc.get_objects():
        if issubclass(type(thing), torch.nn.Parameter):
            found[thing.untyped_storage().data_ptr()] = thing.untyped_storage().nbytes() // thing.itemsize
    return sum(found.values())


def tour(teacher: TeacherOutputs, inputs: torch.Tensor) -> None:
    """Asks every anchor in turn, and between them."""
    for place in range(ANCHORS):
        output = teacher.outputs(min((place + 0.25) / (ANCHORS - 1), 1.0), inputs, None)
        assert output.logits.isfinite().all()


def test_twenty_anchors_of_ten_million_parameters_take_the_memory_of_two(large_route: Route) -> None:
    before = live_parameters()
    built: list[int] = []

    def build() -> Classifier:
        built.append(len(built))
        return large()

    teacher = TeacherOutputs(large_route, build, "cpu", between="mixed")
    one = live_parameters() - before
    assert one > 10_000_000
    tour(teacher, torch.zeros(2, 16, 8, 8))
    assert live_parameters() - before == 2 * one
    assert len(built) == 2
    del teacher
    assert live_parameters() == before


@pytest.fixture
def gpu_memory() -> Iterator[Callable[[], tuple[int, int]]]:
    """Bytes allocated now, and at most, beyond those before the test and the workspace of matrix products."""
    large("cuda")(torch.zeros(2, 16, 8, 8, device="cuda"))
    gc.collect()
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    yield lambda: (torch.cuda.memory_allocated() - before, torch.cuda.max_memory_allocated() - before)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_twenty_anchors_of_ten_million_parameters_take_the_device_memory_of_two(
    large_route: Route, gpu_memory: Callable[[], tuple[int, int]]
) -> None:
    one = sum(parameter.nbytes for parameter in large().parameters())
    inputs = torch.zeros(2, 16, 8, 8, device="cuda")
    teacher = TeacherOutputs(large_route, lambda: large("cuda"), "cuda", between="mixed")
    tour(teacher, inputs)
    allocated, peak = gpu_memory()
    assert 2 * one <= allocated < 2.05 * one
    assert peak < 3.05 * one


# What is refused


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"between": "both"}, "between is 'both': use one of nearest, mixed"),
        ({"between": "mixed", "capacity": 1}, "capacity is 1, and mixing"),
        ({"capacity": 0}, "capacity is 0"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"temperature": math.inf}, "temperature is inf"),
        ({"temperature": math.nan}, "temperature is nan"),
    ],
)
def test_settings_without_a_meaning_are_refused(route: Route, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(route, **settings)


@pytest.mark.parametrize("position", [-0.01, 1.01, math.nan])
def test_a_position_off_the_route_is_refused(route: Route, inputs: torch.Tensor, position: float) -> None:
    with pytest.raises(ValueError, match="position is"):
        make(route).outputs(position, inputs, None)


def test_another_network_is_refused_at_once(route: Route) -> None:
    config = replace(CONFIG, width=7)
    with pytest.raises(ValueError, match="is of another network"):
        TeacherOutputs(route, lambda: build_network(config, image_shape=SHAPE, classes=CLASSES, seed=0), "cpu")
