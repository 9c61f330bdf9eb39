"""A heavier codec as a teacher: its route is kept on disk, and students ask for its pictures and latents."""

import json
from collections import OrderedDict
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import torch

from law_rl.compression.learner import CodecLearnerConfig, pixels
from law_rl.compression.network.codec_network import CodecConfig, CodecNetwork
from law_rl.compression.patches import PatchDataset
from law_rl.compression.rd_learner import CHUNK
from law_rl.distillation.anchors import Anchors, neighbours
from law_rl.distillation.route import Route
from law_rl.distillation.route_training import Observer, RouteTraining

KEPT_BYTES = 256 * 2**20


@dataclass(frozen=True, kw_only=True)
class CodecTeacherConfig:
    """How a teacher is trained, and which of its checkpoints are anchors of its route.

    `training.stages` does not count: a stage is `every` epochs, and an anchor is saved after each.
    """

    training: CodecLearnerConfig
    seed: int = 0
    every: int = 1

    def __post_init__(self) -> None:
        if self.every < 1 or self.training.epochs % self.every:
            raise ValueError(
                f"every is {self.every}, which does not divide training.epochs {self.training.epochs}: "
                "give a number of epochs that does"
            )

    @property
    def anchors(self) -> int:
        """The anchors of the finished route."""
        return self.training.epochs // self.every


def codec_route(config: CodecTeacherConfig, dataset: PatchDataset, observer: Observer | None = None) -> Route:
    """The teacher's route, trained where it has not been before, see `RouteTraining.kept`."""
    training = replace(config.training, stages=config.anchors)
    described = asdict(training)
    described.pop("device")
    origin: dict[str, Any] = json.loads(
        json.dumps({"training": described, "seed": config.seed, "every": config.every, "data": dataset.content_hash()})
    )
    return RouteTraining(
        origin=origin,
        network={"name": "codec", **asdict(training.network)},
        learner=lambda: training.learner(dataset, config.seed),
        anchors=config.anchors,
        every=config.every,
        half=False,
    ).kept(observer)


@dataclass(frozen=True, kw_only=True, eq=False)
class CodecTeacherOutput:
    """Pictures float32 [B, 3, S, S], not clipped, and latents float32 [B, M, S/16, S/16], not quantised."""

    reconstruction: torch.Tensor
    latents: torch.Tensor


class CodecTeacher:
    """The frozen anchors of a codec's route, asked for the patches of a training set.

    An anchor's outputs of all of them are computed once, in float32, and kept for the anchors asked for last in at most
    `kept_bytes`; where not even one fits, each batch is computed anew. Learners may share a teacher: it has no state
    that changes what it returns.
    """

    def __init__(self, route: Route, config: CodecConfig, patches: torch.Tensor, kept_bytes: int = KEPT_BYTES) -> None:
        self.route, self.latents = route, config.latents
        self._patches = patches
        self._anchors = Anchors(route, lambda: CodecNetwork(config), patches.device)
        size = torch.float32.itemsize * (patches.numel() + len(patches) * config.latents * patches[0, 0].numel() // 256)
        self._room = kept_bytes // size
        self._kept: OrderedDict[int, CodecTeacherOutput] = OrderedDict()  # used longest ago first

    @torch.no_grad()
    def outputs(self, position: float, ids: torch.Tensor) -> CodecTeacherOutput:
        """The outputs of the anchor nearest to a position in [0, 1], halfway of the later one, for the patches `ids`
        [B].
        """
        lower, upper, share = neighbours(position, len(self.route))
        index = upper if share >= 0.5 else lower
        if self._room == 0:
            return self._compute(index, self._patches.index_select(0, ids))
        kept = self._of_all(index)
        return CodecTeacherOutput(
            reconstruction=kept.reconstruction.index_select(0, ids), latents=kept.latents.index_select(0, ids)
        )

    def _of_all(self, index: int) -> CodecTeacherOutput:
        if index not in self._kept:
            if len(self._kept) == self._room:
                self._kept.popitem(last=False)
            parts = [self._compute(index, chunk) for chunk in torch.split(self._patches, CHUNK)]
            self._kept[index] = CodecTeacherOutput(
                reconstruction=torch.cat([part.reconstruction for part in parts]),
                latents=torch.cat([part.latents for part in parts]),
            )
        self._kept.move_to_end(index)
        return self._kept[index]

    def _compute(self, index: int, patches: torch.Tensor) -> CodecTeacherOutput:
        network = cast(CodecNetwork, self._anchors.network(index))
        with torch.autocast(patches.device.type, enabled=False):
            output = network(pixels(patches), None)
        return CodecTeacherOutput(reconstruction=output.reconstruction, latents=output.y)
