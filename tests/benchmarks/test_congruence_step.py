"""The cost of congruence in a step: what the timed steps do, and how times become percent."""

from pathlib import Path

import pytest
import torch

from benchmarks.congruence_step import (
    CALLS,
    KD,
    KD_CC,
    STEPS,
    Options,
    learner_of,
    report,
    staged,
    summarise,
    untrained_route,
)
from benchmarks.step_cost import random_images
from law_rl.classification.networks import NetworkConfig
from law_rl.distillation.learner import DistillationLearner
from law_rl.distillation.teacher_outputs import TeacherOutputs

NETWORKS = NetworkConfig(name="resnet8"), NetworkConfig(name="resnet8")


def small(directory: Path, *, augmented: bool) -> DistillationLearner:
    dataset = random_images(16)
    route = untrained_route(directory, NETWORKS[1], dataset)
    return learner_of(dataset, route, batch=4, iterations=2, augmented=augmented, networks=NETWORKS)


@pytest.mark.parametrize(("augmented", "forwards"), [(False, 0), (True, 2)])
def test_the_teacher_forwards_only_where_its_outputs_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, augmented: bool, forwards: int
) -> None:
    learner, done = small(tmp_path, augmented=augmented), 0
    forward = TeacherOutputs._forward

    def counted(*args: object) -> object:
        nonlocal done
        done += 1
        return forward(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(TeacherOutputs, "_forward", counted)
    assert staged(learner, KD)() > 0
    assert done == forwards


def test_the_steps_differ_by_the_congruence_alone(tmp_path: Path) -> None:
    learner = small(tmp_path, augmented=False)
    steps = {name: staged(learner, directive) for name, directive in {"kd": KD, "again": KD, "cc": KD_CC}.items()}
    ends = {}
    for name, step in steps.items():
        step()
        ends[name] = torch.cat([p.detach().flatten() for p in learner.network.parameters()])
    assert torch.equal(ends["kd"], ends["again"]) and not torch.equal(ends["kd"], ends["cc"])
    extra = {term for term, weight in KD_CC.losses.items() if KD.losses[term] != weight}
    assert extra == {"cc"} and KD.losses["cc"] == 0 < KD_CC.losses["cc"]


def test_a_stage_of_another_length_is_refused(tmp_path: Path) -> None:
    dataset = random_images(16)
    route = untrained_route(tmp_path, NETWORKS[1], dataset)
    with pytest.raises(ValueError, match="a stage has 2 iterations, not 1"):
        learner_of(dataset, route, batch=4, iterations=1, augmented=False, networks=NETWORKS)


def test_times_become_milliseconds_and_percent_of_a_step() -> None:
    options = Options(batches=(8,), iterations=2, rounds=3)
    times = {f"8/{teacher}/{name}": 0.2 for teacher in ("kept", "forwarded") for name in STEPS}
    times |= {"8/kept/kd_cc": 0.206, "8/loss": 0.0015 * CALLS}
    kept, forwarded = summarise(times, options)
    assert (kept["kd_ms"], kept["kd_cc_ms"], kept["loss_ms"]) == pytest.approx((100.0, 103.0, 1.5))
    assert kept["kd_cc_added_percent"] == pytest.approx(3.0) and forwarded["kd_cc_added_percent"] == 0.0
    assert kept["loss_percent"] == pytest.approx(1.5)
    text = report([kept, forwarded], options)
    assert "1.50 % of a step: within the aim of 2 %" in text and "+3.00 % longer: within the limit of 5 %" in text
    times["8/kept/kd_cc"] = 0.22
    assert "+10.00 % longer: above the limit of 5 %" in report(summarise(times, options), options)
