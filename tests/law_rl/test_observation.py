import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from law_rl.counters import numpy_generator, torch_generator
from law_rl.observation import (
    ENTRIES,
    FOLLOWER,
    LAW_STATE,
    StageView,
    TrainingStatistics,
    check_observation_names,
    observe,
)

VIEW = StageView(stage=3, stages=12, lr=0.02, lr0=0.1, ema_loss=1.5, ema_weight=0.75, loss_quantiles=(0.1, 0.9, 4.0))


class NaiveStatistics:
    """The definition, iteration by iteration."""

    def __init__(self) -> None:
        self.loss, self.weight = 2.3, 0.0

    def record(self, losses: list[float], weights: list[float] | None) -> None:
        ones = [1.0] * len(losses) if weights is None else weights
        weighted = math.fsum(w * l for w, l in zip(ones, losses, strict=True)) / math.fsum(ones)  # noqa: E741
        self.loss = 0.8 * self.loss + 0.2 * weighted
        if weights is not None:
            self.weight = 0.8 * self.weight + 0.2 * math.fsum(weights) / len(weights)


def iteration(step: int, weighted: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
    generator = torch_generator(step, "test iteration")
    size = int(torch.randint(1, 9, (), generator=generator))
    losses = torch.rand(size, generator=generator) * 4
    return losses, torch.rand(size, generator=generator) * 2 + 0.01 if weighted else None


@pytest.mark.parametrize("weighting", ["never", "always", "from the middle", "alternating stages"])
def test_averages_are_their_recursion_over_hundreds_of_unequal_batches(weighting: str) -> None:
    statistics, naive = TrainingStatistics(), NaiveStatistics()
    for step in range(600):
        stage = step // 150
        weighted = {"never": False, "always": True, "from the middle": stage >= 2, "alternating stages": stage % 2 == 1}
        losses, weights = iteration(step, weighted[weighting])
        statistics.record(losses, weights)
        naive.record(losses.tolist(), None if weights is None else weights.tolist())
        if (step + 1) % 150 == 0:
            statistics.flush()
            assert statistics.ema_loss == pytest.approx(naive.loss, rel=1e-9)
            assert statistics.ema_weight == pytest.approx(naive.weight, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=20), st.sets(st.integers(0, 19)))
def test_averages_do_not_depend_on_when_they_are_folded(weighted: list[bool], flushes: set[int]) -> None:
    once, often, naive = TrainingStatistics(), TrainingStatistics(), NaiveStatistics()
    for step, has_weights in enumerate(weighted):
        losses, weights = iteration(step, has_weights)
        once.record(losses, weights)
        often.record(losses, weights)
        naive.record(losses.tolist(), None if weights is None else weights.tolist())
        if step in flushes:
            often.flush()
    for statistics in (once, often):
        statistics.flush()
        statistics.flush()
        assert statistics.ema_loss == pytest.approx(naive.loss, rel=1e-9)
        assert statistics.ema_weight == pytest.approx(naive.weight, rel=1e-9, abs=1e-12)


def test_quantiles_are_of_the_plain_losses_since_the_last_flush() -> None:
    statistics = TrainingStatistics()
    assert statistics.quantiles == (2.3, 2.3, 2.3)
    statistics.record(torch.full((50,), 99.0), None)
    statistics.flush()
    parts = [iteration(step, True) for step in range(30)]
    for losses, weights in parts:
        statistics.record(losses, weights)
    statistics.flush()
    ordered = sorted(torch.cat([losses for losses, _ in parts]).tolist())
    for share, got in zip((0.1, 0.5, 0.9), statistics.quantiles, strict=True):
        place = share * (len(ordered) - 1)
        low = math.floor(place)
        expected = ordered[low] + (place - low) * (ordered[low + 1] - ordered[low])
        assert got == pytest.approx(expected, rel=1e-9)


def test_batches_without_any_weight_leave_the_averages_finite() -> None:
    statistics = TrainingStatistics()
    statistics.record(torch.ones(4), torch.zeros(4))
    statistics.flush()
    assert math.isfinite(statistics.ema_loss)
    assert statistics.ema_weight == 0.0


@pytest.mark.parametrize("steps", [0, 7, 200])
def test_a_state_in_the_middle_of_a_stage_gives_the_same_flush(steps: int) -> None:
    statistics, restored = TrainingStatistics(), TrainingStatistics()
    for step in range(steps):
        statistics.record(*iteration(step, step % 3 == 0))
    restored.record(torch.full((3,), 7.0), None)
    state = statistics.state_dict()
    restored.load_state_dict(state)
    for step in range(steps, steps + 5):
        statistics.record(*iteration(step, True))
        restored.record(*iteration(step, True))
    statistics.flush()
    restored.flush()
    for name in ("ema_loss", "ema_weight", "quantiles"):
        assert getattr(statistics, name) == getattr(restored, name)
    assert len(state["pending"]) == min(steps, len(state["pending"]))


def test_a_state_is_a_copy() -> None:
    statistics = TrainingStatistics()
    losses, weights = torch.ones(3), torch.ones(3)
    statistics.record(losses, weights)
    state = statistics.state_dict()
    losses.zero_()
    weights.zero_()
    assert state["pending"][0]["losses"].tolist() == [1.0] * 3
    assert state["pending"][0]["weights"].tolist() == [1.0] * 3


def test_observations_are_the_named_values_of_a_view() -> None:
    names = tuple(ENTRIES)
    view = replace(VIEW, validation=62.5, advantage=-3.0)
    got = dict(zip(names, observe(names, view).tolist(), strict=True))
    assert got == pytest.approx(
        {
            "progress": 0.25,
            "stage": 3.0,
            "lr": 0.02,
            "lr_ratio": 0.2,
            "ema_loss": 1.5,
            "ema_weight": 0.75,
            "loss_q10": 0.1,
            "loss_q50": 0.9,
            "loss_q90": 4.0,
            "validation": 0.625,
            "advantage": -0.03,
        }
    )
    assert observe(LAW_STATE, VIEW).tolist() == pytest.approx([3.0, 1.5, 0.75, 0.02])
    assert observe(FOLLOWER, VIEW).dtype == np.float32


ANY = st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 5000), ANY, ANY.filter(lambda v: not v < 0), ANY, ANY, st.tuples(ANY, ANY, ANY), ANY, ANY)
def test_observations_are_finite_and_within_their_bounds(
    stage: int,
    lr: float,
    lr0: float,
    loss: float,
    weight: float,
    quantiles: tuple[float, float, float],
    validation: float,
    advantage: float,
) -> None:
    view = StageView(
        stage=stage,
        stages=10,
        lr=lr,
        lr0=lr0,
        ema_loss=loss,
        ema_weight=weight,
        loss_quantiles=quantiles,
        validation=validation,
        advantage=advantage,
    )
    for name, value in zip(ENTRIES, observe(tuple(ENTRIES), view).tolist(), strict=True):
        assert ENTRIES[name].low <= value <= ENTRIES[name].high


def test_what_is_not_finite_becomes_the_upper_bound() -> None:
    for value in (math.nan, math.inf):
        assert observe(("ema_loss",), replace(VIEW, ema_loss=value)).tolist() == [20.0]


def test_a_training_that_starts_at_rate_zero_stands_at_its_highest_rate() -> None:
    assert observe(("lr_ratio",), replace(VIEW, lr=0.0, lr0=0.0)).tolist() == [1.0]


def test_bounds_are_finite_float32_numbers() -> None:
    for entry in ENTRIES.values():
        assert np.isfinite([entry.low, entry.high]).all() and entry.low < entry.high
        assert float(np.float32(entry.low)) == entry.low and float(np.float32(entry.high)) == entry.high


def test_only_validation_and_twin_entries_need_validation() -> None:
    needing = {name for name, entry in ENTRIES.items() if entry.needs_validation}
    assert needing == {"validation", "advantage"}
    assert not needing & {*FOLLOWER, *LAW_STATE}


@pytest.mark.parametrize(("names", "wrong"), [(("progress", "weather"), "'weather'"), ((), "nothing")])
def test_unknown_names_are_refused(names: tuple[str, ...], wrong: str) -> None:
    with pytest.raises(ValueError, match=f"observation names {wrong}: choose one or more of progress, stage"):
        check_observation_names(names)
    check_observation_names(tuple(ENTRIES))


def test_old_iterations_fade_from_the_averages() -> None:
    """Only the last iterations are kept between flushes; what is dropped weighs less than float32 can show."""
    statistics, naive = TrainingStatistics(), NaiveStatistics()
    losses = numpy_generator(0, "test losses").random(2000) * 5
    for loss in losses:
        statistics.record(torch.tensor([loss]), None)
        naive.record([loss], None)
    statistics.flush()
    assert np.float32(statistics.ema_loss) == pytest.approx(np.float32(naive.loss), rel=1e-7)
