"""One environment on a Ray actor, replaced when it fails: the driver's side of RayVecEnv."""

import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray import cloudpickle
from ray.exceptions import RayError, RayTaskError

from law_rl.cluster.env_actor import Call, Past

ATTEMPTS = 3
"""How often a call that raises is tried, each time on another worker."""
LIVES = 4
"""How many workers one call may lose, by death or silence."""
_REPEATED = ("make", "reset", "step")  # the calls that are tried again where they raise; the others raise as they are
_TICK = 0.1  # seconds between looks at deadlines while workers are being replaced


class RemoteEnv:
    """The environment of one index: its worker, the call under way, and the past that a replacement is taken through.

    `start` makes an actor. `deadline` is in seconds, 0 for none. Every `snapshot_every` steps of an episode (0: never)
    a snapshot goes to `folder`.
    """

    def __init__(
        self, index: int, start: Callable[[], Any], *, deadline: float, folder: Path | None, snapshot_every: int
    ) -> None:
        self.past = Past()
        self._index, self._start_actor = index, start
        self._deadline, self._folder, self._snapshot_every = deadline, folder, snapshot_every
        self._call: Call = ("make", ())
        self._deaths = self._errors = 0
        self._start()

    def _start(self) -> None:
        self._actor = self._start_actor()
        self._made = self.reference = self._send("make", ())
        self._since: float | None = None
        self._patience = self._deadline * (len(self.past.calls) + 2)

    def _send(self, name: str, arguments: tuple[Any, ...]) -> Any:
        message: bytes = cloudpickle.dumps((name, arguments))  # type: ignore[no-untyped-call]
        return self._actor.call.remote(message)

    def fire(self, name: str, *arguments: Any) -> None:
        """Sends a call; its answer comes as `reference`."""
        self._call, self._deaths, self._errors = (name, arguments), 0, 0
        self.reference = self._send(name, arguments)
        self._since, self._patience = time.monotonic(), self._deadline

    def fire_step(self, action: Any) -> None:
        """Sends a step, with a snapshot before it where one is due."""
        steps = self.past.steps
        due = self._snapshot_every > 0 and steps > 0 and steps % self._snapshot_every == 0
        path = self._folder / f"{self._index}-{self.past.resets}-{steps}.safetensors" if due and self._folder else None
        self.fire("step", action, path)

    def stepped(self, begun: Sequence[Any] | None) -> None:
        """Notes the step that was answered; `begun` is the answer's last entry."""
        _, (action, snapshot) = self._call
        files = {self.past.snapshot, snapshot} - {None}
        if begun is not None:
            self.past.begin(None, None, begun[1])
        else:
            if snapshot is not None:
                self.past.saved(snapshot)
            self.past.calls.append(("step", (action,)))
            self.past.steps += 1
        for outdated in files - {self.past.snapshot}:
            outdated.unlink(missing_ok=True)

    def was_reset(self, generator: Any) -> None:
        """Notes the reset that was answered, with the generator before it."""
        _, (seed, options) = self._call
        if self.past.snapshot is not None:
            self.past.snapshot.unlink(missing_ok=True)
        self.past.begin(seed, options, generator)

    def was_set(self, name: str, value: Any) -> None:
        """Notes an attribute that was set."""
        self.past.calls.append(("set_attr", (name, deepcopy(value))))

    def settle(self, answered: Sequence[Any]) -> bool:
        """Whether the answer is there, given references that are answered; what failed is sent to a replacement.

        RuntimeError where that was tried often enough.
        """
        if self.reference in answered:
            return self._has_answer()
        if self._is_overdue():
            self._lost(f"it gave no answer in {self._patience:g} s")
        return False

    def _is_overdue(self) -> bool:  # how long an environment takes to make does not count
        if not self._deadline:
            return False
        if self._since is None:
            made, _ = ray.wait([self._made], timeout=0)
            self._since = time.monotonic() if made else None
        return self._since is not None and time.monotonic() - self._since > self._patience

    def _has_answer(self) -> bool:
        try:
            ray.get(self._made)
            ray.get(self.reference)
        except RayTaskError as error:
            self._raised(error)
        except RayError as error:
            self._lost(f"it died ({_one_line(error)})", error)
        else:
            return True
        return False

    def _raised(self, error: RayTaskError) -> None:
        cause = error.cause if isinstance(error.cause, Exception) else error
        if self._call[0] not in _REPEATED:
            raise cause from None
        self._errors += 1
        if self._errors >= ATTEMPTS:
            raise RuntimeError(
                f"environment {self._index} raised on {ATTEMPTS} workers {self._place()}: "
                f"{type(cause).__name__}: {_one_line(cause)}"
            ) from error
        self._replace()

    def _lost(self, why: str, error: BaseException | None = None) -> None:
        self._deaths += 1
        if self._deaths >= LIVES:
            raise RuntimeError(
                f"environment {self._index} lost {LIVES} workers {self._place()}, the last as {why}: the machine may "
                "be short of memory (try fewer environments), or the deadline too short"
            ) from error
        self._replace()

    def _replace(self) -> None:
        ray.kill(self._actor)
        self._start()
        if self._call[0] != "make":
            self.reference = self._send("resume", (self.past, *self._call))

    def refuse(self, reward: Any) -> RuntimeError:
        """The error for the step that was answered with this reward."""
        return RuntimeError(
            f"environment {self._index} gave the reward {reward} {self._place()}: only finite float32 rewards are "
            "passed on, end such an episode with a finite penalty"
        )

    def _place(self) -> str:
        name, arguments = self._call
        if name == "step":
            action = np.asarray(arguments[0]).tolist()
            return f"in step {self.past.steps + 1} after {self.past.last_reset}, with action {action}"
        if name == "reset":
            return f"in reset(seed={arguments[0]}, options={arguments[1] or None})"
        return "while it was made" if name == "make" else f"in {name}"

    def kill(self) -> None:
        ray.kill(self._actor)


def settle_all(environments: Sequence[RemoteEnv]) -> None:
    """Waits until every call is answered, replacing what fails, all side by side."""
    waiting = list(environments)
    while waiting:
        answered, _ = ray.wait([environment.reference for environment in waiting], timeout=_TICK)
        waiting = [environment for environment in waiting if not environment.settle(answered)]


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:500]
