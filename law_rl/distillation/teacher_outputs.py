"""What a student's training asks of its teacher: logits and embeddings at a position on the route."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast, get_args

import torch
from torch import Tensor

from law_rl.classification.networks import Classifier
from law_rl.distillation.anchors import Anchors, mix_logits, neighbours
from law_rl.distillation.route import Route

Between = Literal["nearest", "mixed"]

CHUNK = 1000
"""Samples in one forward pass over a set: a set's outputs do not depend on who asks for them, or when."""

KEPT_BYTES = 256 * 2**20


@dataclass(frozen=True, kw_only=True, eq=False)
class TeacherOutput:
    """Logits float32 [B, K] and embeddings float32 [B, D] of the same B samples."""

    logits: Tensor
    embedding: Tensor


class TeacherOutputs:
    """The outputs of a route's frozen anchors, of which at most `capacity` are on the device at a time.

    `build_network` makes the teacher's network with any weights; `width` is that of its embedding. Between two anchors,
    `between` "nearest" takes the nearer one (halfway, the harder); "mixed" takes logits whose softmax at `temperature`
    is the mixture of the two, as `mix_logits`, and the linear interpolation of the embeddings (our reading; RCO,
    1904.09149, has no positions between anchors).

    `inputs` [N, ...] are those of the whole training set on the device, where they are the same in every epoch. An
    anchor's outputs of all of them are then computed once, and the anchor forwards no more batches. They are kept for
    the anchors asked for last, in at most `kept_bytes`; where that has no room for the one anchor ("mixed": the two)
    that a batch needs, batches are forwarded as without `inputs`. Learners may share one of these, best stage by stage:
    it has no state that changes what it returns.
    """

    def __init__(
        self,
        route: Route,
        build_network: Callable[[], Classifier],
        device: torch.device | str,
        *,
        capacity: int = 2,
        between: Between = "nearest",
        temperature: float = 1.0,
        inputs: Tensor | None = None,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        if between not in get_args(Between):
            raise ValueError(f"between is {between!r}: use one of {', '.join(get_args(Between))}")
        if between == "mixed" and capacity < 2:
            raise ValueError(f"capacity is {capacity}, and mixing neighbours keeps two networks: give at least 2")
        if not 0 < temperature < float("inf"):
            raise ValueError(f"temperature is {temperature}: give a finite number above 0")
        self.route, self.between, self.temperature = route, between, temperature
        self._anchors = Anchors(route, build_network, device, capacity)
        converged = self._network(len(route) - 1)
        self.width = converged.width
        self._inputs, self._room = inputs, 0  # of how many anchors the outputs of all inputs are kept
        if inputs is not None:
            size = torch.float32.itemsize * len(inputs) * (converged.classifier.out_features + self.width)
            needed = 2 if between == "mixed" else 1
            self._room = room if (room := kept_bytes // size) >= needed else 0
        self._kept: OrderedDict[tuple[int, torch.dtype], TeacherOutput] = OrderedDict()  # used longest ago first

    @torch.no_grad()
    def outputs(self, position: float, inputs: Tensor, ids: Tensor | None) -> TeacherOutput:
        """The outputs at a position in [0, 1] for a batch of inputs [B, ...], under the caller's autocast.

        `ids` int64 [B] are the samples' places in the whole training set; None for samples that are not of it, or
        augmented. ValueError for a position off the route, or where an anchor's file is missing, changed or of another
        network.
        """
        lower, upper, share = neighbours(position, len(self._anchors))
        if self.between == "nearest":
            return self._batch(upper if share >= 0.5 else lower, inputs, ids)
        easier = self._batch(lower, inputs, ids)
        if share == 0:
            return easier
        harder = self._batch(upper, inputs, ids)
        return TeacherOutput(
            logits=mix_logits(easier.logits, harder.logits, share, self.temperature),
            embedding=torch.lerp(easier.embedding, harder.embedding, share),
        )

    @torch.no_grad()
    def of_anchor(self, index: int, inputs: Tensor) -> TeacherOutput:
        """The outputs of anchor `index` of the route for any number of inputs, under the caller's autocast."""
        parts = [self._forward(index, part) for part in torch.split(inputs, CHUNK)]
        return TeacherOutput(
            logits=torch.cat([part.logits for part in parts]),
            embedding=torch.cat([part.embedding for part in parts]),
        )

    def _batch(self, index: int, inputs: Tensor, ids: Tensor | None) -> TeacherOutput:
        if ids is None or self._inputs is None or self._room == 0:
            return self._forward(index, inputs)
        kept = self._of_all(index, self._inputs)
        return TeacherOutput(logits=kept.logits.index_select(0, ids), embedding=kept.embedding.index_select(0, ids))

    def _of_all(self, index: int, inputs: Tensor) -> TeacherOutput:
        key = index, _precision(inputs.device.type)
        if key not in self._kept:
            if len(self._kept) == self._room:
                self._kept.popitem(last=False)
            self._kept[key] = self.of_anchor(index, inputs)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _forward(self, index: int, inputs: Tensor) -> TeacherOutput:
        network = self._network(index)
        embedding = network.embed(inputs)
        return TeacherOutput(logits=network.classifier(embedding).float(), embedding=embedding.float())

    def _network(self, index: int) -> Classifier:
        return cast(Classifier, self._anchors.network(index))


def _precision(device_type: str) -> torch.dtype:
    """What matrices are multiplied in under the caller's autocast."""
    return torch.get_autocast_dtype(device_type) if torch.is_autocast_enabled(device_type) else torch.float32
