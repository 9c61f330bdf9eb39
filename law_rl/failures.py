"""What went wrong in a training, and where: enough to see it happen again."""

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Where a training raised: which training of which seed, in which stage (None: before the first), and the actions
    of a policy so far, the last of them that stage's.
    """

    training: str
    training_seed: int
    stage: int | None
    actions: tuple[tuple[float, ...], ...]
    error: str
    trace: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "Failure":
        return Failure(**{**value, "actions": tuple(tuple(action) for action in value["actions"])})


class TrainingRaised(RuntimeError):
    """A training raised; `failure` says where."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure

    def __str__(self) -> str:
        return f"{where(self.failure)}: {self.failure.error}"


class JobFailed(RuntimeError):
    """A job could not be done; `failure` says where it raised, None where its workers were lost."""

    def __init__(self, text: str, failure: Failure | None = None) -> None:
        super().__init__(text)
        self.failure = failure


def where(failure: Failure) -> str:
    """The place of a failure in words."""
    stage = "before its first stage" if failure.stage is None else f"in stage {failure.stage}"
    last = failure.actions[-1] if failure.actions else ()
    action = f" under action [{', '.join(f'{value:.6g}' for value in last)}]" if last else ""
    return f"training seed {failure.training_seed}, {stage}{action}"


@dataclass
class Place:
    """Where a training stands; its owner moves it on."""

    training: str
    training_seed: int
    stage: int | None = None
    actions: list[tuple[float, ...]] = field(default_factory=list)


@contextmanager
def located(place: Place) -> Iterator[Place]:
    """Errors raised within become TrainingRaised with the place.

    Bad input found before the first stage (ValueError, OSError) and a lack of memory pass as they are: the one has
    its sentence, the other its remedy.
    """
    try:
        yield place
    except Exception as error:
        if is_out_of_memory(error) or (place.stage is None and isinstance(error, ValueError | OSError)):
            raise
        failure = Failure(
            training=place.training,
            training_seed=place.training_seed,
            stage=place.stage,
            actions=tuple(place.actions),
            error=f"{type(error).__name__}: {error}",
            trace=traceback.format_exc(),
        )
        raise TrainingRaised(failure) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python, or torch on the CPU or a GPU, could not allocate."""
    return isinstance(error, MemoryError) or "out of memory" in str(error) or "can't allocate memory" in str(error)
