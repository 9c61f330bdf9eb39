import pytest
import torch
from torch import Tensor, nn

from law_rl.classification import cost
from law_rl.classification.cost import measure_latency, multiply_accumulates, parameter_count
from law_rl.classification.networks import NetworkConfig, build_network


def test_the_cost_of_a_perceptron() -> None:
    network = build_network(NetworkConfig(width=7, depth=2), image_shape=(2, 3, 4), classes=5, seed=0)
    assert parameter_count(network) == (24 * 7 + 7) + (7 * 7 + 7) + (7 * 5 + 5)
    assert multiply_accumulates(network, (2, 3, 4)) == 24 * 7 + 7 * 7 + 7 * 5


def test_the_cost_of_a_convolutional_network() -> None:
    network = build_network(NetworkConfig(name="cnn", width=4), image_shape=(3, 10, 7), classes=5, seed=0)
    kernels = [9 * 3 * 4, 9 * 4 * 8, 9 * 8 * 16]
    assert parameter_count(network) == sum(kernels) + 2 * (4 + 8 + 16) + 16 * 5 + 5
    pixels = [10 * 7, 5 * 4, 3 * 2]
    convolutions = sum(kernel * size for kernel, size in zip(kernels, pixels, strict=True))
    assert multiply_accumulates(network, (3, 10, 7)) == convolutions + 16 * 5


def test_resnet20_costs_what_is_known_of_it() -> None:
    """Published: 0.27 million parameters (1512.03385, table 6); 41 million multiply-accumulates are often quoted."""
    network = build_network(NetworkConfig(name="resnet20"), image_shape=(3, 32, 32), classes=10, seed=0)
    assert round(parameter_count(network) / 1e6, 2) == 0.27
    assert round(multiply_accumulates(network, (3, 32, 32)) / 1e6) == 41


class Probe(nn.Module):
    """Notes how it is called, and costs what a clock of ours says."""

    calls: list[tuple[tuple[int, ...], int, bool, bool]] = []  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, images: Tensor) -> Tensor:
        threads, inference = torch.get_num_threads(), torch.is_inference_mode_enabled()
        self.calls.append((tuple(images.shape), threads, self.training, inference))
        result: Tensor = self.norm(images)
        return result


@pytest.fixture
def probe() -> Probe:
    Probe.calls.clear()
    return Probe()


def test_how_the_network_is_timed(probe: Probe) -> None:
    before = torch.get_num_threads()
    latency = measure_latency(probe, (3, 5, 4), batch=6, threads=before + 1, rounds=9)
    assert probe.calls == [((6, 3, 5, 4), before + 1, False, True)] * (cost.WARM_UP + 9)
    assert torch.get_num_threads() == before
    assert (latency.batch, latency.threads, latency.rounds) == (6, before + 1, 9)
    assert latency.torch == torch.__version__ and latency.cpu
    assert 0 < latency.median_ms <= latency.p95_ms
    assert probe.training and torch.equal(probe.norm.running_mean, torch.zeros(3))  # type: ignore[arg-type]


def test_median_and_quantile_leave_out_the_warm_up(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    durations = [1e9] * cost.WARM_UP + [1e6 * ms for ms in (5, 1, 2, 4, 3)]
    clock = iter([end for ns in durations for end in (0, ns)])
    monkeypatch.setattr(cost.time, "perf_counter_ns", lambda: next(clock))
    latency = measure_latency(probe, (3, 1, 1), rounds=5)
    assert latency.median_ms == pytest.approx(3)
    assert latency.p95_ms == pytest.approx(4.8)


class Failing(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        raise RuntimeError("no")


def test_the_threads_are_put_back_after_an_error() -> None:
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="no"):
        measure_latency(Failing(), (3, 1, 1), threads=before + 1)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("setting", ["batch", "threads", "rounds"])
def test_settings_below_one_are_refused(probe: Probe, setting: str) -> None:
    with pytest.raises(ValueError, match=f"{setting} is 0" if setting == "batch" else f"{setting} 0"):
        measure_latency(probe, (3, 1, 1), **{setting: 0})
