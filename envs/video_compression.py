"""Video compression: a small network of predicted frames learns on short clips of synthetic motion over photographs.

Training, validation and test are of different photographs, or different parts of them; the metric is `rd_db` of the
predicted frames, which falls by 10 for a tenfold rate-distortion cost at the target lambda.
"""

from dataclasses import asdict, replace

from law_rl.actions import Heads, LossWeights, SampleWeights
from law_rl.classification.optimisation import OptimiserConfig
from law_rl.compression.photograph_parts import Source
from law_rl.compression.video.crops import CropConfig
from law_rl.compression.video.learner import VideoLearnerConfig, VideoLossTerms
from law_rl.compression.video.task import VideoTask
from law_rl.features import OF_CODECS
from law_rl.stage_env import StageEnv, StageEnvConfig

FEATURES = tuple(OF_CODECS)
"""A frame's bits per pixel, its mean squared error, how busy it is, and how far it moved."""
LOSSES = VideoLossTerms()
MOST = {"distortion": 4.0, "prediction": 1.0}
"""The largest weights that the policy may give to the terms of the loss; at 4 a stage trains for four times lambda."""

ACTION = Heads(
    sample_weights=SampleWeights(features=FEATURES, gain=1.0),
    loss_weights=LossWeights(
        terms=tuple(MOST), usual=tuple(asdict(LOSSES)[term] for term in MOST), most=tuple(MOST.values())
    ),
)
WARMUP = 0

TRAINING = VideoLearnerConfig(
    lambda_=32.0,
    optimiser=OptimiserConfig(name="adam", lr=1e-3, weight_decay=0.0, schedule="cosine"),
    batch_size=8,
    epochs=2,
    stages=4,
    features=FEATURES,
    precision="bf16",
    losses=LOSSES,
)


def video_task(*, data: Source = "samples", features: tuple[str, ...] = FEATURES) -> VideoTask:
    """A small network of predicted frames at lambda 32, 2 epochs in 4 stages, with these features for frame weights."""
    return VideoTask(data=CropConfig(name=data), training=replace(TRAINING, features=features))


def video_compression(*, data: Source = "samples", config: StageEnvConfig | None = None) -> StageEnv:
    """The environment `law_rl/VideoCompression-v0`, by default with both heads.

    FileNotFoundError at its first reset where data "bsds" is missing.
    """
    config = config or StageEnvConfig(action=ACTION, warmup=WARMUP)
    return StageEnv(video_task(data=data, features=config.action.features or FEATURES), config)
