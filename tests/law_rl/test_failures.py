"""Failures: where a training raised, and what passes as it is."""

import json

import pytest

from law_rl.failures import Failure, Place, TrainingRaised, is_out_of_memory, located, where


def fail(place: Place, error: Exception) -> TrainingRaised:
    with pytest.raises(TrainingRaised) as caught, located(place):
        raise error
    return caught.value


def test_an_error_gets_its_place() -> None:
    raised = fail(Place("episode", 3, stage=4, actions=[(0.0, 1.0), (0.25, -0.5)]), KeyError("gone"))
    assert str(raised) == "training seed 3, in stage 4 under action [0.25, -0.5]: KeyError: 'gone'"
    assert "raise error" in raised.failure.trace
    assert isinstance(raised.__cause__, KeyError)


def test_a_place_moves_on() -> None:
    with pytest.raises(TrainingRaised, match="in stage 7"), located(Place("twin", 0)) as place:
        place.stage = 7
        raise RuntimeError("late")


@pytest.mark.parametrize("error", [ValueError("no such data"), FileNotFoundError("nowhere")])
def test_bad_input_found_before_the_first_stage_passes_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, located(Place("twin", 0)):
        raise error
    assert caught.value is error
    assert where(fail(Place("twin", 0, stage=0), error).failure) == "training seed 0, in stage 0"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_a_lack_of_memory_passes_as_it_is(error: Exception) -> None:
    assert is_out_of_memory(error)
    with pytest.raises(type(error)) as caught, located(Place("twin", 0, stage=1)):
        raise error
    assert caught.value is error


def test_a_failure_survives_json() -> None:
    failure = fail(Place("learned", 1001, stage=2, actions=[(0.1, 0.2)]), OSError("gone")).failure
    assert Failure.from_json(json.loads(json.dumps(failure.to_json()))) == failure
