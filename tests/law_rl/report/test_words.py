from typing import Any

import torch

from law_rl.actions import SampleWeights, TeacherAnchor
from law_rl.actor import MlpActor, TableActor
from law_rl.report.words import describe_schedule
from law_rl.schedule import Schedule

HEAD = SampleWeights(features=("own_agreement", "loss"))
PROVENANCE = {
    "experiment": "quickstart",
    "task": {"name": "digits", "hash": "0123456789abcdef", "data": {"noise": {"kind": "uniform", "rate": 0.4}}},
    "agent": {"name": "evolution", "hidden": [16, 8]},
    "training_seeds": [3, 4],
    "validation_gain": {"over": "uniform", "mean": 5.25, "ci95": [4.0, 6.5], "seeds": 2},
    "versions": {"law-rl": "0.1.0", "torch": "2.13.0"},
}


def table(**changes: Any) -> Schedule:
    rows = torch.tensor([[0.0, 0.0, 0.0], [0.5, -0.25, 0.0], [0.25, 0.0, -0.5]])
    settings: dict[str, Any] = {"action": HEAD, "observation": ("progress",), "stages": 3, "warmup": 1}
    settings |= {"actor": TableActor(actions=rows), "memory_decay": 0.8, "provenance": PROVENANCE}
    return Schedule(**settings | changes)


def policy(**changes: Any) -> Schedule:
    actor = MlpActor(weights=(torch.zeros(3, 2),), biases=(torch.zeros(3),))
    return table(actor=actor, observation=("progress", "validation"), **changes)


def test_kind_and_length_are_said() -> None:
    assert describe_schedule(table())[0] == "A table: a fixed directive for each stage, whatever the training does."
    assert "3 stages; stage 0 is warm-up" in describe_schedule(table())[1]
    assert "3 stages; no stage is warm-up." in describe_schedule(table(warmup=0))[1]
    lines = describe_schedule(policy(warmup=2))
    assert lines[0] == "A policy: a network that sets the directive of each stage from progress, validation."
    assert "needs validation data" in lines[1]
    assert "stages 0 to 1 are warm-up" in lines[2]


def test_warm_up_is_said_to_train_as_the_twin_does() -> None:
    assert "stage 0 is warm-up, with equal sample weights." in describe_schedule(table())[1]
    actor = TableActor(actions=torch.tensor([[1.0], [-1.0]]))
    assert (
        "stage 0 is warm-up, with the converged teacher."
        in describe_schedule(table(action=TeacherAnchor(), actor=actor))[1]
    )


def test_what_it_does_stands_between_what_it_is_and_its_origin() -> None:
    lines = describe_schedule(table())
    places = [
        next(k for k, line in enumerate(lines) if line.startswith(start))
        for start in ("A table", "A sample counts", "How it weights samples", "Learned by", "Content hash")
    ]
    assert places == sorted(places)
    assert all(lines[place - 1] == "" for place in places[1:])


def test_its_origin_and_gain_are_said() -> None:
    schedule = table()
    lines = [line.strip() for line in describe_schedule(schedule)]
    for line in (
        "Learned by the experiment quickstart.",
        "Data: digits, content hash 0123456789ab.",
        "data: noise.kind uniform, noise.rate 0.4",
        "agent: name evolution, hidden 16 8",
        "Training seeds: 3, 4.",
        "Versions: law-rl 0.1.0, torch 2.13.0.",
        f"Content hash: {schedule.hash}",
    ):
        assert line in lines
    assert any("+5.2 points over ordinary training (95 % interval 4.0 to 6.5)" in line for line in lines)


def test_hashes_of_anchors_are_cut_short() -> None:
    task = {"teacher": {"seed": 7, "anchors": ["0123456789abcdef" * 4, "fedcba9876543210" * 4]}}
    lines = describe_schedule(table(provenance={"task": task}))
    assert "  teacher: seed 7, anchors 0123456789ab fedcba987654" in lines


def test_a_schedule_without_provenance_says_so() -> None:
    assert "It does not say where it was learned." in describe_schedule(table(provenance={}))
