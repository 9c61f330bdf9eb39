"""Trainings of codecs that can be stopped and taken up again, several at once on one device."""

import contextlib
import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic

import torch

from law_rl.compression.training_config import TrainingConfig
from law_rl.compression.training_step import BLOCK, Network, Objective, TrainingStep, batch_draws
from law_rl.files import load_tree, save_tree

BLOCKS_UNDER_WAY = 2
"""How far the host may run ahead of a GPU: enough to keep it busy, and little enough that its clock holds for both."""

SECONDS_BETWEEN_READINGS = 1.0
SECONDS_BETWEEN_CHECKPOINTS = 30.0


@dataclass(frozen=True, kw_only=True)
class Moment:
    """How a training stands: cost, bits per pixel and distortion are means over the steps since the last moment."""

    step: int
    progress: float
    seconds: float
    cost: float
    bpp: float
    distortion: float


class Training(Generic[Network]):
    """One network in training, on the device of its data; `train_together` drives it.

    `described` are plain values that say what network it is and how it began. With a `checkpoint` that exists it goes
    on from there; a training that is ended by steps then ends with the same bits on a CPU as one that was never
    stopped. `step` and `seconds` say how far it is. ValueError for a checkpoint of other settings or other data.
    """

    def __init__(
        self,
        network: Network,
        objective: Objective[Network],
        config: TrainingConfig,
        described: Mapping[str, Any],
        checkpoint: Path | None = None,
    ) -> None:
        self.config, self.device = config, objective.device
        self.step, self.seconds = 0, 0.0
        self._read_at, self._checkpoint, self._draws = 0, checkpoint, objective.draws
        settings = {**described, "training": asdict(config), "data": objective.content_hash}
        self._described = json.loads(json.dumps(settings))  # as a checkpoint gives it back
        self._step = TrainingStep(network, objective, config)
        on_gpu = self.device.type == "cuda"
        self._to_capture = on_gpu and config.cuda_graph and objective.steady
        self._stream = torch.cuda.Stream(self.device) if on_gpu else None  # type: ignore[no-untyped-call]
        self._under_way: deque[torch.cuda.Event] = deque()
        if checkpoint is not None and checkpoint.is_file():
            self._restore(checkpoint)
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream(self.device))

    @property
    def device_name(self) -> str:
        """What it runs on, in words."""
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "CPU"

    @property
    def progress(self) -> float:
        """How much of it is over, from 0 to 1."""
        return self.config.progress(self.step, self.seconds)

    def run_block(self) -> None:
        """Starts the next few steps of a training that is not over; on a GPU it does not wait for them."""
        if len(self._under_way) == BLOCKS_UNDER_WAY:
            self._under_way.popleft().synchronize()
        count = BLOCK if self.config.steps is None else min(BLOCK, self.config.steps - self.step)
        draws = batch_draws(self.config.seed, self.step, count, self.config.batch, self._draws)
        with self._on_device():
            self._step.run_block(draws, self.progress, self.step)
            if self._to_capture:
                self._step.capture()
                self._to_capture = False
        if self._stream is not None:
            self._under_way.append(self._stream.record_event())
        self.step += count

    def read(self) -> Moment:
        """The means since the last reading, for which it waits; ValueError where no step in them was finite."""
        with self._on_device():
            taken, cost, bpp, distortion = self._step.sums.tolist()
            self._step.sums.zero_()
        if not taken and self.step > self._read_at:
            raise ValueError(
                f"The training diverged between steps {self._read_at} and {self.step}: begin again with a lower "
                "learning_rate."
            )
        self._read_at = self.step
        share = max(taken, 1.0)
        means = {"cost": cost / share, "bpp": bpp / share, "distortion": distortion / share}
        return Moment(step=self.step, progress=self.progress, seconds=self.seconds, **means)

    def save(self) -> None:
        """Writes the checkpoint, if there is a place for one."""
        if self._checkpoint is None:
            return
        with self._on_device():
            tree = {"described": self._described, "step": self.step, "seconds": self.seconds}
            save_tree(self._checkpoint, tree | {"state": self._step.to_tree()})

    def network(self) -> Network:
        """A copy of the network on the CPU with the averaged weights; ValueError before the first step."""
        if self.step == 0:
            raise ValueError("The training has not begun: run a block of steps first.")
        with self._on_device():
            averages = [average.cpu() for average in self._step.averaged(self.step)]
        copy = deepcopy(self._step.network).cpu()
        trained = [parameter for parameter in copy.parameters() if parameter.requires_grad]
        with torch.no_grad():
            for parameter, average in zip(trained, averages, strict=True):
                parameter.copy_(average)
        return copy

    def _restore(self, checkpoint: Path) -> None:
        tree = load_tree(checkpoint)
        if tree.get("described") != self._described:
            raise ValueError(
                f"{checkpoint} is the checkpoint of a training with other settings or data: delete it, or "
                "give another place."
            )
        self._step.restore(tree["state"])
        self.step = self._read_at = tree["step"]
        self.seconds = tree["seconds"]

    @contextlib.contextmanager
    def _on_device(self) -> Iterator[None]:
        """On the training's own stream, so that several trainings fill the device together."""
        with torch.cuda.stream(self._stream), torch.backends.cudnn.flags(enabled=True, benchmark=True):
            yield


def train_together(
    trainings: Sequence[Training[Any]], show: Callable[[int, Moment], None], seconds: float = SECONDS_BETWEEN_READINGS
) -> None:
    """Trains all to their ends, a block of steps of each in turn, and saves them now and then and at the end.

    Trainings that are ended by the same time take the same number of steps. `show` gets the number of a training and
    its moment, once in so many seconds and at its end.
    """
    last = read = saved = time.monotonic()
    while unfinished := [training for training in trainings if training.progress < 1]:
        for training in unfinished:
            training.run_block()
        now = time.monotonic()
        for training in unfinished:
            training.seconds += now - last
        last = now
        ended = all(training.progress >= 1 for training in trainings)
        if ended or now - read >= seconds:
            for number, training in enumerate(trainings):
                if training in unfinished:
                    show(number, training.read())
            read = now
        if ended or now - saved >= SECONDS_BETWEEN_CHECKPOINTS:
            for training in trainings:
                training.save()
            saved = time.monotonic()
