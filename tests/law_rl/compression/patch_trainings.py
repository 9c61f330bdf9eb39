"""Tiny trainings of codecs on drawn patches, for the tests that train one."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch

from law_rl.classification.optimisation import OptimiserConfig
from law_rl.compression.learner import CodecLearner, CodecLearnerConfig
from law_rl.compression.network.codec_network import CodecConfig
from law_rl.compression.patches import PatchConfig, PatchDataset
from law_rl.compression.student import CodecStudentConfig
from law_rl.compression.task import CodecTask
from law_rl.compression.teacher import CodecTeacherConfig
from law_rl.counters import torch_generator
from law_rl.learner import BASELINE, Directive

OPTIMISER = OptimiserConfig(name="adam", lr=3e-3, weight_decay=0.0, schedule="cosine")
SMALL: dict[str, Any] = {"lambda_": 256.0, "optimiser": OPTIMISER, "batch_size": 4, "epochs": 2, "stages": 3}
NETWORK = CodecConfig(width=4, latents=6, attention="none")
CONFIG = CodecLearnerConfig(network=NETWORK, **SMALL)
STUDENT = CodecStudentConfig(network=NETWORK, **SMALL)
TEACHER = CodecTeacherConfig(training=replace(CONFIG, network=CodecConfig(width=6, latents=8), epochs=3))
TASK = CodecTask(data=PatchConfig(train=12, validation=6, test=6), teacher=TEACHER, training=STUDENT)


def drawn(count: int, seed: int) -> torch.Tensor:
    """Patches uint8 [count, 3, 64, 64] of smooth colours with stripes of various heights on them."""
    generator = torch_generator(seed, "test patches")
    coarse = torch.rand(count, 3, 4, 4, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=64, mode="bilinear")
    stripes = torch.rand(count, 1, 1, 64, generator=generator) * torch.linspace(0, 0.5, count)[:, None, None, None]
    return ((smooth + stripes).clamp(0, 1) * 255).round().to(torch.uint8)


@lru_cache(maxsize=1)
def dataset() -> PatchDataset:
    return PatchDataset(name="drawn", train=drawn(11, 0), validation=drawn(5, 1), test=drawn(4, 2))


def train(learner: CodecLearner, directive: Directive = BASELINE, until: int | None = None) -> CodecLearner:
    while learner.stage < (learner.stages if until is None else until):
        assert not learner.train_stage(directive).failure
    return learner


def same_networks(one: CodecLearner, other: CodecLearner) -> bool:
    ours, theirs = one.network.state_dict(), other.network.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)
